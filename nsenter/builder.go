package nsenter

import (
	"encoding/binary"
	"slices"
	"syscall"
)

// Builder assembles a Program: it hands out slots, scratch space and labels, and
// lays out the data section.
type Builder struct {
	p       Program
	strings map[string]int
	section string
	labels  []int // label → instruction index, -1 while unbound
	fixups  []fixup
}

// fixup is an 8-byte word of the data section that holds an address of the data
// section, known only once the number of instructions is.
type fixup struct {
	at     int
	target int
}

// Label is a place further on in the program.
type Label int

// NewBuilder returns an empty program under construction.
func NewBuilder() *Builder {
	b := &Builder{strings: make(map[string]int, 128)}
	b.p.Instructions = make([]Instruction, 0, 768)
	b.p.Data = make([]byte, 0, 8192)
	b.p.Steps = make([]Step, 0, 128)
	b.p.Slots = make([]Slot, 0, 160)
	b.p.Report = b.Slot("report")
	return b
}

// Section names the emitter that makes the steps from here on.
func (b *Builder) Section(name string) { b.section = name }

// Step starts a new step; the instructions that follow belong to it.
func (b *Builder) Step(pointer, name string) {
	if n := len(b.p.Steps); n > 0 && b.p.Steps[n-1].First == len(b.p.Instructions) {
		b.p.Steps = b.p.Steps[:n-1]
	}
	b.p.Steps = append(b.p.Steps, Step{Section: b.section, Pointer: pointer, Name: name, First: len(b.p.Instructions)})
}

// Slot allocates a word for a result. Names are for people and need not differ.
func (b *Builder) Slot(name string) int {
	off := b.Scratch(8)
	b.p.Slots = append(b.p.Slots, Slot{Name: name, Offset: off})
	return off
}

// Buffer allocates named scratch space that a call fills in.
func (b *Builder) Buffer(name string, size int) int {
	off := b.Scratch(size)
	b.p.Slots = append(b.p.Slots, Slot{Name: name, Offset: off})
	return off
}

// Scratch allocates size bytes of scratch space, aligned to 8, all zero at first.
func (b *Builder) Scratch(size int) int {
	off := b.p.ScratchSize
	b.p.ScratchSize += (size + 7) &^ 7
	return off
}

// Report is the slot of the fd that error reports go to.
func (b *Builder) Report() int { return b.p.Report }

// Label makes a label that Bind puts in its place.
func (b *Builder) Label() Label {
	b.labels = append(b.labels, -1)
	return Label(len(b.labels) - 1)
}

// Bind puts the label before the next instruction.
func (b *Builder) Bind(l Label) { b.labels[l] = len(b.p.Instructions) }

// Imm is an immediate operand.
func Imm(v uint64) Arg { return Arg{Kind: Immediate, Value: v} }

// Int is an immediate operand with a sign, such as AT_FDCWD.
func Int(v int) Arg { return Arg{Kind: Immediate, Value: uint64(int64(v))} }

// Val is the value in a slot.
func Val(slot int) Arg { return Arg{Kind: SlotValue, Value: uint64(slot)} }

// Addr is the address of scratch space.
func Addr(off int) Arg { return Arg{Kind: Scratch, Value: uint64(off)} }

// Null is a null pointer.
func Null() Arg { return Imm(0) }

// Str is the address of a NUL-terminated string; equal strings share one place.
func (b *Builder) Str(s string) Arg { return Arg{Kind: DataAddr, Value: uint64(b.str(s))} }

func (b *Builder) str(s string) int {
	if off, ok := b.strings[s]; ok {
		return off
	}
	off := len(b.p.Data)
	b.p.Data = append(append(b.p.Data, s...), 0)
	b.strings[s] = off
	return off
}

// Bytes is the address of raw bytes, aligned to 8.
func (b *Builder) Bytes(raw []byte) Arg {
	off := b.align()
	b.p.Data = append(b.p.Data, raw...)
	if len(raw) == 0 {
		b.p.Data = append(b.p.Data, 0)
	}
	return Arg{Kind: DataAddr, Value: uint64(off)}
}

// Words is the address of a struct of 64-bit words.
func (b *Builder) Words(words ...uint64) Arg {
	off := b.align()
	for _, w := range words {
		b.p.Data = binary.LittleEndian.AppendUint64(b.p.Data, w)
	}
	return Arg{Kind: DataAddr, Value: uint64(off)}
}

// ArgWords is the address of a struct of words that are immediates, or addresses
// of the data section or of scratch space.
func (b *Builder) ArgWords(words ...Arg) Arg {
	off := b.align()
	for _, w := range words {
		v := w.Value
		switch w.Kind {
		case DataAddr:
			b.fixups = append(b.fixups, fixup{at: len(b.p.Data), target: int(w.Value)})
		case Scratch:
			v += ScratchBase
		}
		b.p.Data = binary.LittleEndian.AppendUint64(b.p.Data, v)
	}
	return Arg{Kind: DataAddr, Value: uint64(off)}
}

