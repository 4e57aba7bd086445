package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Numbers outside the common table. x32 has some of its own below the rest, as
// execve; 32-bit ARM calls the kernel for its cache and for thread pointers.
const (
	x32Bit     = 0x40000000
	x32First   = 512
	x32Last    = 547
	armPrivate = 0xf0000
)

// newer answers ENOSYS to system calls above the highest that the profile names: its
// author did not know them, and a C library falls back to an older one on ENOSYS
// but not on the EPERM of the default action (glibc's faccessat2 and clone3). The
// number is in the accumulator, and stays there.
func newer(p *specs.LinuxSeccomp, k abi) (body fragment) {
	highest, ok := highestNamed(p, k.arch)
	if !ok || permissive(p) {
		return nil
	}
	switch {
	case k.x32:
		body.emit(opJgt, 0, 3, x32Bit+highest)
		body.emit(opJge, 0, 1, x32Bit+x32First)
		body.emit(opJgt, 0, 1, x32Bit+x32Last)
	case k.arch == "amd64":
		body.emit(opJge, 2, 0, x32Bit) // x32 is not for here
		body.emit(opJgt, 0, 1, highest)
	case k.arch == "arm":
		body.emit(opJge, 2, 0, armPrivate)
		body.emit(opJgt, 0, 1, highest)
	default:
		body.emit(opJgt, 0, 1, highest)
	}
	body.emit(opRet, 0, 0, unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS))
	return body
}

// permissive says that an unknown system call runs anyway, that a tracer decides on
// it, or that it gets ENOSYS already.
func permissive(p *specs.LinuxSeccomp) bool {
	switch p.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		return true
	}
	return p.DefaultAction == specs.ActErrno && p.DefaultErrnoRet != nil && *p.DefaultErrnoRet == uint(unix.ENOSYS)
}

// highestNamed is the highest number among the names of the profile: what the
// author of the profile knew.
func highestNamed(p *specs.LinuxSeccomp, arch string) (uint32, bool) {
	highest := -1
	for i := range p.Syscalls {
		for _, name := range p.Syscalls[i].Names {
			if nr, ok := SyscallNumber(arch, name); ok {
				highest = max(highest, nr)
			}
		}
	}
	return uint32(highest), highest >= 0
}
