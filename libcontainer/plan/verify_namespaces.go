package plan

import (
	"slices"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// ownNamespace says that a call opens a namespace of init itself, below the host's
// /proc: the one open that follows a magic link, which leads to nothing else. The time
// namespace that init has made is entered by the next call, and any other is only ever
// handed to brig.
func (v *verifier) ownNamespace(i int, in *nsenter.Instruction) bool {
	if in.Sys != nsenter.Openat || v.rootAttached || len(in.On) > 0 || i < v.fork {
		return false
	}
	at := v.before(i, func(in *nsenter.Instruction) bool { return in.Sys != nsenter.Openat && in.Sys != nsenter.ClockGettime })
	if at < 0 {
		return false
	}
	dir := &v.p.Instructions[at]
	if dir.Sys != nsenter.Openat2 || in.Args[0] != nsenter.Val(dir.Dst) || v.text(dir.Args[1]) != "self/ns" || v.how(dir, 2) != selfFile || !v.hostProc(dir.Args[0]) {
		return false
	}
	name := v.text(in.Args[1])
	if name == "time_for_children" {
		return v.entersTime(i, in)
	}
	return v.r.HandsOver && slices.ContainsFunc(NamespaceFiles[:], func(ns NamespaceFile) bool { return ns.Name == name }) && v.onlySent(in.Dst)
}

// entersTime says that the call after an open enters the time namespace that it opened.
func (v *verifier) entersTime(i int, in *nsenter.Instruction) bool {
	next := v.find(i+1, func(in *nsenter.Instruction) bool { return in.Sys != nsenter.ClockGettime })
	if next < 0 {
		return false
	}
	enters := &v.p.Instructions[next]
	return enters.Sys == nsenter.Setns && enters.Args[0] == nsenter.Val(in.Dst) && enters.Args[1] == nsenter.Imm(unix.CLONE_NEWTIME) && len(enters.On) == 0
}

// onlySent says that no call takes the fd of a slot: it is put into a message that is sent
// to brig at once, and nothing else takes it from there.
func (v *verifier) onlySent(slot int) bool {
	for i := range v.p.Instructions {
		in := &v.p.Instructions[i]
		if !takes(in, slot) {
			continue
		}
		if i+1 == len(v.p.Instructions) {
			return false
		}
		sends := &v.p.Instructions[i+1]
		if in.Op != nsenter.OpStore || sends.Op != nsenter.OpCall || sends.Sys != nsenter.Sendmsg || sends.Args[0] != nsenter.Imm(uint64(v.r.Control)) {
			return false
		}
		to := int(in.Args[0].Value)
		if slices.ContainsFunc(v.p.Instructions, func(other nsenter.Instruction) bool { return takes(&other, to) }) {
			return false
		}
	}
	return true
}

// takes says whether an instruction reads a slot.
func takes(in *nsenter.Instruction, slot int) bool {
	return slices.Contains(in.Args[:], nsenter.Val(slot))
}
