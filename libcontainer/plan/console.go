package plan

import (
	"encoding/binary"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// The file that makes terminals, in every devpts: its inode, and its device.
const (
	ptmxIno   = 2
	ptmxMajor = 5
	ptmxMinor = 2
)

// statxIno is the offset of the inode's number in struct statx.
const statxIno = 32

// console makes the terminal on the container's own devpts, sends brig the end that
// it keeps, and makes the other end stdio and, in a new container, /dev/console. No
// name of the container decides what becomes the terminal: the one that is opened is
// proved to be the ptmx of a devpts, and its peer comes from it without a name
// (CVE-2016-9962, CVE-2025-52565).
func (c *compiler) console() {
	if !c.spec.Process.Terminal {
		return
	}
	ptmx, slave := c.b.Slot("ptmx"), c.b.Slot("terminal")
	c.step("/process/terminal", "open the ptmx of the container")
	c.openPtmx(ptmx)
	c.step("/process/terminal", "make a terminal")
	c.b.Call(nsenter.Ioctl, nsenter.Val(ptmx), nsenter.Imm(unix.TIOCSPTLCK), c.b.Words(0))
	c.b.CallTo(slave, nsenter.Ioctl, nsenter.Val(ptmx), nsenter.Imm(unix.TIOCGPTPEER), nsenter.Imm(unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC))
	c.consoleSize(ptmx)
	c.step("/process/user/uid", "give the terminal to the payload's user")
	c.b.Call(nsenter.Fchownat, nsenter.Val(slave), c.b.Str(""), nsenter.Imm(uint64(c.spec.Process.User.UID)), nsenter.Imm(noChange), nsenter.Imm(unix.AT_EMPTY_PATH))
	c.step("/process/terminal", "hand over the terminal")
	c.sendTerminal(ptmx)
	c.close(ptmx)
	if c.in.Join == nil {
		c.devConsole(slave)
	}
	c.step("/process/terminal", "make the terminal stdio")
	for fd := range uint64(3) {
		c.b.Call(nsenter.Dup3, nsenter.Val(slave), nsenter.Imm(fd), nsenter.Imm(0))
	}
	c.close(slave)
	c.b.Call(nsenter.Ioctl, nsenter.Imm(0), nsenter.Imm(unix.TIOCSCTTY), nsenter.Imm(0))
}

// noChange is the id that chown leaves as it is.
const noChange = 0xffffffff

func (c *compiler) openPtmx(ptmx int) {
	fs := c.b.Buffer("statfs", 128)
	bad, good := c.b.Label(), c.b.Label()
	c.openat2(ptmx, nil, nsenter.Val(c.root), "dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY, noLinks)
	c.b.Call(nsenter.Fstatfs, nsenter.Val(ptmx), nsenter.Addr(fs))
	c.b.Call(nsenter.Statx, nsenter.Val(ptmx), c.b.Str(""), nsenter.Imm(unix.AT_EMPTY_PATH), nsenter.Imm(unix.STATX_TYPE|unix.STATX_INO), nsenter.Addr(c.statx))
	c.b.JumpUnless(fs, ^uint64(0), unix.DEVPTS_SUPER_MAGIC, bad)
	c.b.JumpUnless(c.statx+statxMode, typeMask, unix.S_IFCHR, bad)
	c.b.JumpUnless(c.statx+statxIno, ^uint64(0), ptmxIno, bad)
	c.b.JumpIf(c.statx+statxRdevMajor, ^uint64(0), ptmxMinor<<32|ptmxMajor, good)
	c.b.Bind(bad)
	c.b.Fail(unix.ENXIO, "the container's /dev/pts/ptmx is not the ptmx of a devpts")
	c.b.Bind(good)
}

func (c *compiler) consoleSize(ptmx int) {
	size := c.spec.Process.ConsoleSize
	if size == nil || size.Height == 0 || size.Width == 0 {
		return
	}
	c.step("/process/consoleSize", "set the size of the terminal")
	raw := make([]byte, 8) // struct winsize
	binary.LittleEndian.PutUint16(raw, uint16(size.Height))
	binary.LittleEndian.PutUint16(raw[2:], uint16(size.Width))
	c.b.Call(nsenter.Ioctl, nsenter.Val(ptmx), nsenter.Imm(unix.TIOCSWINSZ), c.b.Bytes(raw))
}

func (c *compiler) sendTerminal(ptmx int) {
	message := c.b.Buffer("message", 8)
	c.b.Store(message, 4, nsenter.Imm(nsenter.MessageTerminal))
	header, control := c.fdMessage(message, 4)
	c.b.Store(control+cmsgFD, 4, nsenter.Val(ptmx))
	c.b.Call(nsenter.Sendmsg, c.control, header, nsenter.Imm(unix.MSG_NOSIGNAL))
}

// devConsole mounts the terminal on /dev/console, as system managers expect it.
func (c *compiler) devConsole(slave int) {
	dev, target, tree := c.b.Slot("dev"), c.b.Slot("target"), c.b.Slot("console")
	there := c.b.Label()
	c.step("/process/terminal", "mount the terminal on /dev/console")
	c.openat2(dev, nil, nsenter.Val(c.root), "dev", unix.O_PATH|unix.O_DIRECTORY, noLinks)
	c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EEXIST, Label: there}}, nsenter.Mknodat,
		nsenter.Val(dev), c.b.Str("console"), nsenter.Imm(unix.S_IFREG|0o600), nsenter.Imm(0))
	c.b.Bind(there)
	c.openat2(target, nil, nsenter.Val(dev), "console", unix.O_PATH|unix.O_NOFOLLOW, beneath)
	c.b.CallTo(tree, nsenter.OpenTree, nsenter.Val(slave), c.b.Str(""), nsenter.Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH))
	c.attach(tree, nsenter.Val(target))
	c.close(tree)
	c.close(target)
	c.close(dev)
}
