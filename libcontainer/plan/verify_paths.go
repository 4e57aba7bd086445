package plan

import (
	"strings"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

func single(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// paths is rule 1: in the container a name is resolved once, by openat2 with a
// RESOLVE_ flag on an fd; everything else takes an fd, or a single component of a
// directory that such an openat2 or the program itself made.
func (v *verifier) paths(i int, in *nsenter.Instruction) error {
	if !v.container(i) {
		return nil
	}
	switch in.Sys {
	case nsenter.Openat2:
		if v.how(in, 2)&unix.RESOLVE_NO_MAGICLINKS == 0 || v.how(in, 2)&^unix.RESOLVE_NO_MAGICLINKS == 0 && v.rootAttached {
			return v.broken(i, "rule 1: openat2 may follow links out of the root")
		}
		if strings.HasPrefix(v.text(in.Args[1]), "/") {
			return v.broken(i, "rule 1: openat2 of an absolute path")
		}
		if in.Args[0].Kind != nsenter.SlotValue && v.rootAttached && !v.inside {
			return v.broken(i, "rule 1: openat2 from the host's root")
		}
	case nsenter.Mkdirat, nsenter.Mknodat, nsenter.Symlinkat:
		dir, name := in.Args[0], in.Args[1]
		if in.Sys == nsenter.Symlinkat {
			dir, name = in.Args[1], in.Args[2]
		}
		if !v.directory(dir) || !single(v.text(name)) {
			return v.broken(i, "rule 1: a name that is no single component of an open directory")
		}
	case nsenter.OpenTree, nsenter.Fchownat, nsenter.Fchmodat2, nsenter.Faccessat2, nsenter.Readlinkat:
		name := v.text(in.Args[1])
		if name != "" && (!v.directory(in.Args[0]) || !single(name)) {
			return v.broken(i, "rule 1: a name that is no single component of an open directory")
		}
		if name != "" && v.follows(in) {
			return v.broken(i, "rule 1: a link of the container may be followed")
		}
	case nsenter.Statx, nsenter.MountSetattr:
		if v.text(in.Args[1]) != "" {
			return v.broken(i, "rule 1: a path instead of an fd")
		}
	case nsenter.MoveMount:
		if v.text(in.Args[1]) != "" || v.text(in.Args[3]) != "" {
			return v.broken(i, "rule 1: a path instead of an fd")
		}
	case nsenter.PivotRoot:
		if v.text(in.Args[0]) != "." || v.text(in.Args[1]) != "." || v.previous(i) != nsenter.Fchdir {
			return v.broken(i, `rule 1: pivot_root takes "." right after fchdir`)
		}
	case nsenter.Chroot:
		to := v.previousCall(i)
		if v.text(in.Args[0]) != "." || to == nil || to.Sys != nsenter.Fchdir || to.Args[0] != v.ownRoot() {
			return v.broken(i, `rule 1: chroot takes "." right after fchdir to the container's root, and only without a mount namespace`)
		}
	case nsenter.Umount2:
		if v.text(in.Args[0]) != "." || in.Args[1].Value != unix.MNT_DETACH || v.previous(i) != nsenter.PivotRoot && v.previous(i) != nsenter.Umount2 {
			return v.broken(i, `rule 1: umount2 takes "." right after pivot_root`)
		}
	}
	return nil
}

// follows says whether a call with a name follows a link of that name. In a file
// system of the program's own there is none.
func (v *verifier) follows(in *nsenter.Instruction) bool {
	flags := uint64(unix.AT_SYMLINK_NOFOLLOW)
	switch in.Sys {
	case nsenter.OpenTree:
		flags = in.Args[2].Value
	case nsenter.Fchmodat2, nsenter.Faccessat2:
		flags = in.Args[3].Value
	case nsenter.Fchownat:
		flags = in.Args[4].Value
	}
	return flags&unix.AT_SYMLINK_NOFOLLOW == 0 && v.origins[in.Args[0].Value] != ownTree
}

func (v *verifier) previous(i int) nsenter.Sys {
	if in := v.previousCall(i); in != nil {
		return in.Sys
	}
	return nsenter.Clone3
}

func (v *verifier) previousCall(i int) *nsenter.Instruction {
	for i--; i > v.fork; i-- {
		if in := &v.p.Instructions[i]; in.Op == nsenter.OpCall && in.Sys != nsenter.ClockGettime {
			return in
		}
	}
	return nil
}

// ownRoot is what a chroot may lead to: the first tree that the program opens, or
// the fd of the root that who joins is handed. With a mount namespace that is the
// container's own it is nothing, and no operand.
func (v *verifier) ownRoot() nsenter.Arg {
	switch {
	case v.r.Join != nil && v.r.Join.Root && v.r.HostHook == nil:
		return nsenter.Imm(uint64(v.r.RootFD))
	case v.r.Detached:
		for i := range v.p.Instructions {
			if in := &v.p.Instructions[i]; in.Op == nsenter.OpCall && in.Sys == nsenter.OpenTree {
				return nsenter.Val(in.Dst)
			}
		}
	}
	return nsenter.Arg{Kind: nsenter.DataAddr}
}

// how reads a word of the open_how of an openat2.
func (v *verifier) how(in *nsenter.Instruction, word int) uint64 {
	return v.p.Pointed(in.Args[2], word)
}
