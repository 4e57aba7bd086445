package plan

import (
	"fmt"
	"path"
	"strings"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// attachMounts makes and attaches the mounts, strictly in the order of the list.
func (c *compiler) attachMounts() {
	for i := range c.mounts {
		m := &c.mounts[i]
		destination := path.Clean("/" + m.Destination)
		if destination == "/" {
			continue
		}
		if m.link != "" {
			c.makeLink(m, destination)
			continue
		}
		tree := m.source
		if !m.Bind {
			tree = c.makeTree(m, destination)
		}
		c.step(m.pointer, fmt.Sprintf("mount %s on %q", m.what(), destination))
		target := c.b.Slot("target" + m.pointer[len("/mounts/"):])
		c.target(target, m, destination)
		c.inheritMode(m, tree, target)
		c.copyUp(m, tree, target, destination)
		c.attach(tree, nsenter.Val(target))
		c.close(target)
		if c.keeps(m) {
			m.tree = tree
		} else if !c.isLate(tree) {
			c.close(tree)
		}
	}
}

func (m *mount) what() string {
	if m.Bind {
		return quoted(m.Mount.Source)
	}
	return fsType(m.Type)
}

// fsType is the name under which the kernel knows a type of the config: brig
// knows no cgroup but version 2.
func fsType(name string) string {
	if name == "cgroup" {
		return "cgroup2"
	}
	return name
}

// makeTree creates a file system and mounts it detached, with its final
// attributes: there is no moment at which it is attached and weaker.
func (c *compiler) makeTree(m *mount, destination string) int {
	kind := fsType(m.Type)
	fs, tree := c.b.Slot("fs"), c.b.Slot(path.Base(destination))
	c.step(m.pointer, fmt.Sprintf("create the %s for %q", kind, destination))
	c.b.CallTo(fs, nsenter.Fsopen, c.b.Str(kind), nsenter.Imm(unix.FSOPEN_CLOEXEC))
	if m.Mount.Source != "" && !strings.ContainsRune(m.Mount.Source, 0) {
		c.fsString(fs, "source", m.Mount.Source)
	}
	for _, name := range m.SuperFlags {
		c.fsFlag(fs, name)
	}
	if len(m.Data) > 0 {
		c.step(m.pointer+"/options", fmt.Sprintf("set the options of the %s for %q", kind, destination))
	}
	for _, d := range m.Data {
		if d.Flag {
			c.fsFlag(fs, d.Key)
		} else {
			c.fsString(fs, d.Key, d.Value)
		}
	}
	c.mountLabel(fs, kind, quoted(destination), m.Data)
	if len(m.Data) > 0 || c.spec.Linux.MountLabel != "" {
		c.step(m.pointer, fmt.Sprintf("create the %s for %q", kind, destination))
	}
	c.b.Call(nsenter.Fsconfig, nsenter.Val(fs), nsenter.Imm(unix.FSCONFIG_CMD_CREATE), nsenter.Null(), nsenter.Null(), nsenter.Imm(0))
	attr := m.SetAttr
	if kind == "tmpfs" && attr&unix.MOUNT_ATTR_RDONLY != 0 {
		attr &^= unix.MOUNT_ATTR_RDONLY
		c.lateRO = append(c.lateRO, ro{tree, m.pointer + "/options", fmt.Sprintf("make the tmpfs on %q read-only", destination)})
	}
	c.b.CallTo(tree, nsenter.Fsmount, nsenter.Val(fs), nsenter.Imm(unix.FSMOUNT_CLOEXEC), nsenter.Imm(attr))
	c.close(fs)
	c.labelQueues(tree, kind, destination)
	c.mapIDs(m, tree)
	for _, p := range m.Propagation {
		c.setattr(nsenter.Val(tree), p&unix.MS_REC != 0, 0, 0, p&^unix.MS_REC)
	}
	return tree
}

func (c *compiler) isLate(tree int) bool {
	for _, t := range c.lateRO {
		if t.slot == tree {
			return true
		}
	}
	return false
}

func (c *compiler) fsString(fs int, key, value string) {
	c.b.Call(nsenter.Fsconfig, nsenter.Val(fs), nsenter.Imm(unix.FSCONFIG_SET_STRING), c.b.Str(key), c.b.Str(value), nsenter.Imm(0))
}

func (c *compiler) fsFlag(fs int, key string) {
	c.b.Call(nsenter.Fsconfig, nsenter.Val(fs), nsenter.Imm(unix.FSCONFIG_SET_FLAG), c.b.Str(key), nsenter.Null(), nsenter.Imm(0))
}

// inheritMode gives a tmpfs without a mode option the mode of the directory that
// it covers, as engines expect of /tmp.
func (c *compiler) inheritMode(m *mount, tree, target int) {
	if m.Bind || fsType(m.Type) != "tmpfs" {
		return
	}
	if m.has("mode") {
		return
	}
	mode, dir := c.b.Slot("mode"), c.b.Slot("dir")
	c.fileType(target)
	c.b.Store(mode, 2, nsenter.Val(c.statx+statxMode))
	c.openat2(dir, nil, nsenter.Val(tree), ".", unix.O_RDONLY|unix.O_DIRECTORY, beneath)
	c.b.Call(nsenter.Fchmod, nsenter.Val(dir), nsenter.Val(mode))
	c.close(dir)
}
