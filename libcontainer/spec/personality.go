package spec

import (
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Execution domains of personality(2); golang.org/x/sys has no names for them.
const (
	perLinux   = 0
	perLinux32 = 8
)

// PersonalityDomain is the number of an execution domain.
func PersonalityDomain(d specs.LinuxPersonalityDomain) (number uint64, ok bool) {
	switch d {
	case specs.PerLinux:
		return perLinux, true
	case specs.PerLinux32:
		return perLinux32, true
	}
	return 0, false
}

// personality refuses every flag: the specification defines none, and some of the
// kernel's take protection away (READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE).
func (c *check) personality() {
	p := c.linux.Personality
	if p == nil {
		return
	}
	if _, ok := PersonalityDomain(p.Domain); !ok {
		c.fail("/linux/personality/domain", "%q is neither LINUX nor LINUX32", p.Domain)
	}
	for i, flag := range p.Flags {
		c.fail(fault.Pointer("/linux/personality/flags", i), "the runtime-spec defines no flags, and %q is one", flag)
	}
}
