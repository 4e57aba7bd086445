package spec

import (
	"path"
	"strings"

	"brig/libcontainer/fault"
)

// maskedPaths and readonlyPaths may name a path twice; it is covered once.
func (c *check) maskedPaths() { c.paths("/linux/maskedPaths", c.linux.MaskedPaths) }

func (c *check) readonlyPaths() { c.paths("/linux/readonlyPaths", c.linux.ReadonlyPaths) }

// paths refuses "/": masked, it would hide the whole container, and for a
// read-only root there is /root/readonly, which leaves the mounts below it alone.
func (c *check) paths(pointer string, list []string) {
	for i, name := range list {
		switch {
		case !path.IsAbs(name):
			c.fail(fault.Pointer(pointer, i), "%q is not an absolute path", name)
		case path.Clean(name) == "/":
			c.fail(fault.Pointer(pointer, i), "cannot be the root file system itself")
		case strings.IndexByte(name, 0) >= 0:
			c.fail(fault.Pointer(pointer, i), "a NUL byte in a string")
		}
	}
}
