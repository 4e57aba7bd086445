package tests

import (
	"fmt"
	"maps"
	"testing"

	"brig/nsenter"
)

// fdState is what may be in a slot that a call takes for an fd, whatever way the
// program came: a set of bits.
type fdState uint8

const (
	mayBeUnset fdState = 1 << iota
	mayBeOpen
	mayBeClosed
)

// misusedFD follows every path through a program at once. Jumps lead forward only,
// so one pass in order sees all that comes before an instruction. It says which
// call takes a slot that may be unset or closed, "" for none.
func misusedFD(p *nsenter.Program) string {
	at := make([]map[uint64]fdState, len(p.Instructions))
	at[0] = map[uint64]fdState{}
	flow := func(to int, state map[uint64]fdState) { at[to] = join(at[to], state) }
	for i := range p.Instructions {
		in, state := &p.Instructions[i], at[i]
		if state == nil {
			continue // after a failure, and no jump leads there
		}
		if problem := useSlots(in, state); problem != "" {
			return fmt.Sprintf("instruction %d, %s (%s): %s", i, p.Line(i), p.StepOf(i), problem)
		}
		for _, b := range in.On {
			flow(b.Target, state)
		}
		if in.Op == nsenter.OpFork || in.Op == nsenter.OpJump {
			flow(in.Target, state)
		}
		setSlots(in, state)
		always := in.Op == nsenter.OpJump && in.Args[1].Value == 0 && in.Args[2].Value == 0 && in.Width == nsenter.IfEqual
		if in.Op != nsenter.OpFail && in.Op != nsenter.OpExit && !always {
			flow(i+1, state)
		}
	}
	return ""
}

// join is what holds where two paths meet; old is nil before the first comes.
func join(old, state map[uint64]fdState) map[uint64]fdState {
	if old == nil {
		return maps.Clone(state)
	}
	for slot := range old {
		if _, ok := state[slot]; !ok {
			old[slot] |= mayBeUnset
		}
	}
	for slot, s := range state {
		if _, ok := old[slot]; !ok {
			s |= mayBeUnset
		}
		old[slot] |= s
	}
	return old
}

// useSlots checks the slots that a call reads.
func useSlots(in *nsenter.Instruction, state map[uint64]fdState) string {
	if in.Op != nsenter.OpCall {
		return ""
	}
	for k, a := range in.Args {
		if a.Kind != nsenter.SlotValue {
			continue
		}
		s, known := state[a.Value]
		switch {
		case !known && !takesNoFD(in.Sys):
			return fmt.Sprintf("operand %d was never set", k)
		case s&mayBeUnset != 0:
			return fmt.Sprintf("operand %d may not be set", k)
		case s&mayBeClosed != 0:
			return fmt.Sprintf("operand %d may be closed", k)
		}
	}
	return ""
}

// takesNoFD are calls whose slots are filled by the kernel or by tables: a mode, a
// path of the look-up, which an error of the look-up leaves empty.
func takesNoFD(sys nsenter.Sys) bool { return sys == nsenter.Execve || sys == nsenter.Fchmod }

// setSlots notes what a call or a store leaves behind.
func setSlots(in *nsenter.Instruction, state map[uint64]fdState) {
	switch {
	case in.Op == nsenter.OpStore:
		state[in.Args[0].Value] = mayBeOpen
	case in.Op == nsenter.OpCall && in.Sys == nsenter.Close && in.Args[0].Kind == nsenter.SlotValue:
		state[in.Args[0].Value] = mayBeClosed
	case in.Dst != nsenter.NoSlot:
		state[uint64(in.Dst)] = mayBeOpen
	}
}

func TestFixturesUseTheirFDs(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			if p, _, err := f.compile(); err == nil {
				whole(t, p)
			}
		})
	}
}

// The check itself: programs that use an fd too early or too late.
func TestMisusedFD(t *testing.T) {
	var fd, other int
	for _, c := range [...]struct {
		name string
		bad  bool
		emit func(b *nsenter.Builder, end nsenter.Label)
	}{
		{"open, use, close", false, func(b *nsenter.Builder, _ nsenter.Label) {
			b.CallTo(fd, nsenter.Setsid)
			b.Call(nsenter.Fchdir, nsenter.Val(fd))
			b.Call(nsenter.Close, nsenter.Val(fd))
		}},
		{"never set", true, func(b *nsenter.Builder, _ nsenter.Label) { b.Call(nsenter.Fchdir, nsenter.Val(fd)) }},
		{"closed twice", true, func(b *nsenter.Builder, _ nsenter.Label) {
			b.CallTo(fd, nsenter.Setsid)
			b.Call(nsenter.Close, nsenter.Val(fd))
			b.Call(nsenter.Close, nsenter.Val(fd))
		}},
		{"set on one way only", true, func(b *nsenter.Builder, _ nsenter.Label) {
			skip := b.Label()
			b.JumpIf(other, 1, 1, skip)
			b.CallTo(fd, nsenter.Setsid)
			b.Bind(skip)
			b.Call(nsenter.Fchdir, nsenter.Val(fd))
		}},
		{"not set when the call fails", true, func(b *nsenter.Builder, _ nsenter.Label) {
			skip := b.Label()
			b.TryTo(fd, []nsenter.On{{Errno: 2, Label: skip}}, nsenter.Setsid)
			b.Bind(skip)
			b.Call(nsenter.Fchdir, nsenter.Val(fd))
		}},
		{"closed on one way only", true, func(b *nsenter.Builder, _ nsenter.Label) {
			skip := b.Label()
			b.CallTo(fd, nsenter.Setsid)
			b.JumpIf(other, 1, 1, skip)
			b.Call(nsenter.Close, nsenter.Val(fd))
			b.Bind(skip)
			b.Call(nsenter.Fchdir, nsenter.Val(fd))
		}},
		{"set on both ways", false, func(b *nsenter.Builder, _ nsenter.Label) {
			skip, done := b.Label(), b.Label()
			b.JumpIf(other, 1, 1, skip)
			b.CallTo(fd, nsenter.Setsid)
			b.Goto(done)
			b.Bind(skip)
			b.Store(fd, 4, nsenter.Imm(1))
			b.Bind(done)
			b.Call(nsenter.Fchdir, nsenter.Val(fd))
		}},
		{"the other way ends", false, func(b *nsenter.Builder, end nsenter.Label) {
			b.TryTo(fd, []nsenter.On{{Errno: 2, Label: end}}, nsenter.Setsid)
			b.Call(nsenter.Fchdir, nsenter.Val(fd))
		}},
	} {
		b := nsenter.NewBuilder()
		b.Step("", c.name)
		fd, other = b.Slot("fd"), b.Slot("other")
		end := b.Label()
		c.emit(b, end)
		b.Bind(end)
		b.Exit(0)
		p, err := b.Program()
		if err != nil {
			t.Fatal(err)
		}
		if problem := misusedFD(p); (problem != "") != c.bad {
			t.Errorf("%s: %q", c.name, problem)
		}
	}
}
