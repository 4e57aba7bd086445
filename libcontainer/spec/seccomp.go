package spec

// seccomp is checked by the package that compiles it.
func (c *check) seccomp() {}
