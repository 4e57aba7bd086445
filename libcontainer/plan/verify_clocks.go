package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// ownTimeNamespace says that a call opens the time namespace that init has made itself,
// below the host's /proc, and that the next one enters it: the one open that follows a
// magic link, which leads to nothing else.
func (v *verifier) ownTimeNamespace(i int, in *nsenter.Instruction) bool {
	if in.Sys != nsenter.Openat || v.text(in.Args[1]) != "time_for_children" || v.rootAttached || len(in.On) > 0 {
		return false
	}
	dir := v.previousCall(i)
	if dir == nil || dir.Sys != nsenter.Openat2 || in.Args[0] != nsenter.Val(dir.Dst) || v.text(dir.Args[1]) != "self/ns" ||
		v.how(dir, 2) != selfFile || !v.hostProc(dir.Args[0]) {
		return false
	}
	next := v.find(i+1, func(in *nsenter.Instruction) bool { return in.Sys != nsenter.ClockGettime })
	if next < 0 {
		return false
	}
	enters := &v.p.Instructions[next]
	return enters.Sys == nsenter.Setns && enters.Args[0] == nsenter.Val(in.Dst) && enters.Args[1] == nsenter.Imm(unix.CLONE_NEWTIME) && len(enters.On) == 0
}
