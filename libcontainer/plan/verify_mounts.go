package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// ownMounts is the part of rule 3 that keeps the host's mounts as they are: what is cloned
// from them is a clone, and nothing is mounted but by init, in a mount namespace of its own
// that has been cut off from the host's, or else on a tree that is attached nowhere.
func (v *verifier) ownMounts(i int, in *nsenter.Instruction) error {
	switch in.Sys {
	case nsenter.Clone3:
		if v.r.Join == nil && !v.r.Detached && v.p.Pointed(in.Args[0], 0)&unix.CLONE_NEWNS == 0 {
			return v.broken(i, "rule 3: init is not born in a mount namespace of its own")
		}
	case nsenter.OpenTree:
		if in.Args[2].Value&unix.OPEN_TREE_CLONE == 0 {
			return v.broken(i, "rule 3: a tree is opened and not cloned")
		}
	case nsenter.MountSetattr:
		if in.Args[0].Kind == nsenter.Immediate && !v.container(i) {
			return v.broken(i, "rule 3: the mounts of the host change")
		}
		v.cut = v.cut || v.cutsOff(in)
	case nsenter.MoveMount:
		if !v.container(i) || !v.cut && !v.r.Detached {
			return v.broken(i, "rule 3: something is mounted while the host can see it")
		}
	}
	return nil
}

// cutsOff says that a call keeps all that is mounted in its mount namespace from the host.
func (v *verifier) cutsOff(in *nsenter.Instruction) bool {
	if in.Args[0] != nsenter.Int(unix.AT_FDCWD) || v.text(in.Args[1]) != "" || in.Args[2].Value&unix.AT_RECURSIVE == 0 || in.Args[3].Kind != nsenter.DataAddr {
		return false
	}
	propagation := v.p.Pointed(in.Args[3], 2)
	return propagation == unix.MS_SLAVE || propagation == unix.MS_PRIVATE
}
