package plan

import (
	"path"
	"slices"
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Resolve flags. inRoot is for names that the container's tree may lead anywhere
// inside itself; noLinks is for names where a link means an attack or a mistake.
const (
	inRoot  = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	noLinks = inRoot | unix.RESOLVE_NO_SYMLINKS
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
)

// Offsets in struct statx.
const (
	statxSize      = 256
	statxMode      = 28
	statxRdevMajor = 128
)

const typeMask = unix.S_IFMT

// compiler is the state of one compilation.
type compiler struct {
	in     *Input
	spec   *specs.Spec
	b      *nsenter.Builder
	faults fault.List

	control nsenter.Arg // the control socket
	proc    int         // slot of the host's /proc, for labels
	root    int         // slot of the root file system's tree
	base    int         // slot of what lies under it until pivot_root, 0 for the host's root
	mask    int         // slot of the tree that covers masked paths, 0 without one
	statx   int         // buffer for struct statx
	byte1   int         // buffer for one byte
	mounts  []mount
	nodes   []node // device nodes, in order
	init    initSlots
	conn    int  // slot of the connection that start makes
	lateRO  []ro // trees that become read-only when all is in place
	cwdLate int  // slot that says that the working directory needs the payload's uid
	stamps  int  // buffer for the time stamps of --timings, 0 without
	stamped int
	hows    []openHow
	nsFDs   []nsFD
	handles []handle
	parent  nsenter.Label
}

// ro is a tree that becomes read-only late, because something is created in it
// first.
type ro struct {
	slot    int
	pointer string
	name    string
}

type openHow struct {
	flags, resolve uint64
	arg            nsenter.Arg
}

// step starts a step of the current emitter.
func (c *compiler) step(pointer, name string) {
	c.b.Step(pointer, name)
	c.stamp()
}

// how is the address of a struct open_how; O_CLOEXEC is always in it.
func (c *compiler) how(flags, resolve uint64) nsenter.Arg {
	flags |= unix.O_CLOEXEC
	for _, h := range c.hows {
		if h.flags == flags && h.resolve == resolve {
			return h.arg
		}
	}
	arg := c.b.Words(flags, 0, resolve)
	c.hows = append(c.hows, openHow{flags, resolve, arg})
	return arg
}

const openHowSize = 24

// openat2 opens name below the directory in dir.
func (c *compiler) openat2(dst int, on []nsenter.On, dir nsenter.Arg, name string, flags, resolve uint64) {
	c.b.TryTo(dst, on, nsenter.Openat2, dir, c.b.Str(name), c.how(flags, resolve), nsenter.Imm(openHowSize))
}

// fileType reads the type of the file in slot fd into the statx buffer.
func (c *compiler) fileType(fd int) {
	c.b.Call(nsenter.Statx, nsenter.Val(fd), c.b.Str(""), nsenter.Imm(unix.AT_EMPTY_PATH), nsenter.Imm(unix.STATX_TYPE|unix.STATX_MODE), nsenter.Addr(c.statx))
}

const mountAttrSize = 32

// setattr changes attributes or propagation of a whole tree, or of its top mount.
func (c *compiler) setattr(tree nsenter.Arg, recursive bool, set, clr, propagation uint64) {
	flags := uint64(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	c.b.Call(nsenter.MountSetattr, tree, c.b.Str(""), nsenter.Imm(flags), c.b.Words(set, clr, propagation, 0), nsenter.Imm(mountAttrSize))
}

// attach mounts a tree on the file that target holds open: no name is resolved
// again (CVE-2021-30465).
func (c *compiler) attach(tree int, target nsenter.Arg) {
	c.b.Call(nsenter.MoveMount, nsenter.Val(tree), c.b.Str(""), target, c.b.Str(""),
		nsenter.Imm(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

func (c *compiler) close(slot int) { c.b.Call(nsenter.Close, nsenter.Val(slot)) }

// hasNamespace says whether the container has its own namespace of a type, new or
// joined.
func (c *compiler) hasNamespace(t specs.LinuxNamespaceType) bool {
	return namespace(c.spec, t) != nil
}

// namespace is the entry of a type, nil without one: a config has one of each at most.
func namespace(s *specs.Spec, t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	if s.Linux == nil {
		return nil
	}
	i := slices.IndexFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == t })
	if i < 0 {
		return nil
	}
	return &s.Linux.Namespaces[i]
}

// inUserNamespace says that the payload's user namespace is not brig's own.
func (c *compiler) inUserNamespace() bool {
	if j := c.in.Join; j != nil {
		return j.Namespaces&unix.CLONE_NEWUSER != 0
	}
	return c.hasNamespace(specs.UserNamespace)
}

// newNamespace says whether a namespace of a type is to be created.
func (c *compiler) newNamespace(t specs.LinuxNamespaceType) bool {
	n := namespace(c.spec, t)
	return c.in.Join == nil && n != nil && n.Path == ""
}

// relative turns a path of the container into one that openat2 takes below the
// root: clean, without the leading slash.
func relative(name string) string {
	clean := path.Clean("/" + name)
	if clean == "/" {
		return "."
	}
	return clean[1:]
}

// absolute makes a path of the config absolute, from the bundle. It is not
// cleaned: after a link ".." leads elsewhere than its text says.
func (c *compiler) absolute(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return c.in.Bundle + "/" + name
}

// rootID is the id inside the container that its file system is built with: 0,
// or the first mapped one where 0 is not mapped.
func rootID(maps []specs.LinuxIDMapping) uint64 {
	first := uint64(0)
	for i, m := range maps {
		if m.ContainerID == 0 {
			return 0
		}
		if i == 0 {
			first = uint64(m.ContainerID)
		}
	}
	return first
}

// mount is one entry of /mounts with its options read.
type mount struct {
	specs.Mount
	spec.MountOptions
	pointer string
	source  int    // slot of the tree that a bind mount attaches
	index   int    // in the list of the config
	link    string // what is made in place of the mount: a symbolic link to this
	ids     idSource
	idsFD   int // of the user namespace that is handed over
	tree    int // slot of its fd, where that is kept
}

// isRoot says that the entry is about the root file system itself.
func (m *mount) isRoot() bool { return path.Clean("/"+m.Destination) == "/" }

// has says whether a parameter of the file system is given.
func (m *mount) has(key string) bool {
	return slices.ContainsFunc(m.Data, func(p spec.FSParam) bool { return p.Key == key })
}

// files names what is mounted for people.
func (m *mount) files() string {
	switch {
	case m.isRoot():
		return "the root file system"
	case m.Bind:
		return "the bind mount"
	}
	return "the " + fsType(m.Type)
}

// readMounts reads the options of all mounts. An entry for "/" only says how the
// root file system itself is mounted.
func (c *compiler) readMounts() {
	for i := range c.spec.Mounts {
		m := mount{Mount: c.spec.Mounts[i], pointer: fault.Pointer("/mounts", i), index: i, link: c.in.Links[i]}
		options, err := spec.ParseMountOptions(&m.Mount)
		if err != nil {
			c.faults = append(c.faults, fault.Configf(m.pointer+"/options", "%s", err))
			continue
		}
		m.MountOptions = options
		c.readIDs(&m)
		c.mounts = append(c.mounts, m)
	}
}

// mounted says whether the config mounts something on a path, and whether it is
// a bind mount.
func (c *compiler) mounted(destination string) (mounted, bind bool) {
	for _, m := range c.mounts {
		if path.Clean("/"+m.Destination) == destination {
			return true, m.Bind
		}
	}
	return false, false
}
