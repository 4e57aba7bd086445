package seccomp

import "slices"

// graph is a filter whose instructions have no order yet, only successors. What
// does the same is one node.
type graph struct {
	steps []step
	nodes map[step]node
}

// node is an index into the steps of a graph.
type node int

// step is an instruction: a load, a mask, a comparison or a return. The first two
// have the same successor twice.
type step struct {
	code    uint16
	k       uint32
	yes, no node
}

// add returns the node of a step, which may be one without it: a comparison of no
// consequence is left out, and so is a load that the next step undoes.
func (g *graph) add(s step) node {
	switch s.code {
	case opRet:
	case opLoad, opAnd:
		if next := g.steps[s.yes].code; next == opLoad || next == opRet {
			return s.yes
		}
	default:
		if s.yes == s.no {
			return s.yes
		}
		// Two tests of bits, one after the other, that lead to the same are one.
		if next := g.steps[s.no]; s.code == opJset && next.code == opJset && next.yes == s.yes {
			s.k, s.no = s.k|next.k, next.no
		}
	}
	n, ok := g.nodes[s]
	if !ok {
		if g.nodes == nil {
			g.nodes = map[step]node{}
		}
		n = node(len(g.steps))
		g.steps = append(g.steps, s)
		g.nodes[s] = n
	}
	return n
}

// layout puts a graph into an order. It begins at the end: jumps go forward only,
// so that where they go to is there already when they are written.
func (g *graph) layout(root node) []byte {
	l := layout{graph: g, at: make([]int, len(g.steps)), near: make([]int, len(g.steps))}
	for i := range l.at {
		l.at[i] = absent
	}
	l.place(root)
	var out fragment
	for _, in := range slices.Backward(l.code) {
		out.emit(in.code, in.jt, in.jf, in.k)
	}
	return out
}

// layout is a program whose last instruction comes first.
type layout struct {
	*graph
	code []insn
	at   []int // where each node is
	near []int // and the nearest that does the same: a copy of it, or a jump to it
}

const absent = -1

func (l *layout) emit(code uint16, jt, jf uint8, k uint32) int {
	l.code = append(l.code, insn{code, jt, jf, k})
	return len(l.code) - 1
}

// between are the instructions that a jump written now has to skip to get to one.
func (l *layout) between(to int) int { return len(l.code) - 1 - to }

func (l *layout) place(n node) {
	if l.at[n] != absent {
		return
	}
	s := l.steps[n]
	switch s.code {
	case opRet:
		l.at[n] = l.emit(opRet, 0, 0, s.k)
	case opLoad, opAnd:
		l.place(s.yes)
		if skip := l.between(l.at[s.yes]); skip > 0 {
			l.emit(opJa, 0, 0, uint32(skip))
		}
		l.at[n] = l.emit(s.code, 0, 0, s.k)
	default:
		// What follows on yes lies next: of two architectures that is the native one.
		l.place(s.no)
		l.place(s.yes)
		for !l.reach(s.yes) || !l.reach(s.no) { // one may move the other out of reach
		}
		l.at[n] = l.emit(s.code, uint8(l.between(l.near[s.yes])), uint8(l.between(l.near[s.no])), s.k)
	}
	l.near[n] = l.at[n]
}

// reach sees to it that a conditional jump gets to a node. It says false if it had
// to write something for that.
func (l *layout) reach(n node) bool {
	if l.between(l.near[n]) <= 0xff {
		return true
	}
	if s := l.steps[n]; s.code == opRet {
		l.near[n] = l.emit(opRet, 0, 0, s.k)
	} else {
		l.near[n] = l.emit(opJa, 0, 0, uint32(l.between(l.at[n])))
	}
	return false
}
