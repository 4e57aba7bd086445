package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// joinHostPart runs in the stage's first process, which has entered nothing when it
// begins and the container's namespaces when it forks.
var joinHostPart = [...]emitter{
	{"stage", (*compiler).stage},
	{"placed", (*compiler).awaitCgroup},
	{"labelproc", (*compiler).openProc},
	{"rlimits-raise", (*compiler).raiseRlimits},
	{"affinity-initial", (*compiler).initialAffinity},
	{"join", (*compiler).enter},
	{"fork", (*compiler).fork},
}

// joinPart runs in the process that becomes the payload.
var joinPart = [...]emitter{
	{"ids", (*compiler).becomeRoot},
	{"session", (*compiler).session},
	{"affinity", (*compiler).resetAffinity},
	{"affinity-final", (*compiler).finalAffinity},
	{"label", (*compiler).labels},
	{"inside", (*compiler).inside},
	{"console", (*compiler).console},
	{"lookup", (*compiler).lookup},
	{"stdio", (*compiler).stdio},
	{"ready", (*compiler).ready},
}

// Join compiles the program of a process that enters a running container. Its
// confinement comes from the same emitters as that of Create.
func Join(in *Input) (*nsenter.Program, error) {
	c := newCompiler(in)
	if in.hostHook() != nil {
		c.run(hookHostPart[:])
		c.run(hookPart[:])
	} else {
		c.run(joinHostPart[:])
		c.run(joinPart[:])
		c.run(tailPart[:])
	}
	c.b.Bind(c.parent)
	c.run(parentPart[:])
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	return c.finish()
}

// enter joins the namespaces of init, all in one call and by its pidfd: there is no
// path, and no moment in some of them only (CVE-2024-21626's way in was such a one).
// The cgroup namespace comes after the fork.
func (c *compiler) enter() {
	flags := c.in.Join.Namespaces &^ unix.CLONE_NEWCGROUP
	if flags == 0 {
		return
	}
	if len(c.in.Join.Handles) > 0 {
		c.enterHandles()
		return
	}
	c.step("", "join the namespaces of init")
	c.b.Call(nsenter.Setns, nsenter.Imm(uint64(c.in.initFD())), nsenter.Imm(flags))
}

// inside opens the container's root, which setns has made the working directory.
func (c *compiler) inside() {
	c.root = c.b.Slot("root")
	if c.in.Join.Root {
		c.step("/root/path", "enter the container's root")
		c.b.Call(nsenter.Fchdir, nsenter.Imm(uint64(c.in.rootFD())))
		c.b.Call(nsenter.Chroot, c.b.Str("."))
	}
	c.step("/root/path", "open the container's root")
	c.openat2(c.root, nil, nsenter.Int(unix.AT_FDCWD), ".", unix.O_PATH|unix.O_DIRECTORY, inRoot)
}
