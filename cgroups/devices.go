package cgroups

import (
	"encoding/binary"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The kernel's numbers for a device access (linux/bpf.h).
const (
	devBlock, devChar           = 1, 2
	accMknod, accRead, accWrite = 1, 2, 4
	accAll                      = accMknod | accRead | accWrite
	anyNumber                   = -1
	anyType                     = 0
	devicesPointer              = "/linux/resources/devices"
	maxDevices                  = 1000 // a rule takes up to 12 of the million instructions that a program may have
)

// exception is an entry of the list of a device policy: what it names is treated
// the other way than the default.
type exception struct {
	kind         int
	major, minor int64
	access       int
}

// overlaps says that some device is one of e and of f.
func (e exception) overlaps(f exception) bool {
	return (e.kind == f.kind || e.kind == anyType || f.kind == anyType) &&
		(e.major == f.major || e.major == anyNumber || f.major == anyNumber) &&
		(e.minor == f.minor || e.minor == anyNumber || f.minor == anyNumber)
}

// covers says that every device of f is one of e.
func (e exception) covers(f exception) bool {
	return (e.kind == anyType || e.kind == f.kind) && (e.major == anyNumber || e.major == f.major) && (e.minor == anyNumber || e.minor == f.minor)
}

// policy is a device policy as cgroup v1 defined it, which the config's list means.
type policy struct {
	allow      bool // the default
	exceptions []exception
}

// defaultDevices are what every container may use: making any node, and the
// devices that brig puts into /dev. They come after the rules of the config.
var defaultDevices = [...]exception{
	{devChar, anyNumber, anyNumber, accMknod},
	{devBlock, anyNumber, anyNumber, accMknod},
	{devChar, 1, 3, accAll},
	{devChar, 1, 8, accAll},
	{devChar, 1, 7, accAll},
	{devChar, 5, 0, accAll},
	{devChar, 1, 5, accAll},
	{devChar, 1, 9, accAll},
	{devChar, 136, anyNumber, accAll},
	{devChar, 5, 2, accAll},
}

// DeviceRules are the rules of a config with those of the devices that every
// container may use.
func DeviceRules(rules []specs.LinuxDeviceCgroup) []specs.LinuxDeviceCgroup {
	list := slices.Clone(rules)
	for _, d := range defaultDevices {
		r := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Access: "m"}
		if d.kind == devBlock {
			r.Type = "b"
		}
		if d.access == accAll {
			r.Access = "rwm"
		}
		if d.major != anyNumber {
			r.Major = &d.major
		}
		if d.minor != anyNumber {
			r.Minor = &d.minor
		}
		list = append(list, r)
	}
	return list
}

// DeviceProgram compiles the device rules to an eBPF program of the type
// BPF_PROG_TYPE_CGROUP_DEVICE, struct bpf_insn for struct bpf_insn. What no rule
// allows is denied (GHSA-g54h-m393-cpwq). It is nil if everything is allowed.
func DeviceProgram(rules []specs.LinuxDeviceCgroup) ([]byte, error) {
	if len(rules) > maxDevices {
		return nil, fault.Configf(devicesPointer, "%d rules are more than %d", len(rules), maxDevices)
	}
	var p policy
	for i := range rules {
		e, err := exceptionOf(&rules[i], fault.Pointer(devicesPointer, i))
		if err != nil {
			return nil, err
		}
		if err := p.apply(rules[i].Allow, e, fault.Pointer(devicesPointer, i)); err != nil {
			return nil, err
		}
	}
	for _, d := range defaultDevices {
		if err := p.apply(true, d, devicesPointer); err != nil {
			return nil, fault.Configf(devicesPointer, "a rule denies character device %d:%d, which every container may use, together with others", d.major, d.minor).
				WithHint("deny those others one by one")
		}
	}
	if p.allow && len(p.exceptions) == 0 {
		return nil, nil
	}
	return p.assemble(), nil
}

func exceptionOf(r *specs.LinuxDeviceCgroup, pointer string) (exception, error) {
	e := exception{major: anyNumber, minor: anyNumber}
	switch r.Type {
	case "", "a":
	case "b":
		e.kind = devBlock
	case "c", "u":
		e.kind = devChar
	default:
		return e, fault.Configf(pointer+"/type", "%q is not a, b, c or u", r.Type)
	}
	for _, n := range [...]struct {
		name string
		from *int64
		to   *int64
	}{{"major", r.Major, &e.major}, {"minor", r.Minor, &e.minor}} {
		if n.from == nil || *n.from == anyNumber {
			continue
		}
		if *n.from < 0 || *n.from > 0x7fffffff {
			return e, fault.Configf(pointer+"/"+n.name, "%d is no device number", *n.from)
		}
		*n.to = *n.from
	}
	for _, c := range r.Access {
		i := strings.IndexRune("mrw", c)
		if i < 0 {
			return e, fault.Configf(pointer+"/access", "%q has other letters than r, w and m", r.Access)
		}
		e.access |= 1 << i
	}
	if r.Access == "" {
		return e, fault.Configf(pointer+"/access", "is empty or missing")
	}
	return e, nil
}

