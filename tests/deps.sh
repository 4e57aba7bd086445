#!/bin/sh
# Installs the Debian packages that a task needs and that are missing:
# deps.sh build|demo|test|bench|conformance|vm …
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

# QEMU before 10 crashes its guests when they have more than one CPU.
new_qemu() {
	has qemu-system-x86_64 && qemu-system-x86_64 --version | grep -Eq 'version [1-9][0-9]+\.'
}

missing=
qemu=

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
		need git git
		need strace strace
		need uidmap newuidmap
		need procps kill
		need gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
		need libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/unistd.h
		need qemu-user-static qemu-aarch64-static
		need runc runc
		need zsh zsh
		need fish fish
		need mandoc mandoc
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
	vm)
		need debootstrap debootstrap
		need e2fsprogs mke2fs
		need coreutils sha256sum
		need tar tar
		new_qemu || qemu=qemu-system-x86
		;;
	*)
		echo "deps.sh: no such task: $task" >&2
		exit 2
		;;
	esac
done

[ -n "$missing$qemu" ] || exit 0
if ! has apt-get || [ "$(id -u)" != 0 ]; then
	echo "deps.sh: these Debian packages are missing, and only root can install them with apt-get:$missing${qemu:+ $qemu}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "deps.sh: installing$missing${qemu:+ $qemu}"

install() {
	apt-get install -q -y --no-install-recommends "$@" </dev/null
}

# backports makes a source of packages of the one that this Debian 12 has its own
# from, and prints its name.
backports() {
	grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || return 0
	list=/etc/apt/sources.list.d/brig-backports
	main=/etc/apt/sources.list.d/debian.sources
	if [ -e "$main" ]; then
		awk -v RS= '/(^|\n)Suites:[^\n]* ?bookworm( |\n|$)/ {
			sub(/Suites:[^\n]*/, "Suites: bookworm-backports"); print; exit }' "$main" >"$list.sources"
	else
		sed -n '/^deb .* bookworm main/{s/ bookworm / bookworm-backports /p;q}' /etc/apt/sources.list >"$list.list"
	fi
	apt-get update -q >&2
	echo bookworm-backports
}

if [ -n "$missing" ]; then
	# The package lists may be absent or older than the archive.
	# shellcheck disable=SC2086
	install $missing >/dev/null 2>&1 || { apt-get update -q && install $missing; } >&2 || exit 1
fi
if [ -n "$qemu" ]; then
	# Debian 12 has QEMU 10 in its backports only, and nothing else is taken from them.
	from=$(backports)
	install ${from:+-t "$from"} $qemu >/dev/null 2>&1 || { apt-get update -q && install ${from:+-t "$from"} $qemu; } >&2 || exit 1
	new_qemu || { echo "deps.sh: QEMU 10 is needed, and this release has an older one" >&2; exit 1; }
fi
