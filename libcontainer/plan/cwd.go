package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// makeCwd makes the working directory where it is missing, as runc does, while
// the root file system can still be written.
func (c *compiler) makeCwd() {
	if relative(c.spec.Process.Cwd) == "." {
		return
	}
	c.step("/process/cwd", "make sure that the working directory exists")
	fd, denied := c.b.Slot("cwd"), c.b.Label()
	none, done := c.b.Label(), c.b.Label()
	c.openat2(fd, []nsenter.On{{Errno: unix.ENOENT, Label: none}, {Errno: unix.EACCES, Label: denied}},
		nsenter.Val(c.root), relative(c.spec.Process.Cwd), unix.O_PATH|unix.O_DIRECTORY, inRoot)
	c.b.Goto(done)
	c.b.Bind(none)
	c.makePath(fd, c.spec.Process.Cwd, 0, inRoot)
	c.b.Bind(done)
	c.close(fd)
	c.b.Bind(denied)
}

// pathMax is the size of the buffer for getcwd, as the kernel bounds it.
const pathMax = 4096

// cwd enters the working directory by fd, after the fds that it could have led to
// are closed, and asks the kernel whether it lies inside the root: the string of
// one that does not starts with "(unreachable)" (CVE-2024-21626).
func (c *compiler) cwd() {
	c.cwdLate = c.b.Slot("late_cwd")
	c.step("/process/cwd", "enter the working directory")
	denied, done := c.b.Label(), c.b.Label()
	on := []nsenter.On{{Errno: unix.EACCES, Label: denied}, {Errno: unix.EPERM, Label: denied}}
	c.enterCwd(on)
	c.b.Goto(done)
	c.b.Bind(denied)
	c.b.Store(c.cwdLate, 8, nsenter.Imm(1))
	c.b.Bind(done)
}

func (c *compiler) enterCwd(on []nsenter.On) {
	fd := c.b.Slot("cwd")
	c.openat2(fd, on, nsenter.Int(unix.AT_FDCWD), relative(c.spec.Process.Cwd), unix.O_PATH|unix.O_DIRECTORY, inRoot)
	c.b.TryTo(nsenter.NoSlot, on, nsenter.Fchdir, nsenter.Val(fd))
	c.close(fd)
	c.checkCwd()
}

func (c *compiler) checkCwd() {
	buf, inside := c.b.Buffer("cwd", pathMax), c.b.Label()
	c.b.Call(nsenter.Getcwd, nsenter.Addr(buf), nsenter.Imm(pathMax))
	c.b.JumpIf(buf, 0xff, '/', inside)
	c.b.Fail(unix.EXDEV, "the working directory lies outside the container's root")
	c.b.Bind(inside)
}

// lateCwd tries once more as the payload's user: a home directory may be open to
// its owner only, and root may be nobody there (NFS, user namespaces).
func (c *compiler) lateCwd() {
	c.step("/process/cwd", "enter the working directory as the payload's user")
	done := c.b.Label()
	c.b.JumpUnless(c.cwdLate, ^uint64(0), 1, done)
	c.enterCwd(nil)
	c.b.Bind(done)
}