// apply adds a rule. One for all devices and all access sets the default anew;
// one that agrees with the default takes exceptions back; any other is one. A rule
// that would take back a part of an exception is refused, where cgroup v1 did not
// heed it.
func (p *policy) apply(allow bool, e exception, pointer string) error {
	if e.kind == anyType && e.major == anyNumber && e.minor == anyNumber && e.access == accAll {
		p.allow, p.exceptions = allow, nil
		return nil
	}
	if allow != p.allow {
		for i := range p.exceptions {
			if x := &p.exceptions[i]; x.kind == e.kind && x.major == e.major && x.minor == e.minor {
				x.access |= e.access
				return nil
			}
		}
		p.exceptions = append(p.exceptions, e)
		return nil
	}
	for i := range p.exceptions {
		x := &p.exceptions[i]
		switch {
		case x.access&e.access == 0 || !e.overlaps(*x):
		case e.covers(*x):
			x.access &^= e.access
		default:
			return fault.Configf(pointer, "takes back a part of what an earlier rule says, which a list of device rules cannot")
		}
	}
	p.exceptions = slices.DeleteFunc(p.exceptions, func(x exception) bool { return x.access == 0 })
	return nil
}

// insns collects struct bpf_insn: code, registers, offset, immediate.
type insns []byte

func (p *insns) emit(code uint8, dst, src uint8, off int16, imm int32) {
	b := append(*p, code, src<<4|dst)
	b = binary.LittleEndian.AppendUint16(b, uint16(off))
	*p = binary.LittleEndian.AppendUint32(b, uint32(imm))
}

// Registers of the program. The kernel calls it with the context in register 1.
const (
	regRet, regCtx, regWord, regType = 0, 1, 2, 3
)

// Offsets in struct bpf_cgroup_dev_ctx; the first word is the access in its upper
// half and the type in its lower one.
const (
	ctxWord, ctxMajor, ctxMinor = 0, 4, 8
	accShift, typeMask          = 16, 0xffff
)

const (
	opLoad32  = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	opMov     = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	opMovReg  = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	opAnd     = unix.BPF_ALU64 | unix.BPF_AND | unix.BPF_K
	opJne     = unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K
	opJeq     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opExit    = unix.BPF_JMP | unix.BPF_EXIT
	insnBytes = 8
)

// assemble tests for one exception after the other. Each test loads what it looks
// at anew, so that no register is alive between two: then the kernel's check takes
// time in proportion to the number of exceptions, and not to its square, which at
// a thousand is more than it is willing to do.
func (p *policy) assemble() []byte {
	out := make(insns, 0, (len(p.exceptions)*(testInsns+verdictInsns)+verdictInsns)*insnBytes)
	for _, e := range p.exceptions {
		p.test(&out, e)
		out.verdict(!p.allow)
	}
	out.verdict(p.allow)
	return out
}

// The most instructions of a test, and those of a verdict.
const (
	testInsns    = 10
	verdictInsns = 2
)

func (p *insns) verdict(allow bool) {
	value := int32(0)
	if allow {
		value = 1
	}
	p.emit(opMov, regRet, 0, 0, value)
	p.emit(opExit, 0, 0, 0, 0)
}

// test jumps over the verdict that follows unless the exception matches: when it
// allows, with all of the access asked for; when it denies, with any of it.
func (p *policy) test(out *insns, e exception) {
	var jumps [4]int
	n := 0
	skip := func(code uint8, reg uint8, imm int32) {
		jumps[n] = len(*out)
		n++
		out.emit(code, reg, 0, 0, imm)
	}
	out.emit(opLoad32, regWord, regCtx, ctxWord, 0)
	if e.kind != anyType {
		out.emit(opMovReg, regType, regWord, 0, 0)
		out.emit(opAnd, regType, 0, 0, typeMask)
		skip(opJne, regType, int32(e.kind))
	}
	switch {
	case p.allow:
		out.emit(opAnd, regWord, 0, 0, int32(e.access)<<accShift)
		skip(opJeq, regWord, 0)
	case e.access != accAll:
		out.emit(opAnd, regWord, 0, 0, int32(accAll&^e.access)<<accShift)
		skip(opJne, regWord, 0)
	}
	for _, half := range [...]struct {
		number int64
		offset int16
	}{{e.major, ctxMajor}, {e.minor, ctxMinor}} {
		if half.number != anyNumber {
			out.emit(opLoad32, regWord, regCtx, half.offset, 0)
			skip(opJne, regWord, int32(half.number))
		}
	}
	for _, at := range jumps[:n] {
		offset := (len(*out)-at)/insnBytes - 1 + verdictInsns
		binary.LittleEndian.PutUint16((*out)[at+2:], uint16(offset))
	}
}
