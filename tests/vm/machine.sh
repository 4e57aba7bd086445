#!/bin/sh
# Boots a test machine on a copy of its image: machine.sh DIR IN OUT [SERIAL].
# IN is a tar with the payload, OUT a file that gets a tar of what it leaves. Without
# SERIAL the console of the machine is the terminal.
set -eu
dir=$1 in=$2 out=$3 serial=${4:-}
if [ -n "$serial" ]; then
	set -- -serial "file:$serial" -monitor none
else
	set -- -serial mon:stdio
fi
append=$(cat "$dir/append" 2>/dev/null || :)
# What the machine writes to its disk is gone with it (snapshot). -cpu max crashes
# guests, and QEMU before 10 does too with more than one thread.
exec qemu-system-x86_64 -accel tcg,thread=multi -smp "${BRIG_VM_CPUS:-2}" -m "${BRIG_VM_MEMORY:-3072}" -display none -no-reboot -net none \
	-kernel "$dir/vmlinuz" -initrd "$dir/initrd" \
	-append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 systemd.log_level=warning mitigations=off panic=-1 $append ${BRIG_VM_APPEND:-}" \
	-drive "file=$dir/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
	-drive "file=$in,format=raw,if=virtio,readonly=on" -drive "file=$out,format=raw,if=virtio,cache=unsafe" "$@"
