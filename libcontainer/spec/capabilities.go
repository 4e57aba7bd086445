package spec

import (
	"brig/libcontainer/fault"
)

// capNames are the capabilities by number, as of Linux 5.9 and later.
var capNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// CapabilityNumber is the number of a capability.
func CapabilityNumber(name string) (number uint, ok bool) {
	for n, s := range capNames {
		if s == name {
			return uint(n), true
		}
	}
	return 0, false
}

// CapabilityName is the name of a capability, "" of a number that has none.
func CapabilityName(number uint) string {
	if number < uint(len(capNames)) {
		return capNames[number]
	}
	return ""
}

// capabilities only warns: the specification wants names that the runtime does not
// know tolerated, and those that it cannot grant. Leaving one out grants nothing.
func (c *check) capabilities() {
	if c.Process == nil || c.Process.Capabilities == nil {
		return
	}
	caps := c.Process.Capabilities
	const base = "/process/capabilities/"
	c.knownCaps(base+"bounding", caps.Bounding)
	c.knownCaps(base+"effective", caps.Effective)
	inheritable := c.knownCaps(base+"inheritable", caps.Inheritable)
	permitted := c.knownCaps(base+"permitted", caps.Permitted)
	c.knownCaps(base+"ambient", caps.Ambient)
	c.subset(base+"effective", caps.Effective, permitted, "permitted")
	c.subset(base+"ambient", caps.Ambient, permitted, "permitted")
	c.subset(base+"ambient", caps.Ambient, inheritable, "inheritable")
}

// knownCaps warns of unknown names and returns the known ones.
func (c *check) knownCaps(pointer string, names []string) (set uint64) {
	for i, name := range names {
		n, ok := CapabilityNumber(name)
		switch {
		case !ok:
			c.warn(fault.Pointer(pointer, i), "unknown capability %q, ignored", name)
		case c.options.Withheld&(1<<n) != 0:
			c.warn(fault.Pointer(pointer, i), "brig does not hold %s itself, so it is not granted", name)
			fallthrough
		default:
			set |= 1 << n
		}
	}
	return set
}

// subset warns of capabilities that the kernel cannot grant in one set because
// they are not in another.
func (c *check) subset(pointer string, names []string, set uint64, other string) {
	for i, name := range names {
		if n, ok := CapabilityNumber(name); ok && set&(1<<n) == 0 {
			c.warn(fault.Pointer(pointer, i), "%s is not %s, so it is not granted here", name, other)
		}
	}
}
