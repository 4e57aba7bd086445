#!/bin/sh
# Installs the Debian packages that a task needs and that are missing:
# deps.sh build|demo|test|vm|bench|conformance …
set -eu

# has WHAT: is this command or this file there?
has() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
	esac
}

# A busybox that needs shared libraries does not run in an empty root.
static_busybox() {
	has busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1
}

# QEMU before 10 crashes its guests. Debian 12 has it from its backports.
new_qemu() {
	version=$(qemu-system-x86_64 --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\)\..*/\1/p')
	[ "${version:-0}" -ge 10 ]
}

# backports adds the suite of backports, from where this machine has its packages.
backports() {
	name=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	list=/etc/apt/sources.list.d
	[ "$name" = bookworm ] && [ ! -e "$list/brig-backports.sources" ] && [ -e "$list/debian.sources" ] || return 0
	sed "s/^Suites:.*/Suites: $name-backports/" "$list/debian.sources" |
		awk 'BEGIN { RS = ""; ORS = "\n\n" } !/security/' >"$list/brig-backports.sources"
	apt-get update -q >/dev/null
}

missing=
from=

# need PACKAGE WHAT: the package gives WHAT, a command or a file.
need() {
	has "$2" || missing="$missing $1"
}

for task; do
	case $task in
	build)
		need gcc gcc
		need libc6-dev /usr/include/unistd.h
		need libseccomp-dev /usr/include/seccomp.h
		need pkg-config pkg-config
		;;
	demo)
		static_busybox || missing="$missing busybox-static"
		;;
	test)
		static_busybox || missing="$missing busybox-static"
		need strace strace
		need uidmap newuidmap
		need procps kill
		need gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
		need libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/unistd.h
		need qemu-user-static qemu-aarch64-static
		need zsh zsh
		need fish fish
		need mandoc mandoc
		;;
	vm)
		new_qemu || { missing="$missing qemu-system-x86" && from=backports; }
		need debootstrap debootstrap
		need e2fsprogs mke2fs
		;;
	bench)
		static_busybox || missing="$missing busybox-static"
		need hyperfine hyperfine
		need crun crun
		need runc runc
		;;
	conformance)
		static_busybox || missing="$missing busybox-static"
		need gcc gcc
		need libc6-dev /usr/include/unistd.h
		need crun crun
		need runc runc
		need util-linux unshare
		need mount mount
		;;
	*)
		echo "deps.sh: no such task: $task" >&2
		exit 2
		;;
	esac
done

[ -n "$missing" ] || exit 0
if ! has apt-get || [ "$(id -u)" != 0 ]; then
	echo "deps.sh: these Debian packages are missing, and only root can install them with apt-get:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "deps.sh: installing$missing"
target=
if [ -n "$from" ]; then
	backports
	[ ! -e /etc/apt/sources.list.d/brig-backports.sources ] || target="-t bookworm-backports"
fi
install() {
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $target $missing </dev/null
}
# The package lists may be absent or older than the archive.
install >/dev/null 2>&1 || { apt-get update -q && install; } >&2
