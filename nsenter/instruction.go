package nsenter

import "syscall"

// Where the stage maps a program and its scratch area (stage/stage.h).
const (
	ProgramBase = 0x10000000
	ScratchBase = 0x20000000
	scratchMax  = 0x10000
	programMax  = 0x1000000
)

// Op is the kind of an instruction.
type Op uint8

// The instructions.
const (
	OpCall  Op = iota // one system call; its result goes to Dst
	OpFork            // a clone3: the child goes on, the parent continues at Target
	OpStore           // Args[0] (scratch) = Args[1], Width bytes
	OpJump            // to Target if the word at Args[0], masked with Args[1], compares to Args[2]
	OpFail            // report errno Args[0] and end the process
	OpExit            // end the process with status Args[0]
	opLast
)

// Comparisons of OpJump, in Width.
const (
	IfEqual    = 0
	IfNotEqual = 1
)

// Kind is the kind of an operand.
type Kind uint8

// The operands.
const (
	Immediate Kind = iota // the value itself
	SlotValue             // the word at this offset of the scratch area
	DataAddr              // the address of this offset of the data section
	Scratch               // the address of this offset of the scratch area
)

// Arg is one operand.
type Arg struct {
	Kind  Kind
	Value uint64
}

// Branch says where to go on when a call fails with this errno.
type Branch struct {
	Errno  syscall.Errno
	Target int
}

// NoSlot is the Dst of a call whose result nobody reads.
const NoSlot = -1

// MaxArgs is the number of operands of a system call.
const MaxArgs = 6

// Instruction is one line of a program. Targets are indices of instructions and
// always lie further on.
type Instruction struct {
	Op     Op
	Width  uint8
	Sys    Sys
	Args   [MaxArgs]Arg
	Dst    int // scratch offset of the slot for the result, or NoSlot
	Target int
	On     []Branch

	// What the wire does not carry: it is for people, in Go only.
	Reason string // OpFail: what went wrong, in words
}

// Step is a run of instructions that one config field caused.
type Step struct {
	Section string // the emitter that made it; the order rules speak of sections
	Pointer string // JSON pointer into config.json; "" for what every start does
	Name    string // what the step is for: `mount proc on "/proc"`
	First   int    // index of its first instruction
}

// Slot is a named word of the scratch area.
type Slot struct {
	Name   string
	Offset int
}

// Program is what the stage runs.
type Program struct {
	Instructions []Instruction
	Data         []byte // strings and structs, with absolute addresses inside
	DataBase     uint64 // the absolute address of Data
	ScratchSize  int
	Report       int    // scratch offset of the slot that holds the report fd
	Steps        []Step // in order of First; the first one starts at 0
	Slots        []Slot // names for String; in order of Offset
}

// StepOf returns the step that the instruction at index i belongs to.
func (p *Program) StepOf(i int) Step {
	found := Step{}
	for _, s := range p.Steps {
		if s.First > i {
			break
		}
		found = s
	}
	return found
}
