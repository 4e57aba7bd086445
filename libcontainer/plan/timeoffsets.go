package plan

import (
	"maps"
	"slices"
	"strconv"

	"brig/libcontainer/fault"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// timeOffsets makes the time namespace ahead of the fork, where the config sets
// its clocks: they are fixed as soon as a process enters it, and who is forked
// enters it with its first instruction. Each clock has a file of its own open,
// because the kernel takes one write to it, from its beginning.
func (c *compiler) timeOffsets() {
	offsets := c.spec.Linux.TimeOffsets
	if len(offsets) == 0 {
		return
	}
	clocks := slices.Sorted(maps.Keys(offsets))
	slots := make([]int, len(clocks))
	for i, clock := range clocks {
		slots[i] = c.b.Slot("clock")
		c.step(fault.Pointer("/linux/timeOffsets", clock), "open the offsets of the clocks")
		c.b.CallTo(slots[i], nsenter.Openat, nsenter.Int(unix.AT_FDCWD), c.b.Str("/proc/self/timens_offsets"), nsenter.Imm(unix.O_WRONLY|unix.O_CLOEXEC))
	}
	c.step(c.namespacePointer(specs.TimeNamespace), "create the time namespace")
	c.b.Call(nsenter.Unshare, nsenter.Imm(unix.CLONE_NEWTIME))
	for i, clock := range clocks {
		o := offsets[clock]
		line := clock + " " + strconv.FormatInt(o.Secs, 10) + " " + strconv.FormatUint(uint64(o.Nanosecs), 10) + "\n"
		c.step(fault.Pointer("/linux/timeOffsets", clock), "set the offset of the clock "+clock)
		c.b.Call(nsenter.Write, nsenter.Val(slots[i]), c.b.Str(line), nsenter.Imm(uint64(len(line))))
		c.close(slots[i])
	}
}
