package plan

import (
	"path"
	"strings"

	"brig/nsenter"

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
	}
}

func (c *compiler) openSources() {
	c.openRoot()
	for i := range c.mounts {
		m := &c.mounts[i]
		if !m.Bind || m.isRoot() || m.link != "" {
			continue
		}
		c.step(m.pointer+"/source", "open the source of the bind mount")
		slot := c.b.Slot("source" + m.pointer[len("/mounts/"):])
		c.cloneHostTree(slot, c.absolute(m.Mount.Source), m.Recursive, !m.SourceNoFollow)
		m.source = slot
		if m.SetAttr|m.ClearAttr != 0 {
			c.step(m.pointer+"/options", "set the attributes of the bind mount")
			c.setattr(nsenter.Val(slot), false, m.SetAttr, m.ClearAttr, 0)
		}
		if m.SetAll|m.ClearAll != 0 {
			c.step(m.pointer+"/options", "set the attributes of all mounts below")
			c.setattr(nsenter.Val(slot), true, m.SetAll, m.ClearAll, 0)
		}
		c.bindPropagation(m)
		c.mapIDs(m, slot)
	}
	c.openNodes()
}

// bindPropagation applies the propagation options in their order. Without any, a
// bind mount follows the host but never leads it, as under runc.
func (c *compiler) bindPropagation(m *mount) {
	const follow = unix.MS_SLAVE | unix.MS_REC
	list, pointer := m.Propagation, m.pointer+"/options"
	if len(list) == 0 {
		list, pointer = []uint64{follow}, m.pointer
	}
	first, last := list[0], list[len(list)-1]
	rootWord, _ := propagationFlag(c.spec.Linux.RootfsPropagation)
	shared := last&unix.MS_SHARED != 0 && !c.hasNamespace("user") && rootWord == unix.MS_SHARED
	if !shared && (first&unix.MS_REC == 0 || first&unix.MS_SHARED != 0) {
		// The clones of shared mounts are their peers: what the options leave of
		// them below the top mount would lead the host. In a user namespace its root
		// could mount things on the host, so there not even "shared" makes a peer; and
		// elsewhere only with a shared root file system, as under runc.
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
