package spec

import (
	"path"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// namespaceBit gives every known type a bit.
func namespaceBit(t specs.LinuxNamespaceType) uint {
	switch t {
	case specs.PIDNamespace:
		return 1 << 0
	case specs.NetworkNamespace:
		return 1 << 1
	case specs.MountNamespace:
		return 1 << 2
	case specs.IPCNamespace:
		return 1 << 3
	case specs.UTSNamespace:
		return 1 << 4
	case specs.UserNamespace:
		return 1 << 5
	case specs.CgroupNamespace:
		return 1 << 6
	case specs.TimeNamespace:
		return 1 << 7
	}
	return 0
}

func (c *check) namespaces() {
	seen := uint(0)
	for i, n := range c.linux.Namespaces {
		bit := namespaceBit(n.Type)
		switch {
		case bit == 0:
			c.fail(fault.Pointer("/linux/namespaces", i, "type"), "%q is not a type of namespace", n.Type)
		case seen&bit != 0:
			c.fail(fault.Pointer("/linux/namespaces", i, "type"), "the %s namespace is there twice", n.Type)
		case n.Path != "" && !path.IsAbs(n.Path):
			c.fail(fault.Pointer("/linux/namespaces", i, "path"), "%q is not an absolute path", n.Path)
		case strings.IndexByte(n.Path, 0) >= 0:
			c.fail(fault.Pointer("/linux/namespaces", i, "path"), "a NUL byte in a string")
		}
		seen |= bit
	}
	c.requiredNamespaces()
}

// requiredNamespaces asks for a new mount namespace, because brig has no other way
// to give a container its root: chroot among the mounts of the host confines
// nobody, and a mount namespace of someone else is not brig's to rebuild.
func (c *check) requiredNamespaces() {
	switch ns := c.namespace(specs.MountNamespace); {
	case ns == nil:
		c.fail("/linux/namespaces", "a mount namespace is missing: without one the container would share the mounts of the host")
	case ns.Path != "":
		c.fail("/linux/namespaces", "the mount namespace has to be a new one, without a path")
	}
	if c.options.Rootless && c.namespace(specs.UserNamespace) == nil {
		c.fail("/linux/namespaces", "an ordinary user needs a user namespace for a container")
	}
}
