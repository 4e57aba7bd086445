package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// awaitNetDevices waits for brig's word that the network devices are in the
// container's namespace. Only the host can move them, and they have parameters in
// /proc/sys that come next.
func (c *compiler) awaitNetDevices() {
	if len(c.spec.Linux.NetDevices) == 0 {
		return
	}
	c.step("/linux/netDevices", "wait for the network devices")
	n, moved := c.b.Slot("read"), c.b.Label()
	c.b.CallTo(n, nsenter.Read, c.control, nsenter.Addr(c.byte1), nsenter.Imm(1))
	c.b.JumpIf(n, ^uint64(0), 1, moved)
	c.b.Fail(unix.ECANCELED, "brig ended before the network devices were moved")
	c.b.Bind(moved)
}
