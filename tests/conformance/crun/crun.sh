#!/bin/sh
# crun for run.sh. Older ones run no config that is newer than themselves: they are
# told of version 1.0.2.
previous=
for arg; do
	[ "$previous" != --bundle ] || sed -i 's/"ociVersion": *"1\.[0-9.]*"/"ociVersion":"1.0.2"/' "$arg/config.json"
	previous=$arg
done
LD_PRELOAD=WORK/memlock.so exec WORK/crun-itself "$@"
