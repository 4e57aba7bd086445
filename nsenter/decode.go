package nsenter

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// Decode reads what Encode wrote for an architecture, and refuses everything
// that Encode cannot have written.
func Decode(raw []byte, arch string) (*Program, error) {
	le := binary.LittleEndian
	if len(raw) < headerSize {
		return nil, fmt.Errorf("decode: %d bytes are too short for a program", len(raw))
	}
	var h [headerSize / 4]uint32
	for i := range h {
		h[i] = le.Uint32(raw[4*i:])
	}
	if h[0] != wireMagic || h[1] != wireVersion || h[7] != 0 {
		return nil, fmt.Errorf("decode: not a program of version %d", wireVersion)
	}
	n, branches, data := uint64(h[2]), uint64(h[3]), uint64(h[4])
	if want := headerSize + n*instructionSize + branches*branchSize + data; want != uint64(len(raw)) {
		return nil, fmt.Errorf("decode: the header says %d bytes, there are %d", want, len(raw))
	}
	p := &Program{
		Instructions: make([]Instruction, n),
		DataBase:     dataBase(int(n), int(branches)),
		ScratchSize:  int(h[5]),
		Report:       int(h[6]),
	}
	branchAt := headerSize + int(n)*instructionSize
	p.Data = raw[branchAt+int(branches)*branchSize:]
	next := 0
	for i := range p.Instructions {
		wire := raw[headerSize+i*instructionSize:][:instructionSize]
		count, err := p.decodeInstruction(&p.Instructions[i], wire, arch, next)
		if err != nil {
			return nil, fmt.Errorf("decode: instruction %d: %w", i, err)
		}
		if uint64(next+count) > branches {
			return nil, fmt.Errorf("decode: instruction %d: branches out of bounds", i)
		}
		p.Instructions[i].On = decodeBranches(raw[branchAt+next*branchSize:], count)
		next += count
	}
	if uint64(next) != branches {
		return nil, fmt.Errorf("decode: %d branches belong to no instruction", branches-uint64(next))
	}
	return p, p.check()
}

func decodeBranches(raw []byte, count int) []Branch {
	if count == 0 {
		return nil
	}
	on := make([]Branch, count)
	for i := range on {
		on[i].Errno = syscall.Errno(binary.LittleEndian.Uint32(raw[i*branchSize:]))
		on[i].Target = int(binary.LittleEndian.Uint32(raw[i*branchSize+4:]))
	}
	return on
}

// decodeInstruction fills in in and returns how many branches it has.
func (p *Program) decodeInstruction(in *Instruction, wire []byte, arch string, next int) (int, error) {
	le := binary.LittleEndian
	in.Op, in.Width = Op(wire[0]), wire[1]
	nr, kinds, count := le.Uint16(wire[2:]), le.Uint16(wire[4:]), int(le.Uint16(wire[6:]))
	if int(le.Uint32(wire[8:])) != next || kinds>>(2*MaxArgs) != 0 || le.Uint32(wire[68:]) != 0 {
		return 0, fmt.Errorf("not what an encoder writes")
	}
	in.Target = int(le.Uint32(wire[12:]))
	for i := range in.Args {
		a := Arg{Kind: Kind(kinds >> (2 * i) & 3), Value: le.Uint64(wire[16+8*i:])}
		base := p.address(&Arg{Kind: a.Kind})
		if a.Kind != Immediate {
			a.Value -= base
		}
		in.Args[i] = a
	}
	in.Dst = NoSlot
	if dst := le.Uint32(wire[64:]); dst != wireNoSlot {
		in.Dst = int(dst)
	}
	if in.Op != OpCall && in.Op != OpFork {
		if nr != sysExitGroup {
			return 0, fmt.Errorf("op %d with a system call", in.Op)
		}
		return count, nil
	}
	sys, ok := sysOf(arch, nr)
	if !ok {
		return 0, fmt.Errorf("system call %d is not one of brig's", nr)
	}
	in.Sys = sys
	return count, nil
}
