package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// joins is the rule for programs that enter a container: they change nothing in it,
// and enter what init is in and nothing else, by its pidfd and, for the cgroup
// namespace, by the fd after that.
func (v *verifier) joins(i int, in *nsenter.Instruction) error {
	j := v.r.Join
	if j == nil {
		return nil
	}
	switch in.Sys {
	case nsenter.OpenTree, nsenter.MoveMount, nsenter.Fsopen, nsenter.Fsconfig, nsenter.Fsmount, nsenter.MountSetattr,
		nsenter.PivotRoot, nsenter.Umount2, nsenter.Mkdirat, nsenter.Mknodat, nsenter.Symlinkat, nsenter.Unshare,
		nsenter.Sethostname, nsenter.Setdomainname:
		return v.broken(i, "rule 9: a process that joins changes the container")
	case nsenter.Setns:
		if n := len(j.Handles); n > 0 && !v.container(i) {
			return v.joinsHandle(i, in)
		}
		flags, fd := j.Namespaces&^unix.CLONE_NEWCGROUP, v.r.InitFD
		if v.container(i) {
			flags, fd = j.Namespaces&unix.CLONE_NEWCGROUP, v.r.InitFD+1
		}
		if flags == 0 || in.Args[0] != nsenter.Imm(uint64(fd)) || in.Args[1] != nsenter.Imm(flags) {
			return v.broken(i, "rule 9: a process that joins enters other namespaces than those of init")
		}
		v.entries++
		v.musts = append(v.musts, i)
	}
	return nil
}

// complete says whether a program that joins has entered all that it has to.
func (v *verifier) complete() error {
	if v.r.Join == nil {
		return nil
	}
	want := len(v.r.Join.Handles)
	for _, flags := range [...]uint64{v.r.Join.byPidfd(), v.r.Join.Namespaces & unix.CLONE_NEWCGROUP} {
		if flags != 0 {
			want++
		}
	}
	if v.entries != want {
		return v.broken(v.fork, "rule 9: a process that joins does not enter all namespaces of init")
	}
	return nil
}

// byPidfd are the namespaces that are joined in one call.
func (j *Joined) byPidfd() uint64 {
	if len(j.Handles) > 0 {
		return 0
	}
	return j.Namespaces &^ unix.CLONE_NEWCGROUP
}

// joinsHandle says that the namespaces which init has handed over are entered in their
// order, each by its own fd and as what it is.
func (v *verifier) joinsHandle(i int, in *nsenter.Instruction) error {
	n := v.entries
	if n >= len(v.r.Join.Handles) || in.Args[0] != nsenter.Imm(uint64(v.r.HandleFD+n)) || in.Args[1] != nsenter.Imm(v.r.Join.Handles[n]) {
		return v.broken(i, "rule 9: a process that joins enters other namespaces than those of init")
	}
	v.entries++
	v.musts = append(v.musts, i)
	return nil
}

// handleFD is the number of the first namespace that was handed over, 0 without any.
func handleFD(in *Input) int {
	if in.Join == nil || len(in.Join.Handles) == 0 {
		return 0
	}
	return in.handleFD(0)
}
