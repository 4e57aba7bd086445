package plan

import (
	"encoding/binary"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// keepsGroups says that the supplementary groups of the caller stay: nobody can drop
// them, or an annotation of the config wants them.
func (c *compiler) keepsGroups() bool {
	return c.in.Host.SetgroupsDenied || spec.KeepsGroups(c.spec)
}

// groups sets the supplementary groups, even to none: what the caller had must not
// leak in (CVE-2022-2989 and its kin).
func (c *compiler) groups() {
	if spec.KeepsGroups(c.spec) {
		// Nothing is set: the call is there so that the plan says so.
		c.step(fault.Pointer("/annotations", spec.GroupsAnnotation), "keep the supplementary groups of the caller")
		c.b.Call(nsenter.Getgroups, nsenter.Imm(0), nsenter.Null())
		return
	}
	list := c.spec.Process.User.AdditionalGids
	if c.in.Host.SetgroupsDenied {
		if len(list) > 0 {
			c.faults = append(c.faults, fault.Configf("/process/user/additionalGids", "the user namespace denies setgroups, and so has no additional groups"))
		}
		return
	}
	raw := make([]byte, 0, 4*len(list))
	for _, g := range list {
		raw = binary.LittleEndian.AppendUint32(raw, g)
	}
	c.step("/process/user/additionalGids", "set the supplementary groups")
	groups := nsenter.Null()
	if len(list) > 0 {
		groups = c.b.Bytes(raw)
	}
	n, same := c.b.Slot("groups"), c.b.Label()
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_KEEPCAPS), nsenter.Imm(1))
	c.b.Call(nsenter.Setgroups, nsenter.Imm(uint64(len(list))), groups)
	c.b.CallTo(n, nsenter.Getgroups, nsenter.Imm(0), nsenter.Null())
	c.b.JumpIf(n, ^uint64(0), uint64(len(list)), same)
	c.b.Fail(unix.EBADE, "the kernel reports other supplementary groups than were set")
	c.b.Bind(same)
}

// gid and uid set all three ids and read them back (CVE-2026-30892: a user came
// out as root).
func (c *compiler) gid() {
	id := uint64(c.spec.Process.User.GID)
	c.step("/process/user/gid", "set the group")
	c.b.Call(nsenter.Setresgid, nsenter.Imm(id), nsenter.Imm(id), nsenter.Imm(id))
	c.readBack(nsenter.Getresgid, id, "the kernel reports another group than was set")
}

func (c *compiler) uid() {
	id := uint64(c.spec.Process.User.UID)
	c.step("/process/user/uid", "set the user")
	if c.keepsGroups() {
		c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_KEEPCAPS), nsenter.Imm(1))
	}
	c.b.Call(nsenter.Setresuid, nsenter.Imm(id), nsenter.Imm(id), nsenter.Imm(id))
	c.readBack(nsenter.Getresuid, id, "the kernel reports another user than was set")
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_KEEPCAPS), nsenter.Imm(0))
	// A change of ids makes a process dumpable again (fs.suid_dumpable).
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_DUMPABLE), nsenter.Imm(0))
}

func (c *compiler) readBack(sys nsenter.Sys, id uint64, reason string) {
	ids := c.b.Buffer("ids", 16)
	bad, good := c.b.Label(), c.b.Label()
	c.b.Call(sys, nsenter.Addr(ids), nsenter.Addr(ids+4), nsenter.Addr(ids+8))
	c.b.JumpUnless(ids, ^uint64(0), id|id<<32, bad)
	c.b.JumpIf(ids+8, 0xffffffff, id, good)
	c.b.Bind(bad)
	c.b.Fail(unix.EBADE, reason)
	c.b.Bind(good)
}
