package nsenter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// String prints the program, a line for each instruction and a heading for each
// step.
func (p *Program) String() string {
	var b strings.Builder
	step := 0
	for i := range p.Instructions {
		for step < len(p.Steps) && p.Steps[step].First == i {
			fmt.Fprintf(&b, "%s\n", p.Steps[step])
			step++
		}
		fmt.Fprintf(&b, "  %4d  %s\n", i, p.Line(i))
	}
	return b.String()
}

// String prints a step as its pointer and its name.
func (s Step) String() string {
	if s.Pointer == "" {
		return s.Name
	}
	return s.Pointer + ": " + s.Name
}

// Line prints the instruction at index i: calls as strace prints them, with the
// names of slots in place of fds.
func (p *Program) Line(i int) string {
	in := &p.Instructions[i]
	switch in.Op {
	case OpCall, OpFork:
		return p.callLine(in)
	case OpStore:
		return fmt.Sprintf("store%d %s = %s", 8*int(in.Width), p.scratchName(in.Args[0].Value), p.operand(in.Args[1]))
	case OpJump:
		if in.Args[1].Value == 0 && in.Args[2].Value == 0 && in.Width == IfEqual {
			return fmt.Sprintf("goto %d", in.Target)
		}
		relation := "=="
		if in.Width == IfNotEqual {
			relation = "!="
		}
		return fmt.Sprintf("if %s & %#x %s %#x goto %d", p.scratchName(in.Args[0].Value), in.Args[1].Value, relation, in.Args[2].Value, in.Target)
	case OpFail:
		return fmt.Sprintf("fail %s %q", errnoName(in.Args[0].Value), in.Reason)
	default:
		return fmt.Sprintf("exit %d", in.Args[0].Value)
	}
}

func (p *Program) callLine(in *Instruction) string {
	line := p.CallText(in)
	if in.Dst != NoSlot {
		line += " = " + p.scratchName(uint64(in.Dst))
	}
	if in.Op == OpFork {
		line += fmt.Sprintf("; the parent goes on at %d", in.Target)
	}
	for i, b := range in.On {
		sep := "; "
		if i > 0 {
			sep = ", "
		}
		line += fmt.Sprintf("%s%s: %d", sep, errnoName(uint64(b.Errno)), b.Target)
	}
	return line
}

// CallText prints a call without its result and branches.
func (p *Program) CallText(in *Instruction) string {
	format := sysTable[in.Sys].format
	args := make([]string, 0, MaxArgs)
	for i := range in.shown() {
		args = append(args, p.formatArg(in, i, format[i]))
	}
	return in.Sys.String() + "(" + strings.Join(args, ", ") + ")"
}

func errnoName(v uint64) string {
	if name := unix.ErrnoName(unix.Errno(v)); name != "" {
		return name
	}
	return strconv.FormatUint(v, 10)
}

// operand prints what has no better format: numbers in decimal, addresses by
// name.
func (p *Program) operand(a Arg) string {
	switch a.Kind {
	case SlotValue, Scratch:
		return p.scratchName(a.Value)
	case DataAddr:
		return fmt.Sprintf("data+%#x", a.Value)
	default:
		return strconv.FormatInt(int64(a.Value), 10)
	}
}

// scratchName names a place of the scratch area: the slot there, or the one
// before it and the distance.
func (p *Program) scratchName(off uint64) string {
	best := Slot{Name: "scratch"}
	for _, s := range p.Slots {
		if uint64(s.Offset) > off {
			break
		}
		best = s
	}
	if d := off - uint64(best.Offset); d != 0 {
		return fmt.Sprintf("%s+%d", best.Name, d)
	}
	return best.Name
}

// text reads a NUL-terminated string of the data section.
func (p *Program) text(off uint64) string {
	if off >= uint64(len(p.Data)) {
		return ""
	}
	data := p.Data[off:]
	if n := bytes.IndexByte(data, 0); n >= 0 {
		data = data[:n]
	}
	return string(data)
}

// word reads a 64-bit word of the data section, 0 beyond its end.
func (p *Program) word(off uint64) uint64 {
	if off+8 > uint64(len(p.Data)) {
		return 0
	}
	return binary.LittleEndian.Uint64(p.Data[off:])
}

// Pointed reads the 64-bit word at index i of the struct that an operand points to.
func (p *Program) Pointed(a Arg, i int) uint64 {
	if a.Kind != DataAddr {
		return 0
	}
	return p.word(a.Value + uint64(8*i))
}

// stringAt prints the string at an absolute address.
func (p *Program) stringAt(address uint64) string {
	if address < p.DataBase {
		return "NULL"
	}
	return quote(p.text(address - p.DataBase))
}

// quote prints a string as strace does, whole.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\v':
			b.WriteString(`\v`)
		case c == '\f':
			b.WriteString(`\f`)
		case c < ' ' || c > '~':
			next := byte(0)
			if i+1 < len(s) {
				next = s[i+1]
			}
			if next >= '0' && next <= '7' {
				fmt.Fprintf(&b, `\%03o`, c)
			} else {
				fmt.Fprintf(&b, `\%o`, c)
			}
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
