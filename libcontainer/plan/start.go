package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// ready tells brig that everything is in place, and waits for the word that the
// state is written. When brig is gone instead, the container ends here: nobody
// would know of it.
func (c *compiler) ready() {
	what, gone := "report that the container is made", "brig ended before the container was made"
	if c.in.Join != nil {
		what, gone = "report that the process is set up", "brig ended before the process was set up"
	}
	if c.in.Run && c.hooksInside() {
		c.handOver()
	}
	c.step("", what)
	c.reportAndWait("ready", nsenter.MessageReady, gone)
}

// reportAndWait sends brig a message and waits for its word.
func (c *compiler) reportAndWait(name string, message uint64, gone string) {
	buffer, n, told := c.b.Buffer(name, 8), c.b.Slot("read"), c.b.Label()
	c.b.Store(buffer, 4, nsenter.Imm(message))
	c.b.Call(nsenter.Write, c.control, nsenter.Addr(buffer), nsenter.Imm(4))
	c.b.CallTo(n, nsenter.Read, c.control, nsenter.Addr(c.byte1), nsenter.Imm(1))
	c.b.JumpIf(n, ^uint64(0), 1, told)
	c.b.Fail(unix.ECANCELED, gone)
	c.b.Bind(told)
}

// start waits for the datagram of `brig start`, on a socket whose name is outside
// the container. It carries one end of a socket pair, to which errors go from
// here on. One message is one start: who is killed halfway has sent nothing.
func (c *compiler) start() {
	if c.in.Run {
		return
	}
	c.step("", "wait for the start")
	header, control := c.b.Buffer("msghdr", 8*msghdrWords), c.b.Buffer("cmsg", cmsgSize)
	started := c.b.Label()
	c.storeRecvHeader(header, control)
	c.b.Call(nsenter.Recvmsg, nsenter.Imm(uint64(c.in.listenFD())), nsenter.Addr(header), nsenter.Imm(unix.MSG_CMSG_CLOEXEC))
	c.b.JumpIf(control, ^uint64(0), cmsgLen, started)
	c.b.Fail(unix.EBADMSG, "the message to start carries no socket")
	c.b.Bind(started)
	conn := c.b.Slot("reporter")
	c.b.Store(conn, 4, nsenter.Val(control+cmsgFD))
	c.b.Call(nsenter.Dup3, nsenter.Val(conn), c.control, nsenter.Imm(unix.O_CLOEXEC))
	if len(c.handles) > 0 && c.hooksInside() {
		c.handOver()
		c.step("/hooks/startContainer", "wait for the hooks")
		c.reportAndWait("ready", nsenter.MessageReady, "brig ended before the hooks had run")
	}
}

// hooksInside says whether there are hooks that enter the container when it is set up.
func (c *compiler) hooksInside() bool {
	return c.in.Join == nil && c.spec.Hooks != nil && len(c.spec.Hooks.StartContainer) > 0
}

// closeFDs leaves stdio, the preserved fds and the report socket, which closes
// itself on execve. It stands before anything is resolved for the payload, so
// that no name can lead through a fd (CVE-2024-21626).
func (c *compiler) closeFDs() {
	c.step("", "close all other fds")
	c.b.Call(nsenter.CloseRange, nsenter.Imm(uint64(c.in.controlFD())+1), nsenter.Imm(allFDs), nsenter.Imm(unix.CLOSE_RANGE_UNSHARE))
}
