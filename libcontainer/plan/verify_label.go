package plan

import (
	"strings"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// labels is rule 6 for the labels of security modules: each of the config is
// written whole to its file below the host's /proc, no other is, and execve comes
// later. No jump may skip a write.
func (v *verifier) labels(closing int) error {
	next := 0
	for i := v.fork + 1; i < v.parent; i++ {
		in := &v.p.Instructions[i]
		if in.Op != nsenter.OpCall || in.Sys != nsenter.Openat2 || !strings.Contains(v.text(in.Args[1]), "/attr/") {
			continue
		}
		if next == len(v.r.labels) || v.text(in.Args[1]) != v.r.labels[next].file {
			return v.broken(i, "rule 6: a label is written that is not of the config")
		}
		if i > closing || !v.hostProc(in.Args[0]) || v.how(in, 2) != selfFile || in.Args[1].Kind != nsenter.DataAddr {
			return v.broken(i, "rule 6: a label is not written below the host's /proc")
		}
		if !v.writes(i, v.r.labels[next].value) {
			return v.broken(i, "rule 6: another label is written than that of the config")
		}
		next++
	}
	if next != len(v.r.labels) {
		return v.broken(v.fork, "rule 6: no label in %s", v.r.labels[next].file)
	}
	return nil
}

// hostProc says that a slot holds the host's /proc, opened by its path before
// anything is entered, and looked at.
func (v *verifier) hostProc(dir nsenter.Arg) bool {
	opened, looked, found := false, false, 0
	for i := range v.p.Instructions {
		in := &v.p.Instructions[i]
		if in.Op == nsenter.OpCall && dir.Kind == nsenter.SlotValue && in.Dst == int(dir.Value) {
			opened, found = i < v.fork && in.Sys == nsenter.Openat && v.text(in.Args[1]) == "/proc", found+1
		}
		if in.Op == nsenter.OpCall && in.Sys == nsenter.Fstatfs && in.Args[0] == dir && i < v.fork {
			looked = true
			v.musts = append(v.musts, i)
		}
	}
	return opened && looked && found == 1
}

// writes says that the call after the opening writes exactly a value to what was
// opened.
func (v *verifier) writes(opening int, value string) bool {
	i := v.find(opening+1, func(in *nsenter.Instruction) bool { return in.Sys != nsenter.ClockGettime })
	if i < 0 || len(v.p.Instructions[opening].On) > 0 {
		return false
	}
	in := &v.p.Instructions[i]
	v.musts = append(v.musts, opening, i)
	return in.Sys == nsenter.Write && in.Args[0] == nsenter.Val(v.p.Instructions[opening].Dst) && len(in.On) == 0 &&
		in.Args[2] == nsenter.Imm(uint64(len(value))) && v.holds(in.Args[1], []byte(value)) &&
		v.p.Pointed(v.p.Instructions[opening].Args[2], 0)&unix.O_ACCMODE == unix.O_WRONLY
}
