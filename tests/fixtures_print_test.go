package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"brig/cgroups"
	"brig/libcontainer/plan"
	"brig/nsenter"
)

// printWrites prints what is written to the container's cgroup before there is a
// program.
func printWrites(writes []cgroups.Write, owner *plan.Owner) string {
	var b strings.Builder
	for _, w := range writes {
		fmt.Fprintf(&b, "[cgroup] %s: write %q to %s", w.Pointer, w.Value, w.File)
		if w.Optional {
			b.WriteString(", if it is there")
		}
		if w.Instead != nil {
			fmt.Fprintf(&b, ", else %q to %s", w.Instead.Value, w.Instead.File)
		}
		b.WriteByte('\n')
	}
	if owner != nil {
		fmt.Fprintf(&b, "[cgroup] /linux/uidMappings: enable all controllers for it, and give it to user %d and group %d of the host\n", owner.UID, owner.GID)
	}
	return b.String()
}

// printSteps prints the steps of some sections so that the text depends on
// nothing else: targets are relative, and addresses of data have no number.
func printSteps(p *nsenter.Program, sections []string) string {
	whole := slices.Contains(sections, "all")
	var b strings.Builder
	for k, s := range p.Steps {
		if !whole && !slices.Contains(sections, s.Section) {
			continue
		}
		fmt.Fprintf(&b, "[%s] %s\n", s.Section, s)
		end := stepEnd(p, k)
		for i := s.First; i < end; i++ {
			fmt.Fprintf(&b, "  %3d  %s\n", i-s.First, relativeLine(p, i, k))
		}
	}
	return b.String()
}

// stepEnd is the index after the last instruction of step k.
func stepEnd(p *nsenter.Program, k int) int {
	if k+1 < len(p.Steps) {
		return p.Steps[k+1].First
	}
	return len(p.Instructions)
}

// A target is printed as a number that nothing else has, and then replaced.
const targetMark = 7070000000

var (
	markPattern = regexp.MustCompile(`\b7070\d{6}\b`)
	dataPattern = regexp.MustCompile(`\bdata\+0x[0-9a-f]+|\b0x10[0-9a-f]{6}\b`)
)

func relativeLine(p *nsenter.Program, i, k int) string {
	q := *p
	q.Instructions = slices.Clone(p.Instructions)
	in := &q.Instructions[i]
	in.Target += targetMark
	in.On = slices.Clone(in.On)
	for j := range in.On {
		in.On[j].Target += targetMark
	}
	line := markPattern.ReplaceAllStringFunc(q.Line(i), func(mark string) string {
		n, err := strconv.Atoi(mark)
		if err != nil {
			panic(err)
		}
		return targetName(p, k, i, n-targetMark)
	})
	return dataPattern.ReplaceAllString(line, "DATA")
}

// targetName is a target as seen from an instruction of step k.
func targetName(p *nsenter.Program, k, from, target int) string {
	if target < stepEnd(p, k) {
		return fmt.Sprintf("+%d", target-from)
	}
	if target == stepEnd(p, k) {
		return "end"
	}
	s := p.StepOf(target)
	name := "[" + s.Section + "] " + s.Name
	if target > s.First {
		name += fmt.Sprintf(" +%d", target-s.First)
	}
	return name
}
