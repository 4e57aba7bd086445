package main

import "strings"

// bracket reads a set of characters after its bracket.
func (r *patternReader) bracket() (byteSet, error) {
	var set byteSet
	others := r.take('^')
	for first := true; first || !r.take(']'); first = false {
		if r.pos >= len(r.text) {
			return set, r.wrong("there is a [ without a ]")
		}
		if class, ok, err := r.class(); ok || err != nil {
			if err != nil {
				return set, err
			}
			for _, span := range class {
				set.add(span[0], span[1])
			}
			continue
		}
		if !first && strings.HasPrefix(r.text[r.pos:], "-") && !strings.HasPrefix(r.text[r.pos:], "-]") {
			return set, r.wrong("a - in a set stands first, last or between two characters")
		}
		from, to, err := r.span()
		if err != nil {
			return set, err
		}
		set.add(from, to)
	}
	if others {
		set = byteSet{^set[0], ^set[1]}
	}
	return set, nil
}

// span reads a character, or two and all between them.
func (r *patternReader) span() (from, to byte, err error) {
	if from, err = r.character(); err != nil {
		return 0, 0, err
	}
	if !strings.HasPrefix(r.text[r.pos:], "-") || strings.HasPrefix(r.text[r.pos:], "-]") {
		return from, from, nil
	}
	r.pos++
	if r.pos >= len(r.text) {
		return 0, 0, r.wrong("there is a [ without a ]")
	}
	if to, err = r.character(); err == nil && to < from {
		err = r.wrong("%c-%c goes backwards", from, to)
	}
	return from, to, err
}

// class reads one that has a name, as [:digit:].
func (r *patternReader) class() (spans [][2]byte, ok bool, err error) {
	if !strings.HasPrefix(r.text[r.pos:], "[:") {
		return nil, false, nil
	}
	name, _, closed := strings.Cut(r.text[r.pos+2:], ":]")
	if !closed {
		return nil, false, nil
	}
	switch name {
	case "alnum":
		spans = [][2]byte{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}
	case "alpha":
		spans = [][2]byte{{'A', 'Z'}, {'a', 'z'}}
	case "blank":
		spans = [][2]byte{{'\t', '\t'}, {' ', ' '}}
	case "cntrl":
		spans = [][2]byte{{0, 31}, {127, 127}}
	case "digit":
		spans = [][2]byte{{'0', '9'}}
	case "graph":
		spans = [][2]byte{{'!', '~'}}
	case "lower":
		spans = [][2]byte{{'a', 'z'}}
	case "print":
		spans = [][2]byte{{' ', '~'}}
	case "punct":
		spans = [][2]byte{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}
	case "space":
		spans = [][2]byte{{'\t', '\r'}, {' ', ' '}}
	case "upper":
		spans = [][2]byte{{'A', 'Z'}}
	case "xdigit":
		spans = [][2]byte{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}
	default:
		return nil, false, r.wrong("there is no class [:%s:]", name)
	}
	r.pos += len(name) + 4
	return spans, true, nil
}
