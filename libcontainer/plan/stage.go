package plan

import (
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// allFDs is the end of a close_range.
const allFDs = 0xffffffff

// stage makes the stage's first process fit to hold what comes: nobody may look
// into it (CVE-2016-9962), no fd that the caller leaked lives on (CVE-2024-21626),
// and modes come out as written.
func (c *compiler) stage() {
	c.b.Step("", "prepare the stage")
	c.b.Store(c.b.Report(), 8, c.control)
	c.startStamps()
	// The files of a process that is not dumpable belong to the host's root, and an
	// ordinary user could not map its ids: there it happens once they are mapped.
	if !c.in.Host.Rootless || !c.newNamespace("user") {
		c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_DUMPABLE), nsenter.Imm(0))
	}
	last := uint64(c.in.lastFD())
	c.b.Call(nsenter.CloseRange, nsenter.Imm(last+1), nsenter.Imm(allFDs), nsenter.Imm(0))
	c.b.Call(nsenter.CloseRange, nsenter.Imm(uint64(c.in.controlFD())), nsenter.Imm(last), nsenter.Imm(unix.CLOSE_RANGE_CLOEXEC))
	c.b.Call(nsenter.Umask, nsenter.Imm(0))
}

// session makes init the leader of a session of its own, so that the caller's
// terminal is not the container's (CVE-2016-10124), and gives it its cgroup
// namespace, now that it is in its cgroup.
func (c *compiler) session() {
	c.step("", "start a session")
	c.b.Call(nsenter.Setsid)
	// A name for ps, and for brig to tell a stage that waits from a payload.
	name := StageName
	if c.in.Join != nil {
		name = joinName
	}
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_NAME), c.b.Str(name))
	if c.in.joinsCgroupNamespace() {
		// Only now: the kernel lets nobody into a cgroup from within the namespace of
		// another (cgroup v2 delegation).
		c.step("", "join the cgroup namespace of init")
		c.b.Call(nsenter.Setns, nsenter.Imm(uint64(c.in.cgroupNamespaceFD())), nsenter.Imm(unix.CLONE_NEWCGROUP))
	}
	for _, ns := range c.nsFDs {
		if ns.Type == specs.CgroupNamespace && c.joinsLater(ns.Type) {
			c.step(ns.pointer, "join the cgroup namespace")
			c.b.Call(nsenter.Setns, nsenter.Val(ns.slot), nsenter.Imm(unix.CLONE_NEWCGROUP))
			c.close(ns.slot)
		}
	}
	if c.newNamespace("cgroup") {
		c.step(c.namespacePointer("cgroup"), "create the cgroup namespace")
		c.b.Call(nsenter.Unshare, nsenter.Imm(unix.CLONE_NEWCGROUP))
	}
}

// startStamps makes room for the time stamps of --timings.
func (c *compiler) startStamps() {
	if c.in.Timings {
		c.stamps = c.b.Buffer("stamps", 4+8+maxStamps*stampSize)
	}
}

// A time stamp is a struct timespec; the index of the step that it begins is its
// place.
const (
	stampSize = 16
	maxStamps = 1500
)

// stamp reads the clock at the beginning of a step.
func (c *compiler) stamp() {
	if c.stamps == 0 || c.stamped >= maxStamps {
		return
	}
	at := c.stamps + 8 + stampSize*c.stamped
	clock := uint64(unix.CLOCK_MONOTONIC)
	if c.hasNamespace(specs.TimeNamespace) {
		clock = unix.CLOCK_REALTIME // the only one that is the same in each time namespace
	}
	c.b.Call(nsenter.ClockGettime, nsenter.Imm(clock), nsenter.Addr(at))
	c.stamped++
}

// sendStamps sends all time stamps. It stands before seccomp, after which there
// is nothing but execve.
func (c *compiler) sendStamps() {
	if c.stamps == 0 {
		return
	}
	c.step("", "send the time stamps")
	c.b.Store(c.stamps, 4, nsenter.Imm(nsenter.MessageTimes))
	c.b.Call(nsenter.Write, nsenter.Val(c.b.Report()), nsenter.Addr(c.stamps), nsenter.Imm(uint64(8+stampSize*c.stamped)))
}

// StageName is the command name of init until it executes the payload.
const StageName = "brig:created"

// joinName is that of a process that enters a container.
const joinName = "brig:exec"
