package plan

import (
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// stdio gives the payload's user the pipes that the caller made for it, so that
// /dev/stdout can be opened. Files and devices stay as they are: they may be the
// host's (CVE-2026-88265, and runc's chown of the host's /dev/null).
func (c *compiler) stdio() {
	if c.spec.Process.User.UID == 0 || c.spec.Process.Terminal {
		return
	}
	for fd := range 3 {
		c.step("/process/user/uid", "hand over stdio")
		skip := c.b.Label()
		c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EBADF, Label: skip}}, nsenter.Statx,
			nsenter.Imm(uint64(fd)), c.b.Str(""), nsenter.Imm(unix.AT_EMPTY_PATH), nsenter.Imm(unix.STATX_TYPE), nsenter.Addr(c.statx))
		c.b.JumpUnless(c.statx+statxMode, typeMask, unix.S_IFIFO, skip)
		c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EPERM, Label: skip}, {Errno: unix.EROFS, Label: skip}, {Errno: unix.EINVAL, Label: skip}},
			nsenter.Fchownat, nsenter.Imm(uint64(fd)), c.b.Str(""), nsenter.Imm(uint64(c.spec.Process.User.UID)),
			nsenter.Imm(uint64(c.spec.Process.User.GID)), nsenter.Imm(unix.AT_EMPTY_PATH))
		c.b.Bind(skip)
	}
}

// keyring gives the container a session keyring of its own. Kernels without
// keyrings have nothing to hide.
func (c *compiler) keyring() {
	if c.in.NoNewKeyring {
		return
	}
	c.step("", "join a new session keyring")
	none := c.b.Label()
	c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.ENOSYS, Label: none}}, nsenter.Keyctl,
		nsenter.Imm(unix.KEYCTL_JOIN_SESSION_KEYRING), c.b.Str("_ses."+c.in.ID), nsenter.Imm(0), nsenter.Imm(0), nsenter.Imm(0))
	c.b.Bind(none)
}

// defaultUmask is what engines expect where the config has none.
const defaultUmask = 0o022

func (c *compiler) umask() {
	mask := uint64(defaultUmask)
	if u := c.spec.Process.User.Umask; u != nil {
		mask = uint64(*u)
	}
	c.step("/process/user/umask", "set the umask")
	c.b.Call(nsenter.Umask, nsenter.Imm(mask))
}

// raiseRlimits raises hard limits while the process still has the host's
// privileges; a user namespace has none over them. The exact values come later.
func (c *compiler) raiseRlimits() {
	for i, r := range c.spec.Process.Rlimits {
		resource, ok := spec.RlimitNumber(r.Type)
		if hard, known := c.in.Host.HardLimits[resource]; !ok || !known || r.Hard <= hard {
			continue
		}
		c.step(fault.Pointer("/process/rlimits", i), "raise "+r.Type)
		c.prlimit(resource, c.in.Host.HardLimits[resource], r.Hard)
	}
}

func (c *compiler) rlimits() {
	for i, r := range c.spec.Process.Rlimits {
		resource, ok := spec.RlimitNumber(r.Type)
		if !ok {
			c.faults = append(c.faults, fault.Configf(fault.Pointer("/process/rlimits", i, "type"), "unknown resource limit %q", r.Type))
			continue
		}
		c.step(fault.Pointer("/process/rlimits", i), "set "+r.Type)
		c.prlimit(resource, r.Soft, r.Hard)
	}
}

func (c *compiler) prlimit(resource int, soft, hard uint64) {
	c.b.Call(nsenter.Prlimit64, nsenter.Imm(0), nsenter.Imm(uint64(resource)), c.b.Words(soft, hard), nsenter.Null())
}

// noNewPrivileges makes execve unable to grant anything.
func (c *compiler) noNewPrivileges() {
	if !c.spec.Process.NoNewPrivileges {
		return
	}
	c.step("/process/noNewPrivileges", "forbid new privileges")
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_NO_NEW_PRIVS), nsenter.Imm(1), nsenter.Imm(0), nsenter.Imm(0), nsenter.Imm(0))
}
