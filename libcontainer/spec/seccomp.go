package spec

import "brig/seccomp"

// seccomp leaves the profile to the package that compiles it.
func (c *check) seccomp() {
	if c.linux.Seccomp == nil {
		return
	}
	for _, e := range seccomp.Validate(c.linux.Seccomp) {
		c.add(e)
	}
}
