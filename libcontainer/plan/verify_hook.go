package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// hookTail is rule 6 for a hook of the host, which is not confined: it has nothing
// open but stdio, is executed in the bundle, by its own path, and nothing follows.
func (v *verifier) hookTail() error {
	if hide := v.find(0, isPrctl(unix.PR_SET_DUMPABLE, 0)); hide < 0 || hide > v.fork {
		return v.broken(v.fork, "rule 6: the stage is dumpable")
	}
	at := v.fork
	for _, want := range [...]tailCall{
		{"close_range of all other fds", false, v.closesAll},
		{"enter the bundle", false, is(nsenter.Fchdir)},
		{"execve of the hook", false, func(in *nsenter.Instruction) bool {
			return in.Sys == nsenter.Execve && v.text(in.Args[0]) == v.r.HostHook.Path
		}},
	} {
		found := v.find(at+1, want.match)
		if found < 0 {
			return v.broken(at, "rule 6: no %s after this", want.what)
		}
		at = found
		v.musts = append(v.musts, found)
	}
	if n := v.find(at+1, func(*nsenter.Instruction) bool { return true }); n >= 0 {
		return v.broken(n, "rule 6: a call after execve")
	}
	if op := v.p.Instructions[at+1].Op; op != nsenter.OpFail {
		return v.broken(at+1, "rule 6: execve is not followed by a failure")
	}
	return nil
}
