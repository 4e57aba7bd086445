// Package vm runs the tests that make containers on whole machines: Debian with
// systemd, cgroup v2 with every controller and AppArmor, in QEMU, one for each
// kernel, and one with SELinux. What the machine that builds brig cannot show, they do.
//
//	BRIG_VM_SUITES  the machines, "trixie bookworm selinux" without it; "none" for none
//	BRIG_VM_RUN     the tests, as -test.run takes them
//	BRIG_CYCLES     how many containers in a row, where a test makes many
//	BRIG_VM_PAGE    if set, what ran is written to docs/machines.md
//	BRIG_VM_CACHE   where images are kept
package vm
