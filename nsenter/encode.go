package nsenter

import (
	"encoding/binary"
	"fmt"

	"brig/libcontainer/fault"
)

// The wire format of stage/stage.h.
const (
	wireMagic       = 0x47495242
	wireVersion     = 1
	headerSize      = 32
	instructionSize = 72
	branchSize      = 8
	wireNoSlot      = 0xffffffff
	sysExitGroup    = 0xffff // nr of an instruction that is no call
)

// dataBase is where the data section of a program of this size is mapped.
func dataBase(instructions, branches int) uint64 {
	return uint64(ProgramBase + headerSize + instructions*instructionSize + branches*branchSize)
}

// check holds a program to what the wire can carry and the stage accepts.
func (p *Program) check() error {
	n, branches := len(p.Instructions), 0
	if n == 0 {
		return fault.Bugf("encode: a program without instructions")
	}
	for i := range p.Instructions {
		if err := p.checkInstruction(i); err != nil {
			return fault.Bugf("encode: instruction %d: %s", i, err)
		}
		branches += len(p.Instructions[i].On)
	}
	if last := p.Instructions[n-1].Op; last != OpFail && last != OpExit {
		return fault.Bugf("encode: the program can run off its end")
	}
	if p.DataBase != dataBase(n, branches) {
		return fault.Bugf("encode: data section at %#x", p.DataBase)
	}
	size := headerSize + n*instructionSize + branches*branchSize + len(p.Data)
	if size > programMax {
		return fault.Configf("", "encode: the program needs %d bytes, more than %d", size, programMax).
			WithHint("the config has too many or too long mounts, arguments or variables")
	}
	if p.ScratchSize > scratchMax {
		return fault.Configf("", "encode: the program needs %d bytes of scratch space, more than %d", p.ScratchSize, scratchMax).
			WithHint("the config has too many mounts or devices")
	}
	if !p.inScratch(uint64(p.Report), 8) {
		return fault.Bugf("encode: no slot for the report fd")
	}
	return nil
}

func (p *Program) checkInstruction(i int) error {
	in := &p.Instructions[i]
	if in.Op >= opLast || (in.Op == OpCall || in.Op == OpFork) && in.Sys >= sysLast {
		return fmt.Errorf("op %d, system call %d", in.Op, in.Sys)
	}
	for _, a := range in.Args {
		if err := p.checkArg(a); err != nil {
			return err
		}
	}
	if in.Dst != NoSlot && (in.Op != OpCall && in.Op != OpFork || !p.inScratch(uint64(in.Dst), 8)) {
		return fmt.Errorf("result to %d", in.Dst)
	}
	if forward := in.Op == OpJump || in.Op == OpFork; forward && (in.Target <= i || in.Target >= len(p.Instructions)) || !forward && in.Target != 0 {
		return fmt.Errorf("jumps to %d", in.Target)
	}
	if len(in.On) > 0 && in.Op != OpCall || len(in.On) > 0xffff {
		return fmt.Errorf("%d branches", len(in.On))
	}
	for _, b := range in.On {
		if b.Target <= i || b.Target >= len(p.Instructions) || b.Errno == 0 || b.Errno > 4095 {
			return fmt.Errorf("branches on %d to %d", int(b.Errno), b.Target)
		}
	}
	return p.checkWidth(in)
}

// checkWidth checks the memory that store and jump touch.
func (p *Program) checkWidth(in *Instruction) error {
	switch in.Op {
	case OpStore:
		if in.Args[0].Kind != Scratch || in.Width != 1 && in.Width != 2 && in.Width != 4 && in.Width != 8 ||
			!p.inScratch(in.Args[0].Value, int(in.Width)) {
			return fmt.Errorf("stores %d bytes at %d", in.Width, in.Args[0].Value)
		}
	case OpJump:
		if in.Args[0].Kind != Scratch || in.Args[1].Kind != Immediate || in.Args[2].Kind != Immediate ||
			in.Width > IfNotEqual || !p.inScratch(in.Args[0].Value, 8) {
			return fmt.Errorf("jumps on the word at %d", in.Args[0].Value)
		}
	default:
		if in.Width != 0 {
			return fmt.Errorf("width %d", in.Width)
		}
	}
	return nil
}

func (p *Program) checkArg(a Arg) error {
	switch {
	case a.Kind == Immediate,
		a.Kind == SlotValue && p.inScratch(a.Value, 8),
		a.Kind == Scratch && p.inScratch(a.Value, 1),
		a.Kind == DataAddr && a.Value < uint64(len(p.Data)):
		return nil
	}
	return fmt.Errorf("operand of kind %d out of bounds: %d", a.Kind, a.Value)
}

func (p *Program) inScratch(off uint64, size int) bool {
	return size <= p.ScratchSize && off <= uint64(p.ScratchSize-size)
}

// Encode writes the program for an architecture (a GOARCH). Decode is its exact
// inverse, but for the names of steps and slots and the words of reasons.
func (p *Program) Encode(arch string) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return p.appendTo(make([]byte, 0, p.size()), arch), nil
}

// size is that of the encoded program, in bytes.
func (p *Program) size() int {
	return headerSize + len(p.Instructions)*instructionSize + p.branches()*branchSize + len(p.Data)
}

func (p *Program) branches() int {
	n := 0
	for i := range p.Instructions {
		n += len(p.Instructions[i].On)
	}
	return n
}

// appendTo appends the encoded program, which has been checked.
func (p *Program) appendTo(out []byte, arch string) []byte {
	le := binary.LittleEndian
	for _, v := range [...]int{wireMagic, wireVersion, len(p.Instructions), p.branches(), len(p.Data), p.ScratchSize, p.Report, 0} {
		out = le.AppendUint32(out, uint32(v))
	}
	first := 0
	for i := range p.Instructions {
		start := len(out)
		out = append(out, zeroInstruction[:]...)
		p.putInstruction(out[start:], &p.Instructions[i], arch, first)
		first += len(p.Instructions[i].On)
	}
	for i := range p.Instructions {
		for _, b := range p.Instructions[i].On {
			out = le.AppendUint32(le.AppendUint32(out, uint32(b.Errno)), uint32(b.Target))
		}
	}
	return append(out, p.Data...)
}

var zeroInstruction [instructionSize]byte

func (p *Program) putInstruction(out []byte, in *Instruction, arch string, branch int) {
	le := binary.LittleEndian
	out = out[:instructionSize]
	nr := uint16(sysExitGroup)
	if in.Op == OpCall || in.Op == OpFork {
		nr = in.Sys.number(arch)
	}
	out[0], out[1] = byte(in.Op), in.Width
	le.PutUint16(out[2:], nr)
	kinds := uint16(0)
	for i := range in.Args {
		a := &in.Args[i]
		kinds |= uint16(a.Kind) << (2 * i)
		le.PutUint64(out[16+8*i:], p.address(a))
	}
	le.PutUint16(out[4:], kinds)
	le.PutUint16(out[6:], uint16(len(in.On)))
	le.PutUint32(out[8:], uint32(branch))
	le.PutUint32(out[12:], uint32(in.Target))
	dst := uint32(wireNoSlot)
	if in.Dst != NoSlot {
		dst = uint32(in.Dst)
	}
	le.PutUint32(out[64:], dst)
}

// address turns an operand into the word that the stage reads: every address is
// absolute, so that the stage adds nothing up.
func (p *Program) address(a *Arg) uint64 {
	switch a.Kind {
	case SlotValue, Scratch:
		return ScratchBase + a.Value
	case DataAddr:
		return p.DataBase + a.Value
	default:
		return a.Value
	}
}