// Strings is the address of a null-terminated array of strings, such as argv.
func (b *Builder) Strings(list []string) Arg {
	words := make([]Arg, 0, len(list)+1)
	for _, s := range list {
		words = append(words, b.Str(s))
	}
	return b.ArgWords(append(words, Null())...)
}

func (b *Builder) align() int {
	for len(b.p.Data)%8 != 0 {
		b.p.Data = append(b.p.Data, 0)
	}
	return len(b.p.Data)
}

// On is a branch of a call: go on at the label when it fails with errno.
type On struct {
	Errno syscall.Errno
	Label Label
}

// Call appends a system call whose result nobody reads. Without a branch for its
// errno, a failure ends the start.
func (b *Builder) Call(sys Sys, args ...Arg) { b.call(NoSlot, sys, nil, args) }

// CallTo appends a system call and keeps its result.
func (b *Builder) CallTo(dst int, sys Sys, args ...Arg) { b.call(dst, sys, nil, args) }

// TryTo appends a system call with branches; dst may be NoSlot.
func (b *Builder) TryTo(dst int, on []On, sys Sys, args ...Arg) { b.call(dst, sys, on, args) }

func (b *Builder) call(dst int, sys Sys, on []On, args []Arg) {
	in := Instruction{Op: OpCall, Sys: sys, Dst: dst}
	copy(in.Args[:], args)
	for _, o := range on {
		in.On = append(in.On, Branch{Errno: o.Errno, Target: int(o.Label)})
	}
	b.p.Instructions = append(b.p.Instructions, in)
}

// Fork appends a clone3 with the struct clone_args at args: the child goes on and
// finds 0 in dst; the parent continues at the label with the child's pid in dst.
func (b *Builder) Fork(dst int, args Arg, size int, parent Label) {
	in := Instruction{Op: OpFork, Sys: Clone3, Dst: dst, Target: int(parent)}
	in.Args[0], in.Args[1] = args, Imm(uint64(size))
	b.p.Instructions = append(b.p.Instructions, in)
}

// Store puts the low width bytes of value at a scratch offset.
func (b *Builder) Store(to int, width int, value Arg) {
	in := Instruction{Op: OpStore, Width: uint8(width), Dst: NoSlot}
	in.Args[0], in.Args[1] = Addr(to), value
	b.p.Instructions = append(b.p.Instructions, in)
}

// JumpIf jumps when the word at the scratch offset, masked, is value.
func (b *Builder) JumpIf(at int, mask, value uint64, to Label) { b.jump(IfEqual, at, mask, value, to) }

// JumpUnless jumps when the word at the scratch offset, masked, is not value.
func (b *Builder) JumpUnless(at int, mask, value uint64, to Label) {
	b.jump(IfNotEqual, at, mask, value, to)
}

// Goto jumps always: every word masked with 0 is 0.
func (b *Builder) Goto(to Label) { b.jump(IfEqual, b.p.Report, 0, 0, to) }

func (b *Builder) jump(cond uint8, at int, mask, value uint64, to Label) {
	in := Instruction{Op: OpJump, Width: cond, Dst: NoSlot, Target: int(to)}
	in.Args[0], in.Args[1], in.Args[2] = Addr(at), Imm(mask), Imm(value)
	b.p.Instructions = append(b.p.Instructions, in)
}

// Fail ends the start with an errno and a reason in words.
func (b *Builder) Fail(errno syscall.Errno, reason string) {
	in := Instruction{Op: OpFail, Dst: NoSlot, Reason: reason}
	in.Args[0] = Imm(uint64(errno))
	b.p.Instructions = append(b.p.Instructions, in)
}

// Exit ends the process.
func (b *Builder) Exit(status int) {
	in := Instruction{Op: OpExit, Dst: NoSlot}
	in.Args[0] = Imm(uint64(status))
	b.p.Instructions = append(b.p.Instructions, in)
}

// Program resolves labels and addresses. It fails only on a bug of the compiler:
// a label that is unbound or lies behind.
func (b *Builder) Program() (*Program, error) {
	p := &b.p
	branches := 0
	for i := range p.Instructions {
		in := &p.Instructions[i]
		if in.Op == OpJump || in.Op == OpFork {
			in.Target = b.labels[in.Target]
		}
		for j := range in.On {
			in.On[j].Target = b.labels[in.On[j].Target]
		}
		branches += len(in.On)
	}
	b.align()
	p.DataBase = dataBase(len(p.Instructions), branches)
	for _, f := range b.fixups {
		binary.LittleEndian.PutUint64(p.Data[f.at:], p.DataBase+uint64(f.target))
	}
	p.Steps = slices.Clip(p.Steps)
	return p, p.check()
}
