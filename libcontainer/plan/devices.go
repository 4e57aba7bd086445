package plan

import (
	"fmt"
	"path"

	"brig/libcontainer/fault"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// node is a device node of the container: made by mknod, or, in a user namespace,
// the host's own node mounted on an empty file.
type node struct {
	path         string
	pointer      string
	mode         uint64 // type and permissions
	major, minor int64
	uid, gid     uint32
	chown        bool
	source       int // slot of the host's node
}

// defaultNodes are the devices that every container has.
var defaultNodes = [...]node{
	{path: "/dev/null", mode: unix.S_IFCHR | 0o666, major: 1, minor: 3},
	{path: "/dev/zero", mode: unix.S_IFCHR | 0o666, major: 1, minor: 5},
	{path: "/dev/full", mode: unix.S_IFCHR | 0o666, major: 1, minor: 7},
	{path: "/dev/tty", mode: unix.S_IFCHR | 0o666, major: 5, minor: 0},
	{path: "/dev/random", mode: unix.S_IFCHR | 0o666, major: 1, minor: 8},
	{path: "/dev/urandom", mode: unix.S_IFCHR | 0o666, major: 1, minor: 9},
}

// links of /dev, by name.
var devLinks = [...][2]string{
	{"pts/ptmx", "ptmx"},
	{"/proc/self/fd", "fd"},
	{"/proc/self/fd/0", "stdin"},
	{"/proc/self/fd/1", "stdout"},
	{"/proc/self/fd/2", "stderr"},
}

// readNodes lists the nodes to make. An entry of the config, or a mount, takes
// the place of a default one; a bind mount on /dev brings its own.
func (c *compiler) readNodes() {
	if _, bind := c.mounted("/dev"); bind {
		return
	}
	for _, d := range defaultNodes {
		if mounted, _ := c.mounted(d.path); !mounted && !c.configured(d.path) {
			c.nodes = append(c.nodes, d)
		}
	}
	for i := range c.spec.Linux.Devices {
		c.nodes = append(c.nodes, nodeOf(&c.spec.Linux.Devices[i], fault.Pointer("/linux/devices", i)))
	}
}

func (c *compiler) configured(name string) bool {
	for _, d := range c.spec.Linux.Devices {
		if path.Clean(d.Path) == name {
			return true
		}
	}
	return false
}

func nodeOf(d *specs.LinuxDevice, pointer string) node {
	n := node{path: path.Clean(d.Path), pointer: pointer, major: d.Major, minor: d.Minor, mode: 0o666}
	if d.FileMode != nil {
		n.mode = uint64(*d.FileMode) & 0o7777
	}
	switch d.Type {
	case "b":
		n.mode |= unix.S_IFBLK
	case "p":
		n.mode |= unix.S_IFIFO
	default:
		n.mode |= unix.S_IFCHR
	}
	if d.UID != nil {
		n.uid, n.chown = *d.UID, true
	}
	if d.GID != nil {
		n.gid, n.chown = *d.GID, true
	}
	return n
}

// bound says that nodes are the host's, mounted: in a user namespace the kernel
// refuses mknod of devices. A FIFO can be made anywhere.
func (c *compiler) bound(n *node) bool {
	return (c.hasNamespace(specs.UserNamespace) || c.in.Host.InUserNamespace) && n.mode&typeMask != unix.S_IFIFO
}

// openNodes opens the host's device nodes and makes sure that each is the device
// that it has to be: a name proves nothing (CVE-2025-31133, CVE-2026-88265).
func (c *compiler) openNodes() {
	c.readNodes()
	for i := range c.nodes {
		n := &c.nodes[i]
		if !c.bound(n) {
			continue
		}
		c.step(n.pointer, fmt.Sprintf("open the host's %s", n.path))
		n.source = c.b.Slot("host_" + path.Base(n.path))
		c.cloneHostTree(n.source, n.path, false, true)
		c.checkNode(n.source, n, fmt.Sprintf("the host's %s is not the device %d:%d", n.path, n.major, n.minor))
	}
}

// checkNode fails unless the file in the slot has the node's type and number.
func (c *compiler) checkNode(slot int, n *node, reason string) {
	bad, good := c.b.Label(), c.b.Label()
	c.fileType(slot)
	c.b.JumpUnless(c.statx+statxMode, typeMask, n.mode&typeMask, bad)
	c.b.JumpIf(c.statx+statxRdevMajor, ^uint64(0), uint64(n.minor)<<32|uint64(n.major), good)
	c.b.Bind(bad)
	c.b.Fail(unix.ENXIO, reason)
	c.b.Bind(good)
}

// devices makes the nodes and links of /dev, after all mounts. It makes them by
// the fd of a directory that no link leads to (CVE-2026-41579, CVE-2026-47766).
func (c *compiler) devices() {
	mounted, bind := c.mounted("/dev")
	if bind {
		return
	}
	dev := c.b.Slot("dev")
	c.step("", "open /dev")
	c.openDev(dev, mounted)
	for i := range c.nodes {
		c.makeNode(&c.nodes[i], dev)
	}
	for _, l := range devLinks {
		if mounted, _ := c.mounted("/dev/" + l[1]); mounted || c.configured("/dev/"+l[1]) {
			continue
		}
		c.step("", fmt.Sprintf("link /dev/%s", l[1]))
		there := c.b.Label()
		c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EEXIST, Label: there}}, nsenter.Symlinkat, c.b.Str(l[0]), nsenter.Val(dev), c.b.Str(l[1]))
		c.b.Bind(there)
	}
	c.close(dev)
}

