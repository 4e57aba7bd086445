package plan

import (
	"slices"
	"strings"
	"testing"

	"brig/nsenter"
)

// sections are all that create.go lists, in its order.
func sections() []string {
	return sectionsOf(hostPart[:], containerPart[:], tailPart[:], parentPart[:])
}

func joinSections() []string {
	return sectionsOf(joinHostPart[:], joinPart[:], tailPart[:], parentPart[:])
}

func sectionsOf(lists ...[]emitter) []string {
	var names []string
	for _, list := range lists {
		for _, e := range list {
			names = append(names, e.section)
		}
	}
	return names
}

// stepsOf is a program with one step for each section.
func stepsOf(names []string) *nsenter.Program {
	p := &nsenter.Program{}
	for i, name := range names {
		p.Steps = append(p.Steps, nsenter.Step{Section: name, First: i})
	}
	return p
}

func TestCreateKeepsTheOrder(t *testing.T) {
	for _, names := range [...][]string{sections(), joinSections()} {
		if err := checkOrder(stepsOf(names)); err != nil {
			t.Error(err)
		}
	}
}

// What joins a container has emitters of its own only before the tail, and each name
// means one thing.
func TestJoinSections(t *testing.T) {
	own := []string{"affinity-initial", "affinity-final", "inside"}
	for i, name := range joinSections() {
		if slices.Contains(joinSections()[:i], name) {
			t.Errorf("%q is there twice", name)
		}
		if !slices.Contains(sections(), name) && !slices.Contains(own, name) {
			t.Errorf("%q is a section of no other program, and no order speaks of it", name)
		}
	}
}

func TestSectionsAreListedOnce(t *testing.T) {
	names := sections()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.Errorf("%q is there twice: the order of its steps would mean two things", name)
		}
	}
}

func TestOrderKnowsItsSections(t *testing.T) {
	names := sections()
	for i, k := range constraints {
		if !slices.Contains(names, k.before) || !slices.Contains(names, k.after) {
			t.Errorf("create.go has no %q or no %q", k.before, k.after)
		}
		if k.why == "" || k.before == k.after {
			t.Errorf("%q before %q: why?", k.before, k.after)
		}
		for _, other := range constraints[:i] {
			if other.before == k.before && other.after == k.after {
				t.Errorf("%q before %q is there twice", k.before, k.after)
			}
		}
	}
}

func TestOrderRefuses(t *testing.T) {
	for _, k := range constraints {
		for name, list := range map[string][]string{
			"swapped":                 {k.after, k.before},
			"one step late":           {k.before, k.after, k.before},
			"with another in between": {k.after, "other", k.before},
		} {
			err := checkOrder(stepsOf(list))
			if err == nil || !strings.Contains(err.Error(), k.why) {
				t.Errorf("%q before %q, %s: %v", k.before, k.after, name, err)
			}
		}
		for _, list := range [...][]string{{k.before, k.after}, {k.before}, {k.after}, {k.before, k.before, k.after, k.after}} {
			if err := checkOrder(stepsOf(list)); err != nil {
				t.Errorf("%q: %s", list, err)
			}
		}
	}
}

// Two emitters of the real lists that change places are seen, wherever a pair
// speaks of them.
func TestOrderSeesSwappedEmitters(t *testing.T) {
	for _, k := range constraints {
		names := sections()
		i, j := slices.Index(names, k.before), slices.Index(names, k.after)
		names[i], names[j] = names[j], names[i]
		if err := checkOrder(stepsOf(names)); err == nil {
			t.Errorf("%q and %q change places, and nobody sees", k.before, k.after)
		}
	}
}

// The rule for the tail holds for each pair of neighbours of the design: all but
// these may not change places.
func TestOrderHoldsTheTail(t *testing.T) {
	free := [...][2]string{
		{"cwd", "keyring"},             // neither is seen by the other
		{"keyring", "umask"},           // nor these
		{"umask", "rlimits"},           //
		{"rlimits", "personality"},     //
		{"personality", "scheduler"},   //
		{"scheduler", "ioPriority"},    //
		{"ioPriority", "memoryPolicy"}, //
		{"memoryPolicy", "bounding"},   //
		{"bounding", "groups"},         // both need the privileges that uid ends
		{"noNewPrivileges", "timings"}, // a write to a socket
	}
	names := sections()
	for i := slices.Index(names, "fds"); names[i+1] != "report"; i++ {
		swapped := slices.Clone(names)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		err := checkOrder(stepsOf(swapped))
		if want := slices.Contains(free[:], [2]string{names[i], names[i+1]}); (err == nil) != want {
			t.Errorf("%q and %q change places: %v", names[i], names[i+1], err)
		}
	}
}
