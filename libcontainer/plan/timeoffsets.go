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
	if len(offsets) == 0 || c.setsOwnClocks() {
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
		c.setClock(slots[i], clock)
	}
}

// setClock writes the offset of one clock.
func (c *compiler) setClock(fd int, clock string) {
	o := c.spec.Linux.TimeOffsets[clock]
	line := clock + " " + strconv.FormatInt(o.Secs, 10) + " " + strconv.FormatUint(uint64(o.Nanosecs), 10) + "\n"
	c.step(fault.Pointer("/linux/timeOffsets", clock), "set the offset of the clock "+clock)
	c.b.Call(nsenter.Write, nsenter.Val(fd), c.b.Str(line), nsenter.Imm(uint64(len(line))))
	c.close(fd)
}

// setsOwnClocks says that init makes its time namespace: an ordinary user may not
// before init is in its new user namespace.
func (c *compiler) setsOwnClocks() bool {
	return c.in.Join == nil && c.in.Host.Rootless && len(c.spec.Linux.TimeOffsets) > 0
}

// ownClocks makes the time namespace of an ordinary user's container, and enters it. It
// comes before init ceases to be dumpable: its files in /proc are its own so long.
func (c *compiler) ownClocks() {
	if !c.setsOwnClocks() {
		return
	}
	pointer := c.namespacePointer(specs.TimeNamespace)
	c.step(pointer, "create the time namespace")
	c.b.Call(nsenter.Unshare, nsenter.Imm(unix.CLONE_NEWTIME))
	fd, dir := c.b.Slot("clock"), c.b.Slot("ns")
	for _, clock := range slices.Sorted(maps.Keys(c.spec.Linux.TimeOffsets)) {
		c.step(fault.Pointer("/linux/timeOffsets", clock), "open the offsets of the clocks")
		c.openat2(fd, nil, nsenter.Val(c.proc), "self/timens_offsets", unix.O_WRONLY, selfFile)
		c.setClock(fd, clock)
	}
	c.step(pointer, "enter the time namespace")
	c.openat2(dir, nil, nsenter.Val(c.proc), "self/ns", unix.O_PATH|unix.O_DIRECTORY, selfFile)
	c.b.CallTo(fd, nsenter.Openat, nsenter.Val(dir), c.b.Str("time_for_children"), nsenter.Imm(unix.O_RDONLY|unix.O_CLOEXEC))
	c.b.Call(nsenter.Setns, nsenter.Val(fd), nsenter.Imm(unix.CLONE_NEWTIME))
	c.close(fd)
	c.close(dir)
	if len(labelsOf(c.in)) == 0 && !c.in.HandsOver() {
		c.close(c.proc)
	}
}
