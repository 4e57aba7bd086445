package spec

import (
	"math"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxMappings is UID_GID_MAP_MAX_EXTENTS of the kernel (since 4.15).
const maxMappings = 340

func (c *check) uidMappings() { c.mappings("/linux/uidMappings", c.linux.UIDMappings) }

func (c *check) gidMappings() { c.mappings("/linux/gidMappings", c.linux.GIDMappings) }

// mappings finds what the kernel would refuse with an EINVAL that says nothing.
// With a user namespace to join, a mapping is what an engine knows about it; that
// of the namespace counts, so there only the form is checked.
func (c *check) mappings(pointer string, maps []specs.LinuxIDMapping) {
	ns := c.namespace(specs.UserNamespace)
	switch {
	case ns == nil && len(maps) > 0:
		c.fail(pointer, "ids are mapped, but there is no user namespace in /linux/namespaces")
	case ns != nil && ns.Path == "" && len(maps) == 0:
		c.fail(pointer, "a new user namespace needs a mapping")
	}
	c.idRanges(pointer, maps)
}

// idRanges checks the ranges by themselves.
func (c *check) idRanges(pointer string, maps []specs.LinuxIDMapping) {
	if len(maps) > maxMappings {
		c.fail(pointer, "%d mappings are more than the %d of the kernel", len(maps), maxMappings)
		return
	}
	for i, m := range maps {
		at := fault.Pointer(pointer, i)
		if m.Size == 0 {
			c.fail(at+"/size", "a mapping of no ids")
			continue
		}
		if uint64(m.ContainerID)+uint64(m.Size) > math.MaxUint32 {
			c.fail(at, "container ids %d and the %d from it go beyond 4294967294", m.ContainerID, m.Size)
		}
		if uint64(m.HostID)+uint64(m.Size) > math.MaxUint32 {
			c.fail(at, "host ids %d and the %d from it go beyond 4294967294", m.HostID, m.Size)
		}
		for j, o := range maps[:i] {
			if overlap(m.ContainerID, m.Size, o.ContainerID, o.Size) {
				c.fail(at+"/containerID", "the container ids overlap with those of mapping %d", j)
			}
			if overlap(m.HostID, m.Size, o.HostID, o.Size) {
				c.fail(at+"/hostID", "the host ids overlap with those of mapping %d", j)
			}
		}
	}
}

func overlap(a, aSize, b, bSize uint32) bool {
	return uint64(a) < uint64(b)+uint64(bSize) && uint64(b) < uint64(a)+uint64(aSize)
}
