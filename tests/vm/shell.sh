#!/bin/sh
# A shell on a test machine, whose console is the terminal: shell.sh trixie|bookworm|selinux.
# brig lies in /job. The machine goes off when the shell ends; ^A X ends QEMU.
set -eu
cd "$(dirname "$0")"
case $1 in
	selinux) image=$(sh image.sh trixie selinux) ;;
	*) image=$(sh image.sh "$1") ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# The console knows neither the kind nor the size of this terminal.
size=$(stty size 2>/dev/null || echo 24 80)
cat >"$work/run" <<EOF
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty sane rows ${size% *} cols ${size#* }
export TERM=${TERM:-vt100} PATH=/job:\$PATH
cd /job
exec setsid --ctty --wait bash -i
EOF
cp ../../brig "$work/brig"
tar -C "$work" -cf "$work/in.tar" run brig
truncate -s 1M "$work/out.tar"
sh machine.sh "$image" "$work/in.tar" "$work/out.tar"
