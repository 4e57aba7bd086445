package seccomp

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// overlaps are the system calls of which libseccomp 2.5 gets the rules wrong. With
// several rules that look at one argument, in other ways than for equality, it jumps
// from a comparison of the lower half of the argument to one of the upper half
// without loading it, and a call that no rule allows may pass. Of rules with
// different actions it refuses some, and its choice among the others depends on the
// shape of its tree. On these brig decides itself, in front of libseccomp's filter.
func overlaps(p *specs.LinuxSeccomp) (names []string) {
	for i := range p.Syscalls {
		if len(p.Syscalls[i].Args) == 0 {
			continue
		}
		for _, name := range p.Syscalls[i].Names {
			if !slices.Contains(names, name) && overlap(p, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// overlap says that the rules for a name differ in their actions, or that one
// argument is compared twice and not only for equality.
func overlap(p *specs.LinuxSeccomp, name string) bool {
	var compared, ranged [6]int
	first := -1
	for i := range p.Syscalls {
		r := &p.Syscalls[i]
		if !slices.Contains(r.Names, name) {
			continue
		}
		if first >= 0 && actionCode(r.Action, r.ErrnoRet) != actionCode(p.Syscalls[first].Action, p.Syscalls[first].ErrnoRet) {
			return true
		}
		first = i
		for _, a := range r.Args {
			compared[a.Index]++
			if a.Op != specs.OpEqualTo {
				ranged[a.Index]++
			}
		}
	}
	for i := range compared {
		if compared[i] > 1 && ranged[i] > 0 {
			return true
		}
	}
	return false
}
