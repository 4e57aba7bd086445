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

func (d *Data) bytes() (b [dataSize]byte) {
	binary.NativeEndian.PutUint32(b[dataNr:], uint32(d.Nr))
	binary.NativeEndian.PutUint32(b[dataArch:], d.Arch)
	binary.NativeEndian.PutUint64(b[dataIP:], d.IP)
	for i, a := range d.Args {
		binary.NativeEndian.PutUint64(b[dataArgs+8*i:], a)
	}
	return b
}

// dataOf is the inverse of bytes.
func dataOf(b [dataSize]byte) (d Data) {
	ne := binary.NativeEndian
	d.Nr, d.Arch, d.IP = int32(ne.Uint32(b[dataNr:])), ne.Uint32(b[dataArch:]), ne.Uint64(b[dataIP:])
	for i := range d.Args {
		d.Args[i] = ne.Uint64(b[dataArgs+8*i:])
	}
	return d
}

// insn is struct sock_filter.
type insn struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

func (f *Filter) at(pc int) insn {
	b := f.Program[pc*insnSize:]
	return insn{binary.NativeEndian.Uint16(b), b[2], b[3], binary.NativeEndian.Uint32(b[4:])}
}

// machine is the state of a classic BPF program.
type machine struct {
	a, x  uint32
	mem   [unix.BPF_MEMWORDS]uint32
	data  [dataSize]byte
	watch func(insn) // is told of every instruction before it runs, if it is there
}

// Evaluate runs the filter as the kernel would, and returns its SECCOMP_RET_ word.
// It refuses what the kernel refuses to load.
func (f *Filter) Evaluate(d Data) (uint32, error) {
	if err := f.check(); err != nil {
		return 0, err
	}
	m := machine{data: d.bytes()}
	return m.run(f), nil
}

// run is for filters that check has passed.
func (m *machine) run(f *Filter) uint32 {
	for pc := 0; ; pc++ {
		in := f.at(pc)
		if m.watch != nil {
			m.watch(in)
		}
		switch in.code & classMask {
		case unix.BPF_RET:
			if in.code == opRetA {
				return m.a
			}
			return in.k
		case unix.BPF_JMP:
			pc += int(m.jump(in))
		case unix.BPF_ALU:
			if !m.arithmetic(in) {
				return 0 // the kernel ends a division by zero so
			}
		default:
			m.move(in)
		}
	}
}

// move is what loads, stores and copies.
func (m *machine) move(in insn) {
	switch in.code {
	case opLoad:
		m.a = binary.NativeEndian.Uint32(m.data[in.k:])
	case unix.BPF_LD | unix.BPF_IMM:
		m.a = in.k
	case unix.BPF_LDX | unix.BPF_IMM:
		m.x = in.k
	case unix.BPF_LD | unix.BPF_W | unix.BPF_LEN:
		m.a = dataSize
	case unix.BPF_LDX | unix.BPF_W | unix.BPF_LEN:
		m.x = dataSize
	case unix.BPF_LD | unix.BPF_MEM:
		m.a = m.mem[in.k]
	case unix.BPF_LDX | unix.BPF_MEM:
		m.x = m.mem[in.k]
	case unix.BPF_ST:
		m.mem[in.k] = m.a
	case unix.BPF_STX:
		m.mem[in.k] = m.x
	case unix.BPF_MISC | unix.BPF_TAX:
		m.x = m.a
	case unix.BPF_MISC | unix.BPF_TXA:
		m.a = m.x
	}
}

