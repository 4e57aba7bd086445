package plan

import (
	"brig/nsenter"
	"brig/seccomp"

	"golang.org/x/sys/unix"
)

// seccomp loads the filter, as the last call before execve: the profile needs to
// allow nothing of the runtime's but execve itself.
func (c *compiler) seccomp() {
	f := c.in.Filter
	if f == nil {
		return
	}
	c.step("/linux/seccomp", "load the filter")
	if f.Listener {
		c.seccompListener(f)
		return
	}
	program := c.b.Bytes(f.Program)
	header := c.b.ArgWords(nsenter.Imm(uint64(len(f.Program)/8)), program)
	c.b.Call(nsenter.Seccomp, nsenter.Imm(unix.SECCOMP_SET_MODE_FILTER), nsenter.Imm(f.Flags), header)
}

// seccompListener loads a filter with a listener and hands that to brig, by two
// calls that only their secret lets through. It waits until brig has passed the
// listener on: execve may already be a call that the filter asks about.
func (c *compiler) seccompListener(f *seccomp.Filter) {
	raw := append(seccomp.Handover(c.in.Secret), f.Program...)
	header := c.b.ArgWords(nsenter.Imm(uint64(len(raw)/8)), c.b.Bytes(raw))
	fd, control, n := c.b.Slot("listener"), c.b.Buffer("cmsg", cmsgSize), c.b.Slot("read")
	answer, handed := c.b.Buffer("msghdr", 8*msghdrWords), c.b.Label()
	c.storeCmsg(control)
	iov := c.b.ArgWords(c.b.Words(nsenter.MessageListener), nsenter.Imm(4))
	message := c.b.ArgWords(nsenter.Null(), nsenter.Imm(0), iov, nsenter.Imm(1), nsenter.Addr(control), nsenter.Imm(cmsgSize), nsenter.Imm(0))
	c.b.Store(answer+16, 8, c.b.ArgWords(nsenter.Addr(c.byte1), nsenter.Imm(1)))
	c.b.Store(answer+24, 8, nsenter.Imm(1))
	c.b.CallTo(fd, nsenter.Seccomp, nsenter.Imm(unix.SECCOMP_SET_MODE_FILTER), nsenter.Imm(f.Flags|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER), header)
	// No time stamps from here on: the filter would stop them.
	c.b.Step("/linux/seccomp/listenerPath", "hand the listener over")
	a, b, d := nsenter.Imm(c.in.Secret[0]), nsenter.Imm(c.in.Secret[1]), nsenter.Imm(c.in.Secret[2])
	c.b.Store(control+cmsgFD, 4, nsenter.Val(fd))
	c.b.Call(nsenter.Sendmsg, c.control, message, nsenter.Imm(unix.MSG_NOSIGNAL), a, b, d)
	c.b.CallTo(n, nsenter.Recvmsg, c.control, nsenter.Addr(answer), nsenter.Imm(unix.MSG_CMSG_CLOEXEC), a, b, d)
	c.b.JumpIf(n, ^uint64(0), 1, handed)
	c.b.Fail(unix.ECANCELED, "brig ended before the listener was handed over")
	c.b.Bind(handed)
}
