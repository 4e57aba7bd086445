package plan

import (
	"slices"
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// IDMap is the mapping of the ids of one or more mounts, where it is not that of
// the container's user namespace. The kernel takes a mapping as a user namespace;
// the stage is handed one for each.
type IDMap struct {
	Pointer    string // of the first mount that has it
	UIDs, GIDs []specs.LinuxIDMapping
}

func (m *IDMap) is(other *IDMap) bool {
	return slices.Equal(m.UIDs, other.UIDs) && slices.Equal(m.GIDs, other.GIDs)
}

// idSource says where the mapping of a mount comes from.
type idSource int

const (
	notMapped    idSource = iota
	newUserNS             // the container's new user namespace, once there is one
	joinedUserNS          // the one that the container joins
	handedUserNS          // one that brig hands over
)

// idsOf finds where the mapping of a mount comes from.
func idsOf(s *specs.Spec, m *specs.Mount, o *spec.MountOptions) (idSource, IDMap, error) {
	if !spec.IsMapped(m, o) {
		return notMapped, IDMap{}, nil
	}
	uids, gids, err := spec.MountIDs(m, o, s.Linux)
	ids, own := IDMap{UIDs: uids, GIDs: gids}, IDMap{UIDs: s.Linux.UIDMappings, GIDs: s.Linux.GIDMappings}
	fresh := slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace && n.Path == "" })
	switch {
	case err != nil:
		return notMapped, IDMap{}, err
	case fresh && (len(uids) == 0 || ids.is(&own)):
		return newUserNS, IDMap{}, nil
	case len(uids) == 0:
		return joinedUserNS, IDMap{}, nil
	}
	return handedUserNS, ids, nil
}

// eachMapped visits the mounts whose ids are mapped, and spares the others the
// reading of their options.
func eachMapped(s *specs.Spec, visit func(i int, from idSource, ids IDMap)) {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if len(m.UIDMappings) == 0 && !slices.ContainsFunc(m.Options, isIDMap) {
			continue
		}
		o, err := spec.ParseMountOptions(m)
		if err != nil {
			continue // the compiler says so
		}
		if from, ids, err := idsOf(s, m, &o); err == nil && from != notMapped {
			visit(i, from, ids)
		}
	}
}

func isIDMap(option string) bool {
	return strings.HasPrefix(option, "idmap") || strings.HasPrefix(option, "ridmap")
}

// IDMapsOf lists the mappings of a config's mounts for which there has to be a user
// namespace, each once.
func IDMapsOf(s *specs.Spec) []IDMap {
	var list []IDMap
	eachMapped(s, func(i int, from idSource, ids IDMap) {
		if from == handedUserNS && !slices.ContainsFunc(list, func(have IDMap) bool { return have.is(&ids) }) {
			ids.Pointer = fault.Pointer("/mounts", i)
			list = append(list, ids)
		}
	})
	return list
}

// MapsOwnIDs says that the ids of some mounts are mapped with the container's own
// new user namespace. The stage's first process then needs that, to map them with.
func (in *Input) MapsOwnIDs() bool {
	found := false
	eachMapped(in.Spec, func(_ int, from idSource, _ IDMap) { found = found || from == newUserNS })
	return found
}

// readIDs finds where the mapping of a mount comes from.
func (c *compiler) readIDs(m *mount) {
	from, ids, err := idsOf(c.spec, &m.Mount, &m.MountOptions)
	switch {
	case err != nil:
		c.faults = append(c.faults, fault.Configf(m.pointer+"/options", "%s", err))
	case from != notMapped && c.in.Host.Rootless:
		c.faults = append(c.faults, fault.Configf(m.pointer+"/options", "only root can map the ids of files").
			WithHint("brig spec --rootless writes a config without"))
	case from == handedUserNS:
		m.idsFD = c.in.idMapFD(slices.IndexFunc(c.in.IDMaps, func(have IDMap) bool { return have.is(&ids) }))
	}
	m.ids = from
}

// mapsOwnIDs is MapsOwnIDs of what is compiled.
func (c *compiler) mapsOwnIDs() bool {
	return slices.ContainsFunc(c.mounts, func(m mount) bool { return m.ids == newUserNS })
}

// mapIDs maps the ids of a detached tree with a user namespace that is there.
func (c *compiler) mapIDs(m *mount, tree int) {
	var from nsenter.Arg
	switch m.ids {
	case handedUserNS:
		from = nsenter.Imm(uint64(m.idsFD))
	case joinedUserNS:
		from = nsenter.Val(c.nsFDs[slices.IndexFunc(c.nsFDs, func(ns nsFD) bool { return ns.Type == specs.UserNamespace })].slot)
	default:
		return
	}
	c.step(m.pointer, "map the ids of "+m.files())
	c.setIDMap(m, tree, from)
}

func (c *compiler) setIDMap(m *mount, tree int, from nsenter.Arg) {
	attr := c.b.Buffer("mount_attr", mountAttrSize)
	c.b.Store(attr, 8, nsenter.Imm(unix.MOUNT_ATTR_IDMAP))
	c.b.Store(attr+24, 8, from)
	flags := uint64(unix.AT_EMPTY_PATH)
	if m.IDMapRecursive {
		flags |= unix.AT_RECURSIVE
	}
	c.b.Call(nsenter.MountSetattr, nsenter.Val(tree), c.b.Str(""), nsenter.Imm(flags), nsenter.Addr(attr), nsenter.Imm(mountAttrSize))
}

// mapOwnIDs maps the ids of all trees that wait for the container's new user
// namespace, whose fd is in scratch space. It runs on the host's side, whose user
// namespace owns the file systems.
func (c *compiler) mapOwnIDs(usernsFD int) {
	slot := c.b.Slot("user_ns")
	c.b.Store(slot, 4, nsenter.Val(usernsFD))
	for i := range c.mounts {
		m := &c.mounts[i]
		if m.ids != newUserNS {
			continue
		}
		tree := m.source
		if m.isRoot() {
			tree = c.root
		}
		c.b.Step(m.pointer, "map the ids of "+m.files())
		c.setIDMap(m, tree, nsenter.Val(slot))
	}
}

// Hold compiles the program of a process that does nothing but be the first of a
// user namespace, until brig closes its end of the control socket.
func Hold(pointer string) (*nsenter.Program, error) {
	b := nsenter.NewBuilder()
	control := nsenter.Imm(3)
	b.Section("idmap")
	b.Step(pointer, "hold a user namespace to map the ids of files")
	b.Store(b.Report(), 8, control)
	b.Call(nsenter.Read, control, nsenter.Addr(b.Buffer("byte", 8)), nsenter.Imm(1))
	b.Exit(0)
	return b.Program()
}
