package plan

import (
	"slices"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// sysctls writes the kernel parameters through a procfs of its own, which is
// mounted nowhere: what lies over /proc in the container cannot redirect the
// write (CVE-2025-52881). Names are sorted, so that a plan is the same each time.
func (c *compiler) sysctls() {
	if len(c.spec.Linux.Sysctl) == 0 {
		return
	}
	names := make([]string, 0, len(c.spec.Linux.Sysctl))
	for name := range c.spec.Linux.Sysctl {
		names = append(names, name)
	}
	slices.Sort(names)
	fs, proc := c.b.Slot("fs"), c.b.Slot("proc")
	c.step("/linux/sysctl", "open a procfs of its own")
	c.b.CallTo(fs, nsenter.Fsopen, c.b.Str("proc"), nsenter.Imm(unix.FSOPEN_CLOEXEC))
	c.b.Call(nsenter.Fsconfig, nsenter.Val(fs), nsenter.Imm(unix.FSCONFIG_CMD_CREATE), nsenter.Null(), nsenter.Null(), nsenter.Imm(0))
	c.b.CallTo(proc, nsenter.Fsmount, nsenter.Val(fs), nsenter.Imm(unix.FSMOUNT_CLOEXEC), nsenter.Imm(unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC))
	c.close(fs)
	for _, name := range names {
		pointer := fault.Pointer("/linux/sysctl", name)
		file, ok := spec.SysctlPath(name)
		if !ok {
			c.faults = append(c.faults, fault.Configf(pointer, "not the name of a kernel parameter"))
			continue
		}
		fd, value := c.b.Slot("sysctl"), c.spec.Linux.Sysctl[name]
		c.step(pointer, "set "+name)
		c.openat2(fd, nil, nsenter.Val(proc), "sys/"+file, unix.O_WRONLY, beneath)
		c.b.Call(nsenter.Write, nsenter.Val(fd), c.b.Str(value), nsenter.Imm(uint64(len(value))))
		c.close(fd)
	}
	c.close(proc)
}
