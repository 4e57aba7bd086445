package main

import (
	"fmt"
	"strconv"
	"strings"
)

// pattern is a POSIX extended regular expression for the IDs of containers, which are
// ASCII. Package regexp would do, but its tables of Unicode are made before main, at
// every start of every container.
type pattern []state

// state is one of the automaton: where the next byte leads if it is one of set, or, with
// another kind, where the automaton goes without one.
type state struct {
	kind stateKind
	set  byteSet
	to   int // where split goes beside the next state, and jump alone
}

type stateKind int

const (
	takes stateKind = iota
	split
	jump
	begins // at the beginning only
	ends   // at the end only
	accepts
)

// byteSet are ASCII characters, a bit for each.
type byteSet [2]uint64

func (s *byteSet) add(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s[c>>6] |= 1 << (c & 63)
	}
}

func (s *byteSet) has(c byte) bool { return c < 128 && s[c>>6]&(1<<(c&63)) != 0 }

// matches says whether some part of an ID is one that the pattern means. It is in all
// states at once, so that no pattern takes long.
func (p pattern) matches(id string) bool {
	now, next := newReached(len(p)), newReached(len(p))
	for i := 0; i <= len(id); i++ {
		p.reach(now, 0, i == 0, i == len(id))
		if now.in[len(p)-1] {
			return true
		}
		for _, s := range now.list {
			if i < len(id) && p[s].kind == takes && p[s].set.has(id[i]) {
				p.reach(next, s+1, false, i+1 == len(id))
			}
		}
		now.clear()
		now, next = next, now
	}
	return false
}

// reached are the states that the automaton is in.
type reached struct {
	in   []bool
	list []int
}

func newReached(n int) *reached { return &reached{make([]bool, n), make([]int, 0, n)} }

func (r *reached) clear() {
	for _, s := range r.list {
		r.in[s] = false
	}
	r.list = r.list[:0]
}

// reach enters a state, and those that it leads to without a byte.
func (p pattern) reach(r *reached, s int, first, last bool) {
	for open := []int{s}; len(open) > 0; {
		s, open = open[len(open)-1], open[:len(open)-1]
		if r.in[s] {
			continue
		}
		r.in[s], r.list = true, append(r.list, s)
		switch k := p[s].kind; {
		case k == jump:
			open = append(open, p[s].to)
		case k == split:
			open = append(open, p[s].to, s+1)
		case k == begins && first, k == ends && last:
			open = append(open, s+1)
		}
	}
}

// Bounds of a pattern, as package regexp has them.
const (
	maxRepeat = 1000
	maxNested = 100
	maxStates = 1 << 14
)

// compile reads a pattern. What POSIX leaves undefined is an error.
func compile(text string) (pattern, error) {
	r := &patternReader{text: text}
	p, err := r.alternatives(0)
	if err == nil && r.pos < len(text) {
		err = r.wrong("there is a ) without a (")
	}
	if err != nil {
		return nil, err
	}
	return append(p, state{kind: accepts}), nil
}

// patternReader reads a pattern. Pieces that it returns can be put anywhere: their jumps
// are relative until they are joined.
type patternReader struct {
	text string
	pos  int
}

func (r *patternReader) wrong(format string, args ...any) error {
	return fmt.Errorf("at character %d: "+format, append([]any{r.pos + 1}, args...)...)
}

// more says whether there is a next byte that is none of the given ones.
func (r *patternReader) more(but string) bool {
	return r.pos < len(r.text) && strings.IndexByte(but, r.text[r.pos]) < 0
}

func (r *patternReader) take(c byte) bool {
	if r.pos >= len(r.text) || r.text[r.pos] != c {
		return false
	}
	r.pos++
	return true
}

// moved is a piece whose jumps are right n states further on.
func moved(p pattern, n int) pattern {
	q := append(pattern(nil), p...)
	for i := range q {
		q[i].to += n
	}
	return q
}

func join(a, b pattern) pattern { return append(a, moved(b, len(a))...) }

