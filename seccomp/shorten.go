package seccomp

import "slices"

// shorten returns a filter that decides as the given one does, of as few
// instructions as it can. At seccomp(2) the kernel converts every instruction,
// compiles it in several passes, and then runs the filter for each system call to
// see which are always allowed (5.11); so a start pays for the length of a filter
// and for that of the ways through it. libseccomp compares a number with every one
// that has a rule, and the numbers that are treated alike lie together.
//
// A program of which the analysis does not understand everything stays as it is, and
// so does one that would not become shorter.
func shorten(program []byte) ([]byte, error) {
	old := &Filter{Program: program}
	if old.check() != nil {
		return program, nil
	}
	list := old.instructions()
	c, ok := constantsOf(list)
	if !ok {
		return program, nil
	}
	a := analysis{program: list, left: maxSteps}
	root := a.filter(c)
	if a.left < 0 {
		return program, nil
	}
	short := &Filter{Program: a.layout(root)}
	if len(short.Program) >= len(program) {
		return program, nil
	}
	if err := confirm(old, short, c); err != nil {
		return nil, err
	}
	return short.Program, nil
}

// maxSteps bounds the analysis of a program that compares everything with
// everything. For Docker's profile it takes 54,000 steps. testSteps is what one
// comparison of an argument counts, since the analysis remembers it.
const (
	maxSteps  = 1 << 24
	testSteps = 256
)

func (f *Filter) instructions() []insn {
	list := make([]insn, len(f.Program)/insnSize)
	for pc := range list {
		list[pc] = f.at(pc)
	}
	return list
}

// constants are what a program compares with.
type constants struct {
	borders []uint32 // where ranges of system call numbers begin, the first one 0
	archs   []uint32 // and at the end one that the program does not know
}

// What may be in the accumulator.
const (
	holdsNr = 1 << iota
	holdsArch
	holdsOther
)

// constantsOf finds the ranges of numbers and the architectures among which a
// program makes no difference. It says false for a program that does more with them
// than compare them whole: mask them, keep or return them, or test single bits. For
// in all others the number decides by comparisons with constants alone, and two
// numbers without a border between them come out of each comparison alike; so they
// go the same way through the program, and it does the same with them. An
// architecture is compared for equality only, and those that are equal to no
// constant are alike.
func constantsOf(program []insn) (c constants, ok bool) {
	holds := make([]uint8, len(program)) // before each instruction, on any way to it
	holds[0] = holdsOther
	c.borders = []uint32{0}
	for pc, in := range program {
		h := holds[pc]
		if h == 0 || in.code == opRet {
			continue
		}
		jt, jf := uint32(in.jt), uint32(in.jf)
		switch in.code {
		case opLoad:
			h, jt, jf = holdsOf(in.k), 0, 0
		case opAnd:
			if !c.compared(in, h) {
				return c, false
			}
			h, jt, jf = holdsOther, 0, 0
		case opJa:
			jt, jf = in.k, in.k
		case opJeq, opJgt, opJge, opJset:
			if !c.compared(in, h) {
				return c, false
			}
		default:
			return c, false
		}
		holds[pc+1+int(jt)] |= h
		holds[pc+1+int(jf)] |= h
	}
	c.archs = append(c.archs, unknownOf(c.archs))
	slices.Sort(c.borders)
	c.borders = slices.Compact(c.borders)
	return c, true
}

func holdsOf(offset uint32) uint8 {
	switch offset {
	case dataNr:
		return holdsNr
	case dataArch:
		return holdsArch
	}
	return holdsOther
}

// compared notes the constant of an instruction, and says whether the analysis
// knows what it does.
func (c *constants) compared(in insn, holds uint8) bool {
	if holds&holdsArch != 0 {
		if in.code != opJeq {
			return false
		}
		if !slices.Contains(c.archs, in.k) { // in their order: the native one is first
			c.archs = append(c.archs, in.k)
		}
	}
	if holds&holdsNr != 0 {
		switch in.code {
		case opJge:
			c.borders = append(c.borders, in.k)
		case opJgt:
			c.borders = append(c.borders, in.k+1) // past the last number it is 0, which is one already
		case opJeq:
			c.borders = append(c.borders, in.k, in.k+1)
		default:
			return false
		}
	}
	return true
}

func unknownOf(archs []uint32) uint32 {
	unknown := uint32(0)
	for slices.Contains(archs, unknown) {
		unknown++
	}
	return unknown
}

// filter builds the whole filter: one comparison for each architecture that is
// treated in a way of its own, and behind it the numbers.
func (a *analysis) filter(c constants) node {
	last := len(c.archs) - 1
	rest := a.numbers(c, c.archs[last])
	all := rest
	for i := last - 1; i >= 0; i-- {
		all = a.add(step{code: opJeq, k: c.archs[i], yes: a.numbers(c, c.archs[i]), no: all})
	}
	if all == rest {
		return rest
	}
	return a.add(step{code: opLoad, k: dataArch, yes: all, no: all})
}

// numbers decides on the numbers of one architecture.
func (a *analysis) numbers(c constants, arch uint32) node {
	var list []span
	for _, nr := range c.borders {
		a.nr, a.arch = nr, arch
		clear(a.tested)
		n := a.decide(state{})
		if len(list) == 0 || list[len(list)-1].node != n {
			list = append(list, span{first: nr, node: n})
		}
		if a.left < 0 {
			return 0
		}
	}
	if len(list) == 1 {
		return list[0].node
	}
	tree := a.search(runs(list))
	return a.add(step{code: opLoad, k: dataNr, yes: tree, no: tree})
}

// span is a range of numbers that are treated alike, up to the next one. In it are
// single numbers that are not.
type span struct {
	first  uint32
	node   node
	except []span
}

// maxExcept is how many single numbers are compared one after the other.
const maxExcept = 3

// runs takes single numbers into the range around them: the one comparison for
// equality is less than the two with the borders.
func runs(list []span) (out []span) {
	for len(list) > 0 {
		run := list[0]
		list = list[1:]
		for n := run.interrupted(list); n > 0; n = run.interrupted(list) {
			run.except = append(run.except, list[:n]...)
			list = list[n+1:]
		}
		out = append(out, run)
	}
	return out
}

// interrupted returns how many single numbers there are before the range goes on.
func (s *span) interrupted(list []span) int {
	for n := range list {
		if list[n].node == s.node && len(s.except)+n <= maxExcept {
			return n
		}
		if n+1 == len(list) || list[n+1].first != list[n].first+1 {
			break
		}
	}
	return 0
}

// search finds the range of a number by halving.
func (a *analysis) search(list []span) node {
	if len(list) > 1 {
		half := len(list) / 2
		return a.add(step{code: opJge, k: list[half].first, yes: a.search(list[half:]), no: a.search(list[:half])})
	}
	n := list[0].node
	for _, e := range slices.Backward(list[0].except) {
		n = a.add(step{code: opJeq, k: e.first, yes: e.node, no: n})
	}
	return n
}
