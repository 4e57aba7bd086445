package seccomp

import "math/bits"

// analysis runs a program for a known system call of a known architecture, whose
// arguments and instruction pointer it does not know. What depends on them it
// writes down as a graph; all else it has decided.
type analysis struct {
	graph
	program  []insn
	nr, arch uint32
	tested   map[state]node // for this call
	left     int            // steps
}

// word is a word of struct seccomp_data of which only the bits of mask are left.
type word struct{ offset, mask uint32 }

const allBits = ^uint32(0)

// state is how far a program has come. Of the accumulator it tells what the program
// has there from what the new one has loaded up to now: that loads a word only
// before a comparison that cannot do without.
type state struct {
	pc    int
	has   word
	value uint32 // instead, if the mask of that is 0
	real  word   // nothing yet, if the mask of that is 0
}

// decide runs on until the program returns, or looks at what is not known. When the
// steps are used up, what it returns means nothing.
func (a *analysis) decide(s state) node {
	for {
		if a.left--; a.left < 0 {
			return 0
		}
		in := a.program[s.pc]
		s.pc++
		switch in.code {
		case opRet:
			return a.add(step{code: opRet, k: in.k})
		case opLoad:
			s.has, s.value = word{}, 0
			switch in.k {
			case dataNr:
				s.value = a.nr
			case dataArch:
				s.value = a.arch
			default:
				s.has = word{in.k, allBits}
			}
		case opAnd:
			s.has.mask &= in.k
			s.value &= in.k
			if s.has.mask == 0 {
				s.has = word{}
			}
		default:
			if in.code != opJa && s.has.mask != 0 {
				return a.test(in, s)
			}
			m := machine{a: s.value}
			s.pc += int(m.jump(in))
		}
	}
}

// test writes down a comparison of what is not known.
func (a *analysis) test(in insn, s state) node {
	if n, ok := a.tested[s]; ok {
		return n
	}
	a.left -= testSteps
	before := s
	yes, no := int(in.jt), int(in.jf)
	in, swapped := in.byBits(s.has.mask)
	if swapped {
		yes, no = no, yes
	}
	if in.code == opJset && in.k == 0 || in.code == opJeq && in.k&^s.has.mask != 0 {
		s.pc += no // it never holds
		return a.decide(s)
	}
	load, and := s.prepare(in)
	behind := func(skip int) node {
		next := s
		next.pc += skip
		return a.decide(next)
	}
	n := a.add(step{code: in.code, k: in.k, yes: behind(yes), no: behind(no)})
	if a.left < 0 {
		return 0
	}
	if and {
		n = a.add(step{code: opAnd, k: s.has.mask, yes: n, no: n})
	}
	if load {
		n = a.add(step{code: opLoad, k: s.has.offset, yes: n, no: n})
	}
	if a.tested == nil {
		a.tested = map[state]node{}
	}
	a.tested[before] = n
	return n
}

// byBits makes a test of bits out of a comparison of a masked word, where it is
// one: the word stays whole for the next. swapped says that it holds where the
// comparison does not.
func (in insn) byBits(mask uint32) (_ insn, swapped bool) {
	switch {
	case in.code == opJset:
		in.k &= mask
	case in.code == opJeq && mask != allBits && in.k == 0:
		in.code, in.k, swapped = opJset, mask, true
	case in.code == opJeq && in.k == mask && bits.OnesCount32(mask) == 1:
		in.code = opJset
	}
	return in, swapped
}

// prepare brings into the accumulator what an instruction compares.
func (s *state) prepare(in insn) (load, and bool) {
	needs := s.has.mask
	if in.code == opJset {
		needs = in.k
	}
	if s.real.offset != s.has.offset || needs&^s.real.mask != 0 {
		s.real, load = word{s.has.offset, allBits}, true
	}
	if in.code != opJset && s.real.mask != needs {
		s.real, and = s.has, true
	}
	return load, and
}
