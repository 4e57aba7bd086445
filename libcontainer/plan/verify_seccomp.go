package plan

import (
	"brig/nsenter"
	"brig/seccomp"

	"golang.org/x/sys/unix"
)

// filter is rule 6 for the filter: it is there if the config has one, and nothing
// stands between it and execve. When and only when it has a listener, that is
// handed over in between, by the two calls that the filter knows by their secret.
func (v *verifier) filter(execve int) error {
	filter := v.find(v.fork+1, is(nsenter.Seccomp))
	if v.r.Seccomp != (filter >= 0) {
		return v.broken(execve, "rule 6: the filter is there and not wanted, or wanted and not there")
	}
	if filter < 0 {
		return nil
	}
	in := &v.p.Instructions[filter]
	if v.r.Listener != (in.Args[1].Value&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0) {
		return v.broken(filter, "rule 6: the listener is there and not wanted, or wanted and not there")
	}
	if !v.r.Listener && filter != execve-1 {
		return v.broken(filter, "rule 6: something stands between the filter and execve")
	}
	if v.r.Listener {
		return v.handover(filter, execve)
	}
	return nil
}

// handover holds what stands between a filter with a listener and execve to the
// two calls with the secret, which end the start when they fail.
func (v *verifier) handover(filter, execve int) error {
	program := v.p.Pointed(v.p.Instructions[filter].Args[2], 1) - v.p.DataBase
	if !v.holds(nsenter.Arg{Kind: nsenter.DataAddr, Value: program}, seccomp.Handover(v.r.Secret)) {
		return v.broken(filter, "rule 6: the filter does not know the secret of the handing over")
	}
	want := [...]nsenter.Sys{nsenter.Sendmsg, nsenter.Recvmsg}
	seen := 0
	for i := filter + 1; i < execve; i++ {
		in := &v.p.Instructions[i]
		if in.Op != nsenter.OpCall {
			continue // no other instruction asks the kernel for anything, but for the report of a failure
		}
		if seen == len(want) || in.Sys != want[seen] || len(in.On) > 0 || !v.secret(in) {
			return v.broken(i, "rule 6: something stands between the filter and execve that does not hand over its listener")
		}
		seen++
		v.musts = append(v.musts, i)
	}
	if seen != len(want) {
		return v.broken(filter, "rule 6: the listener is not handed over before execve")
	}
	return nil
}

// secret says that a call is one on the control socket, with the secret.
func (v *verifier) secret(in *nsenter.Instruction) bool {
	for i, word := range v.r.Secret {
		if in.Args[3+i] != nsenter.Imm(word) {
			return false
		}
	}
	return in.Args[0] == nsenter.Imm(uint64(v.r.Control))
}
