package plan

import (
	"path"
	"strings"

	"brig/libcontainer/fault"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// Attributes of what covers a masked path.
const maskAttrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// What covers: an empty file, and a directory that is empty too.
const (
	maskFile      = "file"
	maskDirectory = "directory"
)

// maskTree makes the one tmpfs that covers all masked paths: a directory in it
// covers directories, a file covers files. It is the runtime's own, never
// something of the container (CVE-2025-31133). Before 6.15 only an attached tree
// can be cloned, so there it lies under the root until pivot_root detaches it.
func (c *compiler) maskTree() {
	if len(c.spec.Linux.MaskedPaths) == 0 {
		return
	}
	fs := c.b.Slot("fs")
	c.mask = c.b.Slot("mask")
	c.step("/linux/maskedPaths", "create the tree that covers masked paths")
	c.b.CallTo(fs, nsenter.Fsopen, c.b.Str("tmpfs"), nsenter.Imm(unix.FSOPEN_CLOEXEC))
	c.fsString(fs, "mode", "0555")
	c.fsString(fs, "nr_inodes", "4")
	c.fsString(fs, "nr_blocks", "1")
	if c.spec.Linux.MountLabel != "" {
		c.mountLabel(fs, "tmpfs", "masked paths", nil)
		c.step("/linux/maskedPaths", "create the tree that covers masked paths")
	}
	c.b.Call(nsenter.Fsconfig, nsenter.Val(fs), nsenter.Imm(unix.FSCONFIG_CMD_CREATE), nsenter.Null(), nsenter.Null(), nsenter.Imm(0))
	c.b.CallTo(c.mask, nsenter.Fsmount, nsenter.Val(fs), nsenter.Imm(unix.FSMOUNT_CLOEXEC), nsenter.Imm(maskAttrs&^unix.MOUNT_ATTR_RDONLY))
	c.close(fs)
	c.b.Call(nsenter.Mkdirat, nsenter.Val(c.mask), c.b.Str(maskDirectory), nsenter.Imm(0o555))
	c.b.Call(nsenter.Mknodat, nsenter.Val(c.mask), c.b.Str(maskFile), nsenter.Imm(unix.S_IFREG|0o444), nsenter.Imm(0))
	c.setattr(nsenter.Val(c.mask), false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	if !c.in.Host.CloneDetached {
		c.attach(c.mask, c.under())
	}
}

// maskedPaths covers each path. A path that does not exist needs no cover; that
// is decided by the one openat2 of it and by nothing else.
func (c *compiler) maskedPaths() {
	seen := make([]string, 0, len(c.spec.Linux.MaskedPaths))
	for i, name := range c.spec.Linux.MaskedPaths {
		clean := path.Clean("/" + name)
		if contains(seen, clean) {
			continue
		}
		seen = append(seen, clean)
		c.step(fault.Pointer("/linux/maskedPaths", i), "mask "+quoted(clean))
		target, tree := c.b.Slot("masked"), c.b.Slot("cover")
		gone, file, attach := c.b.Label(), c.b.Label(), c.b.Label()
		from, rest := c.below(clean)
		c.openat2(target, missing(gone), nsenter.Val(from), rest, unix.O_PATH, inRoot)
		c.fileType(target)
		c.b.JumpUnless(c.statx+statxMode, typeMask, unix.S_IFDIR, file)
		c.b.CallTo(tree, nsenter.OpenTree, nsenter.Val(c.mask), c.b.Str(maskDirectory), nsenter.Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
		c.b.Goto(attach)
		c.b.Bind(file)
		c.b.CallTo(tree, nsenter.OpenTree, nsenter.Val(c.mask), c.b.Str(maskFile), nsenter.Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
		c.b.Bind(attach)
		c.attach(tree, nsenter.Val(target))
		c.close(tree)
		c.close(target)
		c.b.Bind(gone)
	}
}

// below finds where a masked or read-only path is looked for: in the proc or sysfs that it
// lies in, by the fd that this was mounted with. Who shares the root file system could
// have moved the mount point since, and the path would be one that does not exist.
func (c *compiler) below(clean string) (from int, rest string) {
	from, rest = c.root, relative(clean)
	if m := c.mountOf(clean); m != nil && m.kernels() && m.tree != 0 {
		return m.tree, clean[len(path.Clean("/"+m.Destination))+1:]
	}
	return from, rest
}

// mountOf is the mount that a path lies in, below its root: the last of the list, which
// covers those before it.
func (c *compiler) mountOf(clean string) *mount {
	for i := len(c.mounts) - 1; i >= 0; i-- {
		m := &c.mounts[i]
		if destination := path.Clean("/" + m.Destination); destination == clean || strings.HasPrefix(clean, destination+"/") {
			if destination == clean || m.isRoot() {
				return nil
			}
			return m
		}
	}
	return nil
}

// kernels says that the kernel alone makes the names of the file system.
func (m *mount) kernels() bool { return !m.Bind && (m.Type == "proc" || m.Type == "sysfs") }

// keeps says that the fd of a mount is needed later, to find what is masked in it.
func (c *compiler) keeps(m *mount) bool {
	for _, list := range [...][]string{c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths} {
		for _, name := range list {
			if m.kernels() && c.mountOf(path.Clean("/"+name)) == m {
				return true
			}
		}
	}
	return false
}

// missing are the errors that say that a path does not exist: the path itself,
// or a component that is a file.
func missing(gone nsenter.Label) []nsenter.On {
	return []nsenter.On{{Errno: unix.ENOENT, Label: gone}, {Errno: unix.ENOTDIR, Label: gone}}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// readonlyPaths mounts each path on itself, read-only: the clone is read-only
// with all below it before it is attached, and it is attached to the very file
// that it was cloned from (GHSA-3q8j-pf29-vwv8).
func (c *compiler) readonlyPaths() {
	seen := make([]string, 0, len(c.spec.Linux.ReadonlyPaths))
	for i, name := range c.spec.Linux.ReadonlyPaths {
		clean := path.Clean("/" + name)
		if contains(seen, clean) {
			continue
		}
		seen = append(seen, clean)
		c.step(fault.Pointer("/linux/readonlyPaths", i), "make "+quoted(clean)+" read-only")
		target, tree := c.b.Slot("readonly"), c.b.Slot("clone")
		gone := c.b.Label()
		from, rest := c.below(clean)
		c.openat2(target, missing(gone), nsenter.Val(from), rest, unix.O_PATH, inRoot)
		c.b.CallTo(tree, nsenter.OpenTree, nsenter.Val(target), c.b.Str(""),
			nsenter.Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE))
		c.setattr(nsenter.Val(tree), true, unix.MOUNT_ATTR_RDONLY, 0, 0)
		c.attach(tree, nsenter.Val(target))
		c.close(tree)
		c.close(target)
		c.b.Bind(gone)
	}
}
