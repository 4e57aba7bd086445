#!/bin/sh
# Builds the validation programs of runtime-tools, or only those that are named,
# with what they need beside them: build.sh DIR [PROGRAM …]
set -eu
go=${GO:-go}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
module=github.com/opencontainers/runtime-tools
cd "$here/suite"
if [ $# -eq 0 ]; then
	set -- $module/validation/...
else
	for program; do
		set -- "$@" "$module/validation/$program"
		shift
	done
fi
# The binaries are used for their exit status and output alone: smaller is faster.
CGO_ENABLED=0 $go build -trimpath -ldflags '-s -w' -o "$out/" "$@" $module/cmd/runtimetest

# The suite has a root file system for amd64 and 386; for others busybox is one.
arch=$($go env GOARCH)
source=$($go list -m -f '{{.Dir}}' $module)/rootfs-$arch.tar.gz
if [ -e "$source" ]; then
	cp "$source" "$out/rootfs-$arch.tar.gz"
	exit
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for dir in bin dev etc home mnt proc root sbin sys tmp usr var; do mkdir "$root/$dir"; done
cp "$(command -v busybox)" "$root/bin/busybox"
chroot "$root" /bin/busybox --install -s /bin
tar -czf "$out/rootfs-$arch.tar.gz" -C "$root" .
