package spec

// otherPlatform is the text for the sections that are not about Linux containers.
const otherPlatform = "is for another platform: brig runs Linux containers"

// unsupported refuses the sections of other platforms. Each would confine or prepare
// the container in a way that its author relies on, so none is ignored.
func (c *check) unsupported() {
	c.refuse("/vm", c.VM != nil)
	c.refuse("/windows", c.Windows != nil)
	c.refuse("/solaris", c.Solaris != nil)
	c.refuse("/zos", c.ZOS != nil)
	c.refuse("/freebsd", c.FreeBSD != nil)
}

func (c *check) refuse(pointer string, set bool) {
	if set {
		c.fail(pointer, otherPlatform)
	}
}
