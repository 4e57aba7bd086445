package spec

import (
	"path"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// namespaceTypes is the number of types.
const namespaceTypes = 8

// namespaceIndex numbers the types; an unknown one is namespaceTypes.
func namespaceIndex(t specs.LinuxNamespaceType) int {
	switch t {
	case specs.PIDNamespace:
		return 0
	case specs.NetworkNamespace:
		return 1
	case specs.MountNamespace:
		return 2
	case specs.IPCNamespace:
		return 3
	case specs.UTSNamespace:
		return 4
	case specs.UserNamespace:
		return 5
	case specs.CgroupNamespace:
		return 6
	case specs.TimeNamespace:
		return 7
	}
	return namespaceTypes
}

// findNamespaces finds the first namespace of each type.
func (c *check) findNamespaces() {
	for i := range c.linux.Namespaces {
		n := namespaceIndex(c.linux.Namespaces[i].Type)
		if n < namespaceTypes && c.first[n] == nil {
			c.first[n] = &c.linux.Namespaces[i]
		}
	}
}

// namespace is the namespace of a type in the list, or nil. One without a path is
// new; one that is not in the list is shared with the host.
func (c *check) namespace(t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	return c.first[namespaceIndex(t)]
}

func (c *check) newNamespace(t specs.LinuxNamespaceType) bool {
	n := c.namespace(t)
	return n != nil && n.Path == ""
}

func (c *check) namespaces() {
	for i := range c.linux.Namespaces {
		n := &c.linux.Namespaces[i]
		switch {
		case namespaceIndex(n.Type) == namespaceTypes:
			c.fail(fault.Pointer("/linux/namespaces", i, "type"), "%q is not a type of namespace", n.Type)
		case n != c.namespace(n.Type):
			c.fail(fault.Pointer("/linux/namespaces", i, "type"), "the %s namespace is there twice", n.Type)
		case n.Path != "" && !path.IsAbs(n.Path):
			c.fail(fault.Pointer("/linux/namespaces", i, "path"), "%q is not an absolute path", n.Path)
		case strings.IndexByte(n.Path, 0) >= 0:
			c.fail(fault.Pointer("/linux/namespaces", i, "path"), "a NUL byte in a string")
		}
	}
	c.requiredNamespaces()
}

// requiredNamespaces asks for the namespaces without which others make no sense. In
// a mount namespace of somebody else brig mounts nothing: the container's root is a
// tree of its own, which only those reach whose root it is.
func (c *check) requiredNamespaces() {
	if !c.newNamespace(specs.MountNamespace) {
		if c.namespace(specs.UserNamespace) != nil {
			c.fail("/linux/namespaces", "with a user namespace the mount namespace has to be a new one")
		}
		if p := c.Process; p != nil && p.Capabilities != nil && slices.Contains(p.Capabilities.Bounding, "CAP_SYS_ADMIN") && slices.Contains(p.Capabilities.Bounding, "CAP_SYS_CHROOT") {
			c.warn("/linux/namespaces", "without a new mount namespace, CAP_SYS_ADMIN and CAP_SYS_CHROOT are a way out of the root file system")
		}
	}
	if c.options.Rootless && c.namespace(specs.UserNamespace) == nil {
		c.fail("/linux/namespaces", "an ordinary user needs a user namespace for a container")
	}
}