func (c *compiler) openDev(dev int, mounted bool) {
	link, done := c.b.Label(), c.b.Label()
	on := []nsenter.On{{Errno: unix.ELOOP, Label: link}, {Errno: unix.ENOTDIR, Label: link}}
	none := c.b.Label()
	if !mounted {
		on = append(on, nsenter.On{Errno: unix.ENOENT, Label: none})
	}
	c.openat2(dev, on, nsenter.Val(c.root), "dev", unix.O_PATH|unix.O_DIRECTORY, noLinks)
	c.b.Goto(done)
	c.b.Bind(link)
	c.b.Fail(unix.ELOOP, reservedReason("/dev"))
	if !mounted {
		c.b.Bind(none)
		c.b.Call(nsenter.Mkdirat, nsenter.Val(c.root), c.b.Str("dev"), nsenter.Imm(0o755))
		c.openat2(dev, nil, nsenter.Val(c.root), "dev", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	}
	c.b.Bind(done)
}

// makeNode makes one node; dev is the open /dev.
func (c *compiler) makeNode(n *node, dev int) {
	c.step(n.pointer, "make "+n.path)
	dir, name := dev, path.Base(n.path)
	if path.Dir(n.path) != "/dev" {
		dir = c.b.Slot("dir")
		c.openDir(dir, path.Dir(n.path))
	}
	kind, number := n.mode, unix.Mkdev(uint32(n.major), uint32(n.minor))
	if c.bound(n) {
		kind, number = unix.S_IFREG, 0
	} else if n.mode&typeMask == unix.S_IFIFO {
		number = 0
	}
	there, made := c.b.Label(), c.b.Label()
	c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EEXIST, Label: there}}, nsenter.Mknodat,
		nsenter.Val(dir), c.b.Str(name), nsenter.Imm(kind), nsenter.Imm(number))
	c.b.Goto(made)
	c.b.Bind(there)
	c.checkExisting(n, dir, name)
	c.b.Bind(made)
	if c.bound(n) {
		target := c.b.Slot("target")
		c.openat2(target, nil, nsenter.Val(dir), name, unix.O_PATH|unix.O_NOFOLLOW, beneath)
		c.attach(n.source, nsenter.Val(target))
		c.close(target)
		c.close(n.source)
	} else if n.chown {
		c.b.Call(nsenter.Fchownat, nsenter.Val(dir), c.b.Str(name), nsenter.Imm(uint64(n.uid)), nsenter.Imm(uint64(n.gid)), nsenter.Imm(unix.AT_SYMLINK_NOFOLLOW))
	}
	if dir != dev {
		c.close(dir)
	}
}

// checkExisting accepts what is there already only if it is the device itself,
// or in a user namespace any file that is not a link: it gets covered.
func (c *compiler) checkExisting(n *node, dir int, name string) {
	if c.bound(n) {
		return
	}
	there := c.b.Slot("there")
	c.openat2(there, nil, nsenter.Val(dir), name, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	reason := fmt.Sprintf("something else is already at %s", n.path)
	if n.mode&typeMask == unix.S_IFIFO {
		ok := c.b.Label()
		c.fileType(there)
		c.b.JumpIf(c.statx+statxMode, typeMask, unix.S_IFIFO, ok)
		c.b.Fail(unix.EEXIST, reason)
		c.b.Bind(ok)
	} else {
		c.checkNode(there, n, reason)
	}
	c.close(there)
}

// openDir opens a directory of the container, and makes it where it is missing.
// The root is always there.
func (c *compiler) openDir(slot int, name string) {
	if relative(name) == "." {
		c.openat2(slot, nil, nsenter.Val(c.root), ".", unix.O_PATH|unix.O_DIRECTORY, inRoot)
		return
	}
	none, done := c.b.Label(), c.b.Label()
	c.openat2(slot, []nsenter.On{{Errno: unix.ENOENT, Label: none}}, nsenter.Val(c.root), relative(name), unix.O_PATH|unix.O_DIRECTORY, inRoot)
	c.b.Goto(done)
	c.b.Bind(none)
	c.makePath(slot, name, 0, inRoot)
	c.b.Bind(done)
}
