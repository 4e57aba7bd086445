package plan

import (
	"encoding/binary"

	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// capSets are the five sets as bit masks.
type capSets struct {
	bounding, effective, permitted, inheritable, ambient uint64
}

// capabilitySets computes the five sets. What the config does not list is not
// granted; without a capabilities object there are none. An ambient capability
// needs to be permitted and inheritable too, or the kernel refuses it. What brig does
// not hold cannot be granted: the spec wants a warning for it, and a container.
func capabilitySets(c *specs.LinuxCapabilities, withheld uint64) capSets {
	if c == nil {
		return capSets{}
	}
	s := capSets{
		bounding:    capMask(c.Bounding) &^ withheld,
		permitted:   capMask(c.Permitted) &^ withheld,
		inheritable: capMask(c.Inheritable) &^ withheld,
	}
	s.effective = capMask(c.Effective) & s.permitted
	s.ambient = capMask(c.Ambient) & s.permitted & s.inheritable
	return s
}

// capMask leaves out names that nobody knows: the spec wants a warning for them,
// which package spec gives.
func capMask(names []string) uint64 {
	mask := uint64(0)
	for _, name := range names {
		if n, ok := spec.CapabilityNumber(name); ok {
			mask |= 1 << n
		}
	}
	return mask
}

// lastCap is the last capability of Linux 5.9 to 7.1. Those of a newer kernel are
// dropped too, as far as there are any.
const lastCap = unix.CAP_LAST_CAP

// bounding drops from the bounding set what the config does not list, and reads
// the set back. It needs CAP_SETPCAP, so it stands before the change of user.
func (c *compiler) bounding() {
	c.step("/process/capabilities/bounding", "drop capabilities from the bounding set")
	keep := capabilitySets(c.spec.Process.Capabilities, c.in.Host.Withheld).bounding
	end := c.b.Label()
	for n := uint64(0); n < 64; n++ {
		if keep&(1<<n) != 0 {
			continue
		}
		var on []nsenter.On
		if n > lastCap {
			on = []nsenter.On{{Errno: unix.EINVAL, Label: end}}
		}
		c.b.TryTo(nsenter.NoSlot, on, nsenter.Prctl, nsenter.Imm(unix.PR_CAPBSET_DROP), nsenter.Imm(n))
		if n > lastCap {
			break
		}
	}
	c.b.Bind(end)
}

const capHeaderV3 = 0x20080522

// capabilities sets the effective, permitted and inheritable sets, then the
// ambient ones, and compares what the kernel reports. To load a filter without
// no_new_privs CAP_SYS_ADMIN has to stay until execve, which computes the sets
// anew from the bounding, inheritable and ambient ones, final by then.
func (c *compiler) capabilities() {
	sets := capabilitySets(c.spec.Process.Capabilities, c.in.Host.Withheld)
	held := sets
	if c.in.Filter != nil && !c.spec.Process.NoNewPrivileges {
		held.effective |= 1 << unix.CAP_SYS_ADMIN
		held.permitted |= 1 << unix.CAP_SYS_ADMIN
	}
	header := c.b.Buffer("cap_header", 8)
	c.step("/process/capabilities", "set the capabilities")
	c.b.Store(header, 4, nsenter.Imm(capHeaderV3))
	data := c.b.Bytes(capData(held))
	c.b.Call(nsenter.Capset, nsenter.Addr(header), data)
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_CAP_AMBIENT), nsenter.Imm(unix.PR_CAP_AMBIENT_CLEAR_ALL), nsenter.Imm(0), nsenter.Imm(0), nsenter.Imm(0))
	for n := range uint64(64) {
		if sets.ambient&(1<<n) != 0 {
			c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_CAP_AMBIENT), nsenter.Imm(unix.PR_CAP_AMBIENT_RAISE), nsenter.Imm(n), nsenter.Imm(0), nsenter.Imm(0))
		}
	}
	c.compareCaps(header, held)
	c.compareBounding(sets.bounding)
}

func (c *compiler) compareCaps(header int, held capSets) {
	back := c.b.Buffer("cap_data", 24)
	bad, good := c.b.Label(), c.b.Label()
	c.b.Call(nsenter.Capget, nsenter.Addr(header), nsenter.Addr(back))
	raw := capData(held)
	for i := 0; i < len(raw); i += 8 {
		c.b.JumpUnless(back+i, ^uint64(0), binary.LittleEndian.Uint64(raw[i:]), bad)
	}
	c.b.Goto(good)
	c.b.Bind(bad)
	c.b.Fail(unix.EBADE, "the kernel reports other capabilities than were set")
	c.b.Bind(good)
}

// compareBounding reads the bounding set back, capability by capability.
func (c *compiler) compareBounding(bounding uint64) {
	c.step("/process/capabilities/bounding", "read the bounding set back")
	bad, good := c.b.Label(), c.b.Label()
	in := c.b.Slot("bounding")
	for n := range uint64(lastCap + 1) {
		c.b.CallTo(in, nsenter.Prctl, nsenter.Imm(unix.PR_CAPBSET_READ), nsenter.Imm(n))
		c.b.JumpUnless(in, ^uint64(0), bounding>>n&1, bad)
	}
	c.b.Goto(good)
	c.b.Bind(bad)
	c.b.Fail(unix.EBADE, "the kernel reports another bounding set than was set")
	c.b.Bind(good)
}

// capData is struct __user_cap_data_struct[2].
func capData(s capSets) []byte {
	le := binary.LittleEndian
	raw := make([]byte, 0, 24)
	for shift := 0; shift < 64; shift += 32 {
		raw = le.AppendUint32(raw, uint32(s.effective>>shift))
		raw = le.AppendUint32(raw, uint32(s.permitted>>shift))
		raw = le.AppendUint32(raw, uint32(s.inheritable>>shift))
	}
	return raw
}
