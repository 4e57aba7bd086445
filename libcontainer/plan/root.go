package plan

import (
	"brig/libcontainer/fault"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// propagationFlag is the MS_ flag of a rootfsPropagation word, 0 for none.
func propagationFlag(word string) (flag uint64, recursive bool) {
	if len(word) > 0 && word[0] == 'r' {
		recursive, word = true, word[1:]
	}
	switch word {
	case "private":
		return unix.MS_PRIVATE, recursive
	case "slave":
		return unix.MS_SLAVE, recursive
	case "shared":
		return unix.MS_SHARED, recursive
	case "unbindable":
		return unix.MS_UNBINDABLE, recursive
	}
	return 0, recursive
}

// propagation cuts the new mount namespace off from the host's: what the
// container mounts never reaches the host. One call on the whole tree, never a
// reading of mountinfo, which skips entries under load (runc#2404).
func (c *compiler) propagation() {
	if c.in.detached() {
		return // the tree is, and the namespace is not the container's
	}
	flag := uint64(unix.MS_SLAVE)
	if word, _ := propagationFlag(c.spec.Linux.RootfsPropagation); word == unix.MS_PRIVATE {
		flag = word
	}
	c.step("/linux/rootfsPropagation", "keep the container's mounts from the host")
	c.setattr(nsenter.Int(unix.AT_FDCWD), true, 0, 0, flag)
}

// openRoot clones the tree of the root file system. With a mount entry for "/"
// that entry's options apply to it.
func (c *compiler) openRoot() {
	if c.in.detached() && !c.in.Host.CloneDetached {
		c.faults = append(c.faults, fault.Hostf("/linux/namespaces", unix.EOPNOTSUPP, "a container without a new mount namespace needs Linux 6.15"))
	}
	c.root = c.b.Slot("root")
	c.step("/root/path", "open the root file system")
	c.cloneHostTree(c.root, c.in.Rootfs, true, true)
	flag := uint64(unix.MS_SLAVE)
	if word, _ := propagationFlag(c.spec.Linux.RootfsPropagation); word == unix.MS_PRIVATE {
		flag = word
	}
	c.setattr(nsenter.Val(c.root), true, 0, 0, flag)
	m := c.rootMount()
	if m == nil {
		return
	}
	if m.SetAttr|m.ClearAttr != 0 {
		c.step(m.pointer+"/options", "set the attributes of the root file system")
		c.setattr(nsenter.Val(c.root), false, m.SetAttr, m.ClearAttr, 0)
	}
	if m.SetAll|m.ClearAll != 0 {
		c.step(m.pointer+"/options", "set the attributes of all mounts of the root file system")
		c.setattr(nsenter.Val(c.root), true, m.SetAll, m.ClearAll, 0)
	}
	c.mapIDs(m, c.root)
}

// rootMount is the entry of /mounts for the root file system itself, or nil.
func (c *compiler) rootMount() *mount {
	for i := range c.mounts {
		if c.mounts[i].isRoot() {
			return &c.mounts[i]
		}
	}
	return nil
}

// attachRoot mounts the tree over the root of the new mount namespace, where it
// stays until pivot_root: mounts need a place in the namespace before 6.15.
func (c *compiler) attachRoot() {
	if c.in.detached() {
		return
	}
	c.step("/root/path", "attach the root file system")
	c.attach(c.root, c.under())
	if c.base != 0 {
		c.close(c.base)
	}
}

// place opens where the tree will be mounted if there are hooks: one that enters the
// mount namespace looks for it where the config says that it is, with the host's
// files around it. Init can open it as long as it has the ids of brig.
func (c *compiler) place() {
	if !c.waitsForHooks() || c.in.detached() {
		return
	}
	c.step("/root/path", "open the place of the root file system")
	c.base = c.b.Slot("place")
	c.openat2(c.base, nil, nsenter.Int(unix.AT_FDCWD), hostRelative(c.in.Rootfs), unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_MAGICLINKS)
}

// under is what the tree is mounted on.
func (c *compiler) under() nsenter.Arg {
	if c.base != 0 {
		return nsenter.Val(c.base)
	}
	return nsenter.Int(unix.AT_FDCWD)
}

// readonly makes read-only what had to be writable while targets were made.
func (c *compiler) readonly() {
	for _, t := range c.lateRO {
		c.step(t.pointer, t.name)
		c.setattr(nsenter.Val(t.slot), false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	if c.spec.Root.Readonly {
		c.step("/root/readonly", "make the root file system read-only")
		c.setattr(nsenter.Val(c.root), false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
}

// pivot makes the tree the root. The host's tree ends up on top of it for one
// instruction, and is then detached whole.
func (c *compiler) pivot() {
	if c.in.detached() {
		c.joinMounts()
	}
	c.step("/root/path", "enter the root file system")
	if c.in.NoPivot && c.base != 0 {
		c.attach(c.root, nsenter.Int(unix.AT_FDCWD))
	}
	c.b.Call(nsenter.Fchdir, nsenter.Val(c.root))
	switch {
	case c.in.detached():
		c.b.Call(nsenter.Chroot, c.b.Str("."))
	case c.in.NoPivot:
		c.enterWithoutPivot()
	default:
		c.b.Call(nsenter.PivotRoot, c.b.Str("."), c.b.Str("."))
		if c.mask != 0 && !c.in.Host.CloneDetached && c.base == 0 {
			// It lies on the host's root, where it was put to be cloned from.
			c.b.Call(nsenter.Umount2, c.b.Str("."), nsenter.Imm(unix.MNT_DETACH))
		}
		c.b.Call(nsenter.Umount2, c.b.Str("."), nsenter.Imm(unix.MNT_DETACH))
	}
	c.uncovered()
	word := c.spec.Linux.RootfsPropagation
	if flag, recursive := propagationFlag(word); flag != 0 {
		c.step("/linux/rootfsPropagation", "make the root file system "+word)
		c.setattr(nsenter.Val(c.root), recursive, 0, 0, flag)
	}
}

// joinMounts enters a mount namespace that is given by path. The tree is complete
// by then: the kernel mounts on a detached tree only in the namespace where it was
// made.
func (c *compiler) joinMounts() {
	for _, ns := range c.nsFDs {
		if ns.Type == specs.MountNamespace {
			c.step(ns.pointer, "join the mount namespace")
			c.b.Call(nsenter.Setns, nsenter.Val(ns.slot), nsenter.Imm(unix.CLONE_NEWNS))
			c.close(ns.slot)
		}
	}
}

// uncovered makes sure that nothing of the host is left on top of the root: ".."
// of the root is the root, and would cross into such a mount (EXDEV).
func (c *compiler) uncovered() {
	top := c.b.Slot("top")
	c.openat2(top, nil, nsenter.Val(c.root), "..", unix.O_PATH|unix.O_DIRECTORY, noLinks|unix.RESOLVE_NO_XDEV)
	c.close(top)
}

// enterWithoutPivot is for a host that runs from an initramfs, whose root cannot
// be pivoted. Joining the own mount namespace once more sets the root to what is
// mounted on top of it, without chroot(2), whose effect a chroot in the container
// would undo. What it hides is still there, so it is the weaker way.
func (c *compiler) enterWithoutPivot() {
	pid, fd := c.b.Slot("pid"), c.b.Slot("pidfd")
	c.b.CallTo(pid, nsenter.Getpid)
	c.b.CallTo(fd, nsenter.PidfdOpen, nsenter.Val(pid), nsenter.Imm(0))
	c.b.Call(nsenter.Setns, nsenter.Val(fd), nsenter.Imm(namespaceFlag(specs.MountNamespace)))
	c.close(fd)
}
