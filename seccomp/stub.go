package seccomp

import (
	"encoding/binary"
	"runtime"
	"slices"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// insnSize is the size of struct sock_filter.
const insnSize = 8

// Offsets in struct seccomp_data.
const (
	dataNr   = 0
	dataArch = 4
)

const (
	opLoad  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opJeq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opJgt   = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opJge   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opJa    = unix.BPF_JMP | unix.BPF_JA
	opRet   = unix.BPF_RET | unix.BPF_K
	x32Bit  = 0x40000000
	retData = 0xffff
)

// Unknown is a system call of the profile that libseccomp has no name for.
type Unknown struct {
	Rule int    // index in /linux/seccomp/syscalls
	Name string // of the system call
}

// abi is a system call table that a filter is for.
type abi struct {
	arch  string // of the tables in this package
	audit uint32
	x32   bool
}

// abis are those of the profile, and the native one, for which this package has a
// table; x32 shares the audit architecture of x86-64.
func abis(p *specs.LinuxSeccomp) []abi {
	list := []abi{nativeABI()}
	for _, a := range p.Architectures {
		if k, ok := abiOf(a); ok && !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

func nativeABI() abi {
	if runtime.GOARCH == "arm64" {
		return abi{"arm64", unix.AUDIT_ARCH_AARCH64, false}
	}
	return abi{"amd64", unix.AUDIT_ARCH_X86_64, false}
}

func abiOf(a specs.Arch) (abi, bool) {
	switch a {
	case specs.ArchX86_64:
		return abi{"amd64", unix.AUDIT_ARCH_X86_64, false}, true
	case specs.ArchX32:
		return abi{"amd64", unix.AUDIT_ARCH_X86_64, true}, true
	case specs.ArchX86:
		return abi{"386", unix.AUDIT_ARCH_I386, false}, true
	case specs.ArchAARCH64:
		return abi{"arm64", unix.AUDIT_ARCH_AARCH64, false}, true
	case specs.ArchARM:
		return abi{"arm", unix.AUDIT_ARCH_ARM, false}, true
	}
	return abi{}, false
}

// fragment is a piece of a filter that ends in a return or runs on.
type fragment []byte

func (f *fragment) emit(code uint16, jt, jf uint8, k uint32) {
	b := append(binary.NativeEndian.AppendUint16(*f, code), jt, jf)
	*f = binary.NativeEndian.AppendUint32(b, k)
}

func (f fragment) count() uint32 { return uint32(len(f) / insnSize) }

// stub is what stands in front of libseccomp's filter: for each table, the system
// calls that libseccomp does not know, and ENOSYS above the highest that the
// profile names. The others run on into the filter.
func stub(p *specs.LinuxSeccomp, unknown []Unknown) ([]byte, error) {
	var bodies []fragment
	list := abis(p)
	for _, k := range list {
		body, err := bodyOf(p, k, unknown)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	var out fragment
	out.emit(opLoad, 0, 0, dataArch)
	for i, body := range bodies {
		if len(body) == 0 || list[i].x32 {
			continue
		}
		if k := slices.Index(list, abi{list[i].arch, list[i].audit, true}); k >= 0 {
			body = append(body, bodies[k]...)
		}
		// Not this architecture: over the body and the jump that ends it.
		var block fragment
		block.emit(opLoad, 0, 0, dataNr)
		block = append(block, body...)
		block.emit(opLoad, 0, 0, dataArch)
		out.emit(opJeq, 1, 0, list[i].audit)
		out.emit(opJa, 0, 0, block.count())
		out = append(out, block...)
	}
	return out, nil
}

// bodyOf decides for one table; the number of the system call is in the
// accumulator, and stays there.
func bodyOf(p *specs.LinuxSeccomp, k abi, unknown []Unknown) (fragment, error) {
	base := uint32(0)
	if k.x32 {
		base = x32Bit
	}
	var rules fragment
	lowest := ^uint32(0)
	for _, u := range unknown {
		nr, ok := SyscallNumber(k.arch, u.Name)
		if !ok {
			continue
		}
		r := &p.Syscalls[u.Rule]
		if len(r.Args) > 0 {
			return nil, fault.Configf(fault.Pointer(pointer, "syscalls", u.Rule, "args"),
				"libseccomp does not know %s, and brig can allow or deny such a system call only as a whole", u.Name)
		}
		lowest = min(lowest, base+uint32(nr))
		rules.emit(opJeq, 0, 1, base+uint32(nr))
		rules.emit(opRet, 0, 0, actionCode(r.Action, r.ErrnoRet))
	}
	var body fragment
	if len(rules) > 0 {
		body.emit(opJge, 1, 0, lowest)
		body.emit(opJa, 0, 0, rules.count())
		body = append(body, rules...)
	}
	if highest, ok := highestNamed(p, k.arch); ok && !permissive(p) {
		// Numbers of x32 lie above all of x86-64.
		if !k.x32 && k.arch == "amd64" {
			body.emit(opJge, 2, 0, x32Bit)
		}
		body.emit(opJgt, 0, 1, base+uint32(highest))
		body.emit(opRet, 0, 0, unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS))
	}
	return body, nil
}

// permissive says that an unknown system call runs anyway.
func permissive(p *specs.LinuxSeccomp) bool {
	switch p.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace, specs.ActNotify:
		return true
	}
	return p.DefaultAction == specs.ActErrno && p.DefaultErrnoRet != nil && *p.DefaultErrnoRet == uint(unix.ENOSYS)
}

// highestNamed is the highest number among the names of the profile: what the
// author of the profile knew.
func highestNamed(p *specs.LinuxSeccomp, arch string) (int, bool) {
	highest := -1
	for i := range p.Syscalls {
		for _, name := range p.Syscalls[i].Names {
			if nr, ok := SyscallNumber(arch, name); ok {
				highest = max(highest, nr)
			}
		}
	}
	return highest, highest >= 0
}

// actionCode is the return value of a filter for an action.
func actionCode(a specs.LinuxSeccompAction, errno *uint) uint32 {
	data := uint32(unix.EPERM)
	if errno != nil {
		data = uint32(*errno) & retData
	}
	switch a {
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW
	}
	return unix.SECCOMP_RET_KILL_THREAD
}
