package spec

import (
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

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
	if p := c.Process; p != nil {
		c.refuse("/process/apparmorProfile", p.ApparmorProfile != "")
		c.refuse("/process/selinuxLabel", p.SelinuxLabel != "")
		c.refuse("/process/scheduler", p.Scheduler != nil)
		c.refuse("/process/ioPriority", p.IOPriority != nil)
		c.refuse("/process/execCPUAffinity", p.ExecCPUAffinity != nil)
	}
	l := c.linux
	c.refuse("/linux/mountLabel", l.MountLabel != "")
	c.refuse("/linux/timeOffsets", len(l.TimeOffsets) > 0)
	c.refuse("/linux/personality", l.Personality != nil)
	c.refuse("/linux/intelRdt", l.IntelRdt != nil)
	c.refuse("/linux/netDevices", len(l.NetDevices) > 0)
	c.refuse("/linux/memoryPolicy", l.MemoryPolicy != nil)
	c.unsupportedSeccomp(l.Seccomp)
}

// unsupportedSeccomp refuses what needs somebody who listens to the filter.
func (c *check) unsupportedSeccomp(p *specs.LinuxSeccomp) {
	if p == nil {
		return
	}
	c.refuse("/linux/seccomp/listenerPath", p.ListenerPath != "")
	c.refuse("/linux/seccomp/listenerMetadata", p.ListenerMetadata != "")
	c.refuse("/linux/seccomp/defaultAction", p.DefaultAction == specs.ActNotify)
	for i := range p.Syscalls {
		if p.Syscalls[i].Action == specs.ActNotify {
			c.refuse(fault.Pointer("/linux/seccomp/syscalls", i, "action"), true)
		}
	}
}

func (c *check) refuse(pointer string, set bool) {
	if set {
		c.fail(pointer, notYet)
	}
}