// alternatives reads what stands between bars.
func (r *patternReader) alternatives(depth int) (pattern, error) {
	if depth > maxNested {
		return nil, r.wrong("it nests deeper than %d", maxNested)
	}
	first, err := r.sequence(depth)
	list, size := []pattern{first}, len(first)
	for err == nil && r.take('|') {
		var next pattern
		next, err = r.sequence(depth)
		list, size = append(list, next), size+2+len(next)
		if err == nil && size > maxStates {
			err = r.wrong("it is too long")
		}
	}
	if err != nil {
		return nil, err
	}
	all := make(pattern, 0, size)
	for _, p := range list[:len(list)-1] {
		all = append(all, state{kind: split, to: len(all) + len(p) + 2})
		all = append(join(all, p), state{kind: jump, to: size})
	}
	return join(all, list[len(list)-1]), nil
}

func (r *patternReader) sequence(depth int) (pattern, error) {
	var p pattern
	for r.more("|)") {
		q, err := r.repeated(depth)
		if err != nil {
			return nil, err
		}
		if p = join(p, q); len(p) > maxStates {
			return nil, r.wrong("it is too long")
		}
	}
	return p, nil
}

// repeated reads one piece and how often it may be there.
func (r *patternReader) repeated(depth int) (pattern, error) {
	p, err := r.piece(depth)
	for err == nil {
		least, most := 0, -1
		switch {
		case r.take('*'):
		case r.take('+'):
			least = 1
		case r.take('?'):
			most = 1
		default:
			var ok bool
			if least, most, ok, err = r.interval(); !ok || err != nil {
				return p, err
			}
		}
		p, err = r.repeat(p, least, most)
	}
	return p, err
}

// repeat is a piece from least to most times, without an end if most is negative.
func (r *patternReader) repeat(p pattern, least, most int) (pattern, error) {
	if max(least, most, 1)*(len(p)+2) > maxStates {
		return nil, r.wrong("it is too long")
	}
	var all pattern
	for range least {
		all = join(all, p)
	}
	if most < 0 {
		loop := append(pattern{{kind: split, to: len(p) + 2}}, moved(p, 1)...)
		return join(all, append(loop, state{kind: jump})), nil
	}
	for range most - least {
		all = join(all, append(pattern{{kind: split, to: len(p) + 1}}, moved(p, 1)...))
	}
	return all, nil
}

// interval reads {n}, {n,} or {n,m}. Another brace is a character.
func (r *patternReader) interval() (least, most int, ok bool, err error) {
	if !strings.HasPrefix(r.text[r.pos:], "{") {
		return 0, 0, false, nil
	}
	inside, _, closed := strings.Cut(r.text[r.pos+1:], "}")
	low, high, two := strings.Cut(inside, ",")
	if !closed || !isDigits(low) || high != "" && !isDigits(high) {
		return 0, 0, false, nil
	}
	least, _ = strconv.Atoi(low) // at most four digits matter
	most = least
	if two {
		if most = -1; high != "" {
			most, _ = strconv.Atoi(high)
		}
	}
	if least > maxRepeat || most > maxRepeat || most >= 0 && most < least {
		return 0, 0, false, r.wrong("{%s} is no number of times up to %d", inside, maxRepeat)
	}
	r.pos += len(inside) + 2
	return least, most, true, nil
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// piece reads what can be repeated.
func (r *patternReader) piece(depth int) (pattern, error) {
	at := r.pos
	if _, _, ok, err := r.interval(); ok || err != nil || !r.more("*+?") {
		r.pos = at
		return nil, r.wrong("there is nothing to repeat")
	}
	c := r.text[r.pos]
	r.pos++
	switch c {
	case '(':
		p, err := r.alternatives(depth + 1)
		if err == nil && !r.take(')') {
			err = r.wrong("there is a ( without a )")
		}
		return p, err
	case '[':
		set, err := r.bracket()
		return pattern{{kind: takes, set: set}}, err
	case '^':
		return pattern{{kind: begins}}, nil
	case '$':
		return pattern{{kind: ends}}, nil
	}
	var set byteSet
	if c == '.' {
		set.add(0, 127)
		return pattern{{kind: takes, set: set}}, nil
	}
	r.pos--
	c, err := r.character()
	set.add(c, c)
	return pattern{{kind: takes, set: set}}, err
}

// character reads one that stands for itself, or that a backslash makes one.
func (r *patternReader) character() (byte, error) {
	if r.take('\\') && !r.more("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return 0, r.wrong("there is no special character for the backslash before")
	}
	c := r.text[r.pos]
	if c >= 128 {
		return 0, r.wrong("no ID has other characters than those of ASCII")
	}
	r.pos++
	return c, nil
}
