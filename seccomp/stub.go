package seccomp

import (
	"encoding/binary"
	"runtime"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// insnSize is the size of struct sock_filter.
const insnSize = 8

// Offsets in struct seccomp_data.
const (
	dataNr   = 0
	dataArch = 4
	dataIP   = 8
	dataArgs = 16
)

const (
	opLoad  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJeq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opJgt   = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opJge   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opJset  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	opJa    = unix.BPF_JMP | unix.BPF_JA
	opRet   = unix.BPF_RET | unix.BPF_K
	retData = 0xffff
)

// abi is a system call table that a filter is for.
type abi struct {
	arch  string // of the tables in this package
	audit uint32
	x32   bool
}

// narrow says that libseccomp compares the lower halves of arguments only.
func (k abi) narrow() bool { return k.x32 || k.arch == "386" || k.arch == "arm" }

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
// calls that libseccomp does not know or gets wrong, and ENOSYS above the highest
// that the profile names. The others run on into the filter. It has only such
// instructions that the kernel (5.11) sees which calls are always allowed.
func stub(p *specs.LinuxSeccomp, names []string) []byte {
	list := abis(p)
	bodies := make([]fragment, len(list))
	for i, k := range list {
		bodies[i] = append(byNumber(p, k, names), newer(p, k)...)
	}
	var out fragment
	out.emit(opLoad, 0, 0, dataArch)
	for i, k := range list {
		body := bodies[i]
		if k.x32 {
			continue // is part of x86-64's
		}
		if x32 := slices.Index(list, abi{k.arch, k.audit, true}); x32 >= 0 {
			body = slices.Concat(body, bodies[x32])
		}
		if len(body) == 0 {
			continue
		}
		var block fragment
		block.emit(opLoad, 0, 0, dataNr)
		block = append(block, body...)
		block.emit(opLoad, 0, 0, dataArch)
		// A conditional jump reaches 255 instructions, an unconditional one all.
		out.emit(opJeq, 1, 0, k.audit)
		out.emit(opJa, 0, 0, block.count())
		out = append(out, block...)
	}
	return out
}
