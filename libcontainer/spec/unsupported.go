package spec

// notYet is the text for what a later version will bring.
const notYet = "not supported by this version of brig yet"

// unsupported refuses the fields that are not compiled yet. Each would confine or
// prepare the container in a way that its author relies on, so none is ignored.
func (c *check) unsupported() {
	c.refuse("/vm", c.VM != nil)
	c.refuse("/windows", c.Windows != nil)
	c.refuse("/solaris", c.Solaris != nil)
	c.refuse("/zos", c.ZOS != nil)
	c.refuse("/freebsd", c.FreeBSD != nil)
	if h := c.Hooks; h != nil {
		//lint:ignore SA1019 deprecated, but engines still write it
		c.refuse("/hooks/prestart", len(h.Prestart) > 0)
		c.refuse("/hooks/createRuntime", len(h.CreateRuntime) > 0)
		c.refuse("/hooks/createContainer", len(h.CreateContainer) > 0)
		c.refuse("/hooks/startContainer", len(h.StartContainer) > 0)
		c.refuse("/hooks/poststart", len(h.Poststart) > 0)
		c.refuse("/hooks/poststop", len(h.Poststop) > 0)
	}
}

func (c *check) refuse(pointer string, set bool) {
	if set {
		c.fail(pointer, notYet)
	}
}
