package plan

import (
	"path"
	"slices"
	"strings"

	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// hostSources opens all that comes from the host's file system, before anything
// is mounted (CVE-2021-30465). An ordinary user can clone mounts only in a mount
// namespace that he owns, so without privileges containerSources does it.
func (c *compiler) hostSources() {
	if !c.in.Host.Rootless {
		c.openSources()
	}
}

// containerSources is hostSources for an ordinary user: it opens the same files
// in the new mount namespace, whose tree is still the host's.
func (c *compiler) containerSources() {
	if c.in.Host.Rootless {
		c.openSources()
		c.ownTurnSources()
	}
}

func (c *compiler) openSources() {
	c.openRoot()
	for i := range c.mounts {
		m := &c.mounts[i]
		if !c.hasSource(m) || c.inTurn(m) {
			continue
		}
		c.step(m.pointer+"/source", "open the source of the bind mount")
		m.source = c.b.Slot("source" + m.pointer[len("/mounts/"):])
		c.cloneHostTree(m.source, c.absolute(m.Mount.Source), m.Recursive, !m.SourceNoFollow)
		c.finishSource(m)
	}
	c.openNodes()
}

func (c *compiler) hasSource(m *mount) bool { return m.Bind && !m.isRoot() && m.link == "" }

// inTurn says that the tree of a bind mount is cloned when its turn in the list comes,
// and its source only opened before: the kernel lists the mounts of a process in the order
// in which they were made. A tree has to be cloned at once where its ids are mapped, where
// it shall lead the host (it is the host's namespace that it is cloned from), where its
// source can only be opened outside of the container's user namespace, and where there is
// no new mount namespace to clone it in.
func (c *compiler) inTurn(m *mount) bool {
	if !c.hasSource(m) || m.ids != notMapped || c.in.detached() || c.leadsHost(m) {
		return false
	}
	return c.in.Host.Rootless || !c.hasNamespace(specs.UserNamespace)
}

// makesMounts says that the stage's first process makes the mount namespace, and init is
// born in it: sources are opened there, that are cloned in their turn.
func (c *compiler) makesMounts() bool {
	return !c.in.Host.Rootless && slices.ContainsFunc(c.mounts, func(m mount) bool { return c.inTurn(&m) })
}

// mountNamespace makes the mount namespace ahead of the fork. It is a copy of the host's,
// so that paths mean there what they mean on the host.
func (c *compiler) mountNamespace() {
	if !c.makesMounts() {
		return
	}
	c.step(c.namespacePointer(specs.MountNamespace), "create the mount namespace")
	c.b.Call(nsenter.Unshare, nsenter.Imm(unix.CLONE_NEWNS))
	c.cutOff()
}

// turnSources opens the sources that are cloned in their turn.
func (c *compiler) turnSources() {
	for i := range c.mounts {
		m := &c.mounts[i]
		if c.in.Host.Rootless || !c.inTurn(m) {
			continue
		}
		c.openSource(m)
		flags := uint64(unix.OPEN_TREE_CLOEXEC)
		if m.SourceNoFollow {
			flags |= unix.AT_SYMLINK_NOFOLLOW
		}
		c.b.CallTo(m.opened, nsenter.OpenTree, nsenter.Int(unix.AT_FDCWD), c.b.Str(c.absolute(m.Mount.Source)), nsenter.Imm(flags))
	}
}

// ownTurnSources is turnSources for an ordinary user.
func (c *compiler) ownTurnSources() {
	for i := range c.mounts {
		m := &c.mounts[i]
		if !c.in.Host.Rootless || !c.inTurn(m) {
			continue
		}
		c.openSource(m)
		flags := uint64(unix.O_PATH)
		if m.SourceNoFollow {
			flags |= unix.O_NOFOLLOW
		}
		c.openat2(m.opened, nil, nsenter.Int(unix.AT_FDCWD), hostRelative(c.absolute(m.Mount.Source)), flags, unix.RESOLVE_NO_MAGICLINKS)
	}
}

func (c *compiler) openSource(m *mount) {
	c.step(m.pointer+"/source", "open the source of the bind mount")
	m.opened = c.b.Slot("opened" + m.pointer[len("/mounts/"):])
}

// cloneSource clones the tree of a bind mount whose turn has come.
func (c *compiler) cloneSource(m *mount) {
	if m.opened == 0 {
		return
	}
	c.step(m.pointer+"/source", "clone the source of the bind mount")
	m.source = c.b.Slot("source" + m.pointer[len("/mounts/"):])
	flags := uint64(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	c.b.CallTo(m.source, nsenter.OpenTree, nsenter.Val(m.opened), c.b.Str(""), nsenter.Imm(flags))
	c.close(m.opened)
	c.finishSource(m)
}

// finishSource gives the tree of a bind mount its final attributes.
func (c *compiler) finishSource(m *mount) {
	c.attributes(m, m.source)
	c.bindPropagation(m)
	c.mapIDs(m, m.source)
}

// attributes sets those of the top mount of a tree, and those of all its mounts.
func (c *compiler) attributes(m *mount, tree int) {
	if m.SetAttr|m.ClearAttr != 0 {
		c.step(m.pointer+"/options", "set the attributes of "+m.files())
		c.setattr(nsenter.Val(tree), false, m.SetAttr, m.ClearAttr, 0)
	}
	if m.SetAll|m.ClearAll != 0 {
		c.step(m.pointer+"/options", "set the attributes of all mounts of "+m.files())
		c.setattr(nsenter.Val(tree), true, m.SetAll, m.ClearAll, 0)
	}
}

// leadsHost says that what is mounted below a bind mount appears on the host: with the
// option "shared", only where the root file system is shared as well, as under runc; and
// in a user namespace, whose root could mount things on the host, not even then.
func (c *compiler) leadsHost(m *mount) bool {
	rootWord, _ := propagationFlag(c.spec.Linux.RootfsPropagation)
	list := m.Propagation
	return len(list) > 0 && list[len(list)-1]&unix.MS_SHARED != 0 && !c.hasNamespace("user") && rootWord == unix.MS_SHARED
}

// bindPropagation applies the propagation options in their order. Without any, a
// bind mount follows the host but never leads it, as under runc.
func (c *compiler) bindPropagation(m *mount) {
	const follow = unix.MS_SLAVE | unix.MS_REC
	list, pointer := m.Propagation, m.pointer+"/options"
	if len(list) == 0 {
		list, pointer = []uint64{follow}, m.pointer
	}
	if first := list[0]; !c.leadsHost(m) && (first&unix.MS_REC == 0 || first&unix.MS_SHARED != 0) {
		// The clones of shared mounts are their peers: what the options leave of
		// them below the top mount would lead the host.
		list = append([]uint64{follow}, list...)
	}
	for _, p := range list {
		c.step(pointer, "set the propagation of the bind mount")
		c.setattr(nsenter.Val(m.source), p&unix.MS_REC != 0, 0, 0, p&^unix.MS_REC)
	}
}

// cloneHostTree clones the mount tree of a path of the host as a detached one. If
// links are not to be followed, that is about the last name of the path.
func (c *compiler) cloneHostTree(slot int, name string, recursive, follow bool) {
	flags, open := uint64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC), uint64(unix.O_PATH)
	if !follow {
		flags, open = flags|unix.AT_SYMLINK_NOFOLLOW, open|unix.O_NOFOLLOW
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	if !c.in.Host.Rootless {
		c.b.CallTo(slot, nsenter.OpenTree, nsenter.Int(unix.AT_FDCWD), c.b.Str(name), nsenter.Imm(flags))
		return
	}
	fd := c.b.Slot(path.Base(name))
	c.openat2(fd, nil, nsenter.Int(unix.AT_FDCWD), hostRelative(name), open, unix.RESOLVE_NO_MAGICLINKS)
	c.b.CallTo(slot, nsenter.OpenTree, nsenter.Val(fd), c.b.Str(""), nsenter.Imm(flags|unix.AT_EMPTY_PATH))
	c.close(fd)
}

// hostRelative is a path of the host from its root, which is the working
// directory until the container has a root of its own.
func hostRelative(name string) string {
	if name = strings.TrimLeft(name, "/"); name != "" {
		return name
	}
	return "."
}
