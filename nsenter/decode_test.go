package nsenter

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// wireOnly is the program without what the wire does not carry.
func wireOnly(p *Program) *Program {
	bare := &Program{Data: p.Data, DataBase: p.DataBase, ScratchSize: p.ScratchSize, Report: p.Report}
	bare.Instructions = append(bare.Instructions, p.Instructions...)
	for i := range bare.Instructions {
		bare.Instructions[i].Reason = ""
	}
	return bare
}

func roundTrip(t *testing.T, p *Program) {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		raw, err := p.Encode(arch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(raw, arch)
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		if want := wireOnly(p); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got\n%s\nwant\n%s", arch, got, want)
		}
		if again, err := got.Encode(arch); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%s: encodes to other bytes (%v)", arch, err)
		}
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) { roundTrip(t, build(t, every)) }

// generate builds a program whose shape the bytes decide. It uses all of the
// builder and never makes a program that Encode refuses.
func generate(choices []byte) func(b *Builder) {
	return func(b *Builder) {
		next := func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0])
			choices = choices[1:]
			return c % n
		}
		slots := []int{b.Slot("a"), b.Buffer("b", 24)}
		end := b.Label()
		operand := func() Arg {
			switch next(7) {
			case 0:
				return Val(slots[next(2)])
			case 1:
				return Addr(slots[1] + next(24))
			case 2:
				return b.Str(strings.Repeat("s", next(9)))
			case 3:
				return b.Bytes(bytes.Repeat([]byte{7}, next(9)))
			case 4:
				return b.Strings([]string{"x", "y"}[:next(3)])
			case 5:
				return b.ArgWords(Addr(slots[0]), b.Str("z"), Imm(uint64(next(256))))
			default:
				return Int(next(256) - 128)
			}
		}
		for len(choices) > 0 {
			soon := b.Label()
			switch next(6) {
			case 0:
				b.Fork(slots[0], operand(), 88, soon)
			case 1:
				b.Store(slots[1]+next(16), 1<<next(4), operand())
			case 2:
				b.JumpIf(slots[1], uint64(next(256)), uint64(next(256)), soon)
			case 3:
				b.JumpUnless(slots[0], uint64(next(256)), uint64(next(256)), end)
			case 4:
				b.Fail(unix.Errno(1+next(133)), "reason")
			default:
				args := make([]Arg, next(MaxArgs+1))
				for i := range args {
					args[i] = operand()
				}
				on := []On{{unix.EAGAIN, soon}, {unix.ENOENT, end}}[:next(3)]
				b.TryTo([]int{NoSlot, slots[0]}[next(2)], on, Sys(next(int(sysLast))), args...)
			}
			b.Bind(soon)
		}
		b.Bind(end)
		b.Exit(next(3))
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 1, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	f.Add(bytes.Repeat([]byte{5, 6, 1, 0, 2, 8, 3, 4, 4, 2, 5, 200, 2, 1, 55, 0, 3, 2}, 20))
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 4096 {
			return // more of the same, and the scratch area has a bound
		}
		p := build(t, generate(choices))
		roundTrip(t, p)
		if p.String() == "" {
			t.Error("no text")
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, shape := range []func(*Builder){every, generate(nil), generate(bytes.Repeat([]byte{5, 3, 1, 0}, 9))} {
			b := NewBuilder()
			shape(b)
			p, err := b.Program()
			if err != nil {
				f.Fatal(err)
			}
			raw, err := p.Encode(arch)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, arch := range []string{"amd64", "arm64"} {
			p, err := Decode(raw, arch)
			if err != nil {
				continue
			}
			again, err := p.Encode(arch)
			if err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("%s: decodes, and encodes to other bytes (%v)", arch, err)
			}
			_ = p.String()
			for i := range p.Instructions {
				_ = p.Fault(Message{Index: i, Errno: unix.EPERM}).Error()
			}
		}
	})
}

// at is the offset of a field of an instruction on the wire.
func at(instruction, field int) int { return headerSize + instruction*instructionSize + field }

func put32(offset int, v uint32) func([]byte) []byte {
	return func(raw []byte) []byte {
		binary.LittleEndian.PutUint32(raw[offset:], v)
		return raw
	}
}

func put16(offset int, v uint16) func([]byte) []byte {
	return func(raw []byte) []byte {
		binary.LittleEndian.PutUint16(raw[offset:], v)
		return raw
	}
}

func put64(offset int, v uint64) func([]byte) []byte {
	return func(raw []byte) []byte {
		binary.LittleEndian.PutUint64(raw[offset:], v)
		return raw
	}
}

// small is a program with two branches: store, call with branches, fail, exit.
func small(b *Builder) {
	slot, done, gone := b.Slot("fd"), b.Label(), b.Label()
	b.TryTo(slot, []On{{unix.ENOENT, done}, {unix.EEXIST, gone}}, Openat, Int(unix.AT_FDCWD), b.Str("path"), Imm(0))
	b.Bind(gone)
	b.Fail(unix.EIO, "no")
	b.Bind(done)
	b.Exit(0)
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		want   string
	}{
		{"nothing", func([]byte) []byte { return nil }, "0 bytes are too short"},
		{"half a header", func(raw []byte) []byte { return raw[:31] }, "31 bytes are too short"},
		{"magic", put32(0, 0x12345678), "not a program of version 1"},
		{"version", put32(4, 2), "not a program of version 1"},
		{"reserved word of the header", put32(28, 1), "not a program"},
		{"more instructions", put32(8, 5), "the header says"},
		{"2^32-1 instructions", put32(8, 0xffffffff), "the header says"},
		{"less data", func(raw []byte) []byte { return raw[:len(raw)-1] }, "the header says"},
		{"more data", func(raw []byte) []byte { return append(raw, 0) }, "the header says"},
		{"scratch", put32(20, 1<<31), "more than 65536"},
		{"report", put32(24, 16), "no slot for the report fd"},
		{"op", put16(at(0, 0), 0x0806), "instruction 0: op 6"},
		{"system call", put16(at(1, 2), 165), "instruction 1: system call 165 is not one of brig's"},
		{"system call of a store", put16(at(0, 2), 1), "instruction 0: op 2 with a system call"},
		{"kinds", put16(at(1, 4), 0xf000), "instruction 1: not what an encoder writes"},
		{"branch index", put32(at(1, 8), 1), "instruction 1: not what an encoder writes"},
		{"reserved word", put32(at(1, 68), 1), "instruction 1: not what an encoder writes"},
		{"more branches", put16(at(1, 6), 3), "instruction 1: branches out of bounds"},
		{"fewer branches", func(raw []byte) []byte {
			put16(at(1, 6), 1)(raw)
			return put32(at(2, 8), 1)(put32(at(3, 8), 1)(raw))
		}, "1 branches belong to no instruction"},
		{"no instructions", func(raw []byte) []byte {
			raw = raw[:headerSize]
			return put32(8, 0)(put32(12, 0)(put32(16, 0)(raw)))
		}, "without instructions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := build(t, small).Encode("amd64")
			if err != nil {
				t.Fatal(err)
			}
			_, err = Decode(c.damage(raw), "amd64")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
