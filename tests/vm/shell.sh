#!/bin/sh
# A shell in a test machine: shell.sh trixie|bookworm. brig is in /job if it is built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(sh "$here/image.sh" "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -e "$here/../../brig" ]; then
	tar -C "$here/../.." -cf "$work/in" brig
else
	truncate -s 1M "$work/in"
fi
truncate -s %512 "$work/in"
truncate -s 1M "$work/out"
sh "$here/machine.sh" "$dir" "$work/in" "$work/out"
