package spec

import "strings"

func (c *check) root() {
	switch {
	case c.Root == nil:
		c.fail("/root", "the root file system is missing")
	case c.Root.Path == "":
		c.fail("/root/path", "the path of the root file system is empty")
	case strings.IndexByte(c.Root.Path, 0) >= 0:
		c.fail("/root/path", "a NUL byte in a string")
	}
}

// propagation knows the words for which mount_setattr(2) has a flag.
func (c *check) propagation() {
	switch c.linux.RootfsPropagation {
	case "", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
	default:
		c.fail("/linux/rootfsPropagation", "%q is none of [r]private, [r]shared, [r]slave and [r]unbindable", c.linux.RootfsPropagation)
	}
}
