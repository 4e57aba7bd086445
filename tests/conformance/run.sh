#!/bin/sh
# Runs the validation programs of runtime-tools against brig, crun and runc and
# writes docs/conformance.md: run.sh, from `make conformance`.
set -eu
go=${GO:-go}
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/tests/out/conformance

if [ "$(id -u)" != 0 ]; then
	echo "conformance: needs root: the programs ask for what only root may do" >&2
	exit 1
fi
# crun refuses hosts with v1 hierarchies: all see cgroup v2 only. Whatever a program
# leaves behind ends with the namespace of process ids.
if [ -z "${CONFORMANCE_VIEW:-}" ]; then
	rm -rf "$out"
	sh "$here/build.sh" "$out"
	(cd "$top" && $go build -o "$out/bin/conformance" ./tests/conformance)
	CONFORMANCE_VIEW=1 exec unshare -m -p -f --kill-child --mount-proc --propagation private \
		sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' -- sh "$0"
fi

work=$(mktemp -d)
mount -t tmpfs -o mode=755 brig-conformance "$work"
trap 'umount /dev/null; umount -l "$work"; rmdir "$work"' EXIT
trap 'exit 1' HUP INT TERM
# The programs give the runtimes /dev/null as stdin, and some give that to the user
# of the container: not the host's.
mknod -m 666 "$work/null" c 1 3
mount --bind "$work/null" /dev/null

# command NAME PROGRAM: a runtime that keeps its state here.
command_for() {
	printf '#!/bin/sh\nexec %s --root %s "$@"\n' "$2" "$work/state-$1" >"$work/$1"
	chmod 755 "$work/$1"
}
command_for brig "${BRIG:-$top/brig}"
command_for runc "${RUNC:-runc}"
command_for crun-itself "${CRUN:-crun}"
# crun needs two things to run the suite at all: see crun/.
sed "s|WORK|$work|g" "$here/crun/crun.sh" >"$work/crun"
gcc -shared -fPIC -o "$work/memlock.so" "$here/crun/memlock.c"
chmod 755 "$work/crun"

"$out/bin/conformance" -suite "$out" -reasons "$here/reasons.txt" -page "$top/docs/conformance.md" \
	-version "$(cd "$here/suite" && $go list -m -f '{{.Version}}' github.com/opencontainers/runtime-tools)" \
	brig="$work/brig" crun="$work/crun" runc="$work/runc"
