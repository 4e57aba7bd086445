#!/bin/sh
# Builds the stage for one architecture: build.sh amd64|arm64 OUTPUT
set -eu
arch=$1 out=$2
here=$(dirname "$0")
case $arch in
amd64) cc=${CC_AMD64:-x86_64-linux-gnu-gcc} page=4096 flags="-mno-sse -mno-red-zone -fcf-protection=none" ;;
arm64) cc=${CC_ARM64:-aarch64-linux-gnu-gcc} page=65536 flags="-mgeneral-regs-only -mno-outline-atomics" ;;
*) echo "build.sh: no stage for $arch" >&2; exit 2 ;;
esac
command -v "$cc" >/dev/null || cc=${CC:-gcc}
# shellcheck disable=SC2086
exec "$cc" -std=gnu11 -Os -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-declarations \
	-Wconversion -Wno-sign-conversion -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns $flags -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size="$page" \
	-Wl,-T,"$here/stage.lds" -Wl,--gc-sections -s -o "$out" "$here/stage.c" "$here/start_$arch.S"
