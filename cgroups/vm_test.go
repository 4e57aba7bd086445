package cgroups

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// request is an access to a device as the kernel asks a program about it.
type request struct {
	kind, access int
	major, minor uint32
}

// context is struct bpf_cgroup_dev_ctx.
func (q request) context() [3]uint32 {
	return [3]uint32{uint32(q.access)<<16 | uint32(q.kind), q.major, q.minor}
}

// interpret runs a device program as the kernel would: only what may be in one,
// with every register read after it was written, and forward jumps only.
func interpret(program []byte, q request) (bool, error) {
	if len(program)%insnBytes != 0 {
		return false, fmt.Errorf("%d bytes are no whole instructions", len(program))
	}
	var m machine
	m.context = q.context()
	m.known[regCtx] = true
	for pc := 0; pc*insnBytes < len(program); {
		in := decode(program[pc*insnBytes:])
		if in.code == opExit {
			if !m.known[regRet] || m.reg[regRet] > 1 {
				return false, fmt.Errorf("%d: exit with %d", pc, m.reg[regRet])
			}
			return m.reg[regRet] == 1, nil
		}
		jump, err := m.do(in)
		if err != nil {
			return false, fmt.Errorf("%d: %w", pc, err)
		}
		pc += 1 + jump
	}
	return false, fmt.Errorf("the program runs off its end")
}

type instruction struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

func decode(b []byte) instruction {
	return instruction{
		b[0], b[1] & 15, b[1] >> 4,
		int16(binary.LittleEndian.Uint16(b[2:])), int32(binary.LittleEndian.Uint32(b[4:])),
	}
}

type machine struct {
	reg      [11]uint64
	known    [11]bool
	clobberd bool // the context's register was used for something else
	context  [3]uint32
}

// read returns a register's value, if it was ever given one.
func (m *machine) read(r uint8) (uint64, error) {
	if int(r) >= len(m.reg) || !m.known[r] {
		return 0, fmt.Errorf("register %d has no value", r)
	}
	return m.reg[r], nil
}

// do runs an instruction and returns how many to jump over.
func (m *machine) do(in instruction) (int, error) {
	if in.code == opLoad32 {
		if m.clobberd || in.src != regCtx || in.off < 0 || in.off > 8 || in.off%4 != 0 {
			return 0, fmt.Errorf("load from register %d, offset %d", in.src, in.off)
		}
		m.reg[in.dst], m.known[in.dst] = uint64(m.context[in.off/4]), true
		return 0, nil
	}
	operand := uint64(int64(in.imm))
	if in.code&unix.BPF_X != 0 {
		var err error
		if operand, err = m.read(in.src); err != nil {
			return 0, err
		}
	}
	old, err := m.read(in.dst)
	if in.code == opMov || in.code == opMovReg {
		old, err = operand, nil
	}
	if err != nil {
		return 0, err
	}
	return m.compute(in, old, operand)
}

func (m *machine) compute(in instruction, old, operand uint64) (int, error) {
	taken := false
	switch in.code {
	case opMov, opMovReg:
	case opAnd:
		old &= operand
	case opJne:
		taken = old != operand
	case opJeq:
		taken = old == operand
	default:
		return 0, fmt.Errorf("unknown code %#x", in.code)
	}
	if in.off < 0 {
		return 0, fmt.Errorf("jump back by %d", in.off)
	}
	if taken {
		return int(in.off), nil
	}
	m.clobberd = m.clobberd || in.dst == regCtx
	m.reg[in.dst], m.known[in.dst] = old, true
	return 0, nil
}