// arithmetic says false for a division by zero.
func (m *machine) arithmetic(in insn) bool {
	k := in.k
	if in.code&unix.BPF_X != 0 {
		k = m.x
	}
	switch in.code & opMask {
	case unix.BPF_ADD:
		m.a += k
	case unix.BPF_SUB:
		m.a -= k
	case unix.BPF_MUL:
		m.a *= k
	case unix.BPF_DIV:
		if k == 0 {
			return false
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
	}
	return true
}

// jump returns how many instructions to skip.
func (m *machine) jump(in insn) uint32 {
	if in.code == opJa {
		return in.k
	}
	k, taken := in.k, false
	if in.code&unix.BPF_X != 0 {
		k = m.x
	}
	switch in.code & opMask {
	case unix.BPF_JEQ:
		taken = m.a == k
	case unix.BPF_JGT:
		taken = m.a > k
	case unix.BPF_JGE:
		taken = m.a >= k
	case unix.BPF_JSET:
		taken = m.a&k != 0
	}
	if taken {
		return uint32(in.jt)
	}
	return uint32(in.jf)
}

const (
	classMask = 0x07
	opMask    = 0xf0
	opRetA    = unix.BPF_RET | unix.BPF_A
)

// check refuses what seccomp(2) refuses, so that nothing can go wrong at run time.
func (f *Filter) check() error {
	n := len(f.Program) / insnSize
	if n == 0 || len(f.Program)%insnSize != 0 || n > maxProgram/insnSize {
		return fmt.Errorf("a program of %d bytes", len(f.Program))
	}
	if last := f.at(n - 1).code; last != opRet && last != opRetA {
		return fmt.Errorf("instruction %d: the last one is no return", n-1)
	}
	// stored[i] has a bit for each memory word that is set on every way to i.
	stored := make([]uint16, n)
	for i := range stored {
		stored[i] = 0xffff
	}
	stored[0] = 0
	for pc := range n {
		if !f.at(pc).valid(stored[pc]) {
			return fmt.Errorf("instruction %d: %+v is not allowed", pc, f.at(pc))
		}
		if !f.flow(pc, stored) {
			return fmt.Errorf("instruction %d jumps beyond the end", pc)
		}
	}
	return nil
}

// flow takes the words that are set at pc to where the program can go from there.
func (f *Filter) flow(pc int, stored []uint16) bool {
	in, set := f.at(pc), stored[pc]
	switch in.code & classMask {
	case unix.BPF_RET:
		return true
	case unix.BPF_ST, unix.BPF_STX:
		set |= 1 << in.k
	case unix.BPF_JMP:
		jt, jf := uint64(in.jt), uint64(in.jf)
		if in.code == opJa {
			jt, jf = uint64(in.k), uint64(in.k)
		}
		left := uint64(len(stored) - pc - 1)
		if jt >= left || jf >= left {
			return false
		}
		stored[pc+1+int(jt)] &= set
		stored[pc+1+int(jf)] &= set
		return true
	}
	stored[pc+1] &= set
	return true
}

// valid says that an instruction is one of those that seccomp has. stored are the
// memory words that may be read.
func (in insn) valid(stored uint16) bool {
	switch in.code {
	case opLoad:
		return in.k%4 == 0 && in.k < dataSize
	case unix.BPF_LD | unix.BPF_MEM, unix.BPF_LDX | unix.BPF_MEM:
		return in.k < unix.BPF_MEMWORDS && stored&(1<<in.k) != 0
	case unix.BPF_ST, unix.BPF_STX:
		return in.k < unix.BPF_MEMWORDS
	case unix.BPF_LD | unix.BPF_IMM, unix.BPF_LDX | unix.BPF_IMM, unix.BPF_LD | unix.BPF_LEN, unix.BPF_LDX | unix.BPF_LEN,
		unix.BPF_MISC | unix.BPF_TAX, unix.BPF_MISC | unix.BPF_TXA, opRet, opRetA, opJa, unix.BPF_ALU | unix.BPF_NEG:
		return true
	}
	if in.code&^(opMask|unix.BPF_X) != in.code&classMask {
		return false
	}
	constant := in.code&unix.BPF_X == 0
	switch in.code & (classMask | opMask) {
	case unix.BPF_ALU | unix.BPF_DIV:
		return !constant || in.k != 0
	case unix.BPF_ALU | unix.BPF_LSH, unix.BPF_ALU | unix.BPF_RSH:
		return !constant || in.k < 32
	case unix.BPF_ALU | unix.BPF_ADD, unix.BPF_ALU | unix.BPF_SUB, unix.BPF_ALU | unix.BPF_MUL, unix.BPF_ALU | unix.BPF_AND,
		unix.BPF_ALU | unix.BPF_OR, unix.BPF_ALU | unix.BPF_XOR,
		unix.BPF_JMP | unix.BPF_JEQ, unix.BPF_JMP | unix.BPF_JGT, unix.BPF_JMP | unix.BPF_JGE, unix.BPF_JMP | unix.BPF_JSET:
		return true
	}
	return false
}
