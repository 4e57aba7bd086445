package spec

import (
	"maps"
	"slices"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const nanosecs = 1_000_000_000

// timeOffsets asks for a new time namespace: the clocks of one that runs already
// are fixed, and those of the host are the host's.
func (c *check) timeOffsets() {
	const at = "/linux/timeOffsets"
	if len(c.linux.TimeOffsets) == 0 {
		return
	}
	switch ns := c.namespace(specs.TimeNamespace); {
	case ns == nil:
		c.fail(at, "clocks cannot be set without a time namespace")
	case ns.Path != "":
		c.fail(at, "clocks cannot be set in a time namespace that is joined: they are fixed once a process is in it")
	case c.options.Rootless && !c.newNamespace(specs.UserNamespace):
		c.fail(at, "an ordinary user can set clocks only with a new user namespace")
	}
	for _, clock := range slices.Sorted(maps.Keys(c.linux.TimeOffsets)) {
		if clock != "monotonic" && clock != "boottime" {
			c.fail(fault.Pointer(at, clock), `the clock is neither "monotonic" nor "boottime"`)
			continue
		}
		if n := c.linux.TimeOffsets[clock].Nanosecs; n >= nanosecs {
			c.fail(fault.Pointer(at, clock, "nanosecs"), "%d is a second or more", n)
		}
	}
}
