package spec

// nameSet finds names that are there twice, in a time that grows with the number
// of names and not with its square, so that a huge config is refused and not
// pondered over. Only many names pay for a map.
type nameSet struct {
	few  []namedIndex
	many map[string]int
}

type namedIndex struct {
	name  string
	index int
}

// add adds a name of the list's element i. It reports false when the name was there
// already, and at which element.
func (s *nameSet) add(name string, i int) (first int, ok bool) {
	for _, e := range s.few {
		if e.name == name {
			return e.index, false
		}
	}
	if len(s.few) < 16 {
		s.few = append(s.few, namedIndex{name, i})
		return i, true
	}
	if first, ok := s.many[name]; ok {
		return first, false
	}
	if s.many == nil {
		s.many = make(map[string]int)
	}
	s.many[name] = i
	return i, true
}
