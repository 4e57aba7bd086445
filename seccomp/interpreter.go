package seccomp

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Data is struct seccomp_data: what a filter decides on.
type Data struct {
	Nr   int32
	Arch uint32
	IP   uint64
	Args [6]uint64
}

const dataSize = 64

func (d Data) bytes() []byte {
	b := make([]byte, 0, dataSize)
	b = binary.NativeEndian.AppendUint32(b, uint32(d.Nr))
	b = binary.NativeEndian.AppendUint32(b, d.Arch)
	b = binary.NativeEndian.AppendUint64(b, d.IP)
	for _, a := range d.Args {
		b = binary.NativeEndian.AppendUint64(b, a)
	}
	return b
}

// machine is the state of a classic BPF program.
type machine struct {
	a, x uint32
	mem  [unix.BPF_MEMWORDS]uint32
	data []byte
}

// Evaluate runs the filter as the kernel would, and returns its SECCOMP_RET_ word.
// It refuses what the kernel refuses to load.
func (f *Filter) Evaluate(d Data) (uint32, error) {
	m := machine{data: d.bytes()}
	n := len(f.Program) / insnSize
	if len(f.Program)%insnSize != 0 || n == 0 {
		return 0, fmt.Errorf("a program of %d bytes", len(f.Program))
	}
	for pc := 0; pc < n; {
		in := f.Program[pc*insnSize:]
		code, k := binary.NativeEndian.Uint16(in), binary.NativeEndian.Uint32(in[4:])
		if code == opRet {
			return k, nil
		}
		if code == unix.BPF_RET|unix.BPF_A {
			return m.a, nil
		}
		skip, err := m.step(code, in[2], in[3], k)
		if err != nil {
			return 0, fmt.Errorf("instruction %d: %w", pc, err)
		}
		if uint64(skip) >= uint64(n-pc) {
			return 0, fmt.Errorf("instruction %d jumps beyond the end", pc)
		}
		pc += 1 + int(skip)
	}
	return 0, fmt.Errorf("the program runs off its end")
}

// step executes one instruction and returns how many to skip.
func (m *machine) step(code uint16, jt, jf uint8, k uint32) (uint32, error) {
	switch code & 7 {
	case unix.BPF_LD, unix.BPF_LDX:
		return 0, m.load(code, k)
	case unix.BPF_ST, unix.BPF_STX:
		if k >= unix.BPF_MEMWORDS {
			return 0, fmt.Errorf("memory word %d", k)
		}
		m.mem[k] = m.a
		if code&7 == unix.BPF_STX {
			m.mem[k] = m.x
		}
		return 0, nil
	case unix.BPF_ALU:
		return 0, m.arithmetic(code, k)
	case unix.BPF_JMP:
		return m.jump(code, jt, jf, k)
	case unix.BPF_MISC:
		if code&0xf8 == unix.BPF_TXA {
			m.a = m.x
		} else {
			m.x = m.a
		}
		return 0, nil
	}
	return 0, fmt.Errorf("code %#x", code)
}

func (m *machine) load(code uint16, k uint32) error {
	value := uint32(0)
	switch code &^ 7 {
	case unix.BPF_W | unix.BPF_ABS:
		if code&7 != unix.BPF_LD || k%4 != 0 || k > dataSize-4 {
			return fmt.Errorf("load at %d", k)
		}
		value = binary.NativeEndian.Uint32(m.data[k:])
	case unix.BPF_W | unix.BPF_IMM:
		value = k
	case unix.BPF_W | unix.BPF_LEN:
		value = dataSize
	case unix.BPF_W | unix.BPF_MEM:
		if k >= unix.BPF_MEMWORDS {
			return fmt.Errorf("memory word %d", k)
		}
		value = m.mem[k]
	default:
		return fmt.Errorf("code %#x", code)
	}
	if code&7 == unix.BPF_LDX {
		m.x = value
	} else {
		m.a = value
	}
	return nil
}

func (m *machine) arithmetic(code uint16, k uint32) error {
	if code&unix.BPF_X != 0 {
		k = m.x
	}
	switch code & 0xf0 {
	case unix.BPF_ADD:
		m.a += k
	case unix.BPF_SUB:
		m.a -= k
	case unix.BPF_MUL:
		m.a *= k
	case unix.BPF_DIV:
		if k == 0 {
			return fmt.Errorf("division by zero")
		}
		m.a /= k
	case unix.BPF_AND:
		m.a &= k
	case unix.BPF_OR:
		m.a |= k
	case unix.BPF_XOR:
		m.a ^= k
	case unix.BPF_LSH:
		m.a <<= k & 31
	case unix.BPF_RSH:
		m.a >>= k & 31
	case unix.BPF_NEG:
		m.a = -m.a
	default:
		return fmt.Errorf("code %#x", code)
	}
	return nil
}

func (m *machine) jump(code uint16, jt, jf uint8, k uint32) (uint32, error) {
	if code == opJa {
		return k, nil
	}
	if code&unix.BPF_X != 0 {
		k = m.x
	}
	taken := false
	switch code & 0xf0 {
	case unix.BPF_JEQ:
		taken = m.a == k
	case unix.BPF_JGT:
		taken = m.a > k
	case unix.BPF_JGE:
		taken = m.a >= k
	case unix.BPF_JSET:
		taken = m.a&k != 0
	default:
		return 0, fmt.Errorf("code %#x", code)
	}
	if taken {
		return uint32(jt), nil
	}
	return uint32(jf), nil
}
