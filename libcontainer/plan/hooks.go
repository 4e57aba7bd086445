package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// hookHostPart runs in the stage's first process, before a hook of the host.
var hookHostPart = [...]emitter{
	{"stage", (*compiler).stage},
	{"placed", (*compiler).awaitCgroup},
	{"join", (*compiler).enter},
	{"fork", (*compiler).fork},
}

// hookPart runs in the process that becomes a hook of the host: in the container's
// namespaces, with the host's files, and not confined, since it is to change the
// container.
var hookPart = [...]emitter{
	{"ids", (*compiler).becomeRoot},
	{"session", (*compiler).session},
	{"ready", (*compiler).ready},
	{"fds", (*compiler).closeFDs},
	{"bundle", (*compiler).enterBundle},
	{"umask", (*compiler).hookUmask},
	{"exec", (*compiler).execHook},
}

// waitsForHooks says whether there are hooks that run before pivot_root.
func (c *compiler) waitsForHooks() bool {
	h := c.spec.Hooks
	//lint:ignore SA1019 deprecated, but engines still write it
	return h != nil && len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
}

// hooks waits while brig runs the hooks that find the container mounted, and the
// host's files still in its mount namespace.
func (c *compiler) hooks() {
	if !c.waitsForHooks() {
		return
	}
	if len(c.spec.Hooks.CreateContainer) > 0 {
		c.handOver()
	}
	c.step("/hooks", "report that all is mounted, and wait for the hooks")
	c.reportAndWait("mounted", nsenter.MessageMounted, "brig ended before the hooks had run")
}

// enterBundle makes the bundle the working directory, as it is for all hooks of the
// host.
func (c *compiler) enterBundle() {
	c.step("", "enter the bundle")
	fd := c.b.Slot("bundle")
	c.openat2(fd, nil, nsenter.Int(unix.AT_FDCWD), hostRelative(c.in.Bundle), unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_MAGICLINKS)
	c.b.Call(nsenter.Fchdir, nsenter.Val(fd))
	c.close(fd)
}

func (c *compiler) hookUmask() {
	c.step("", "set the umask")
	c.b.Call(nsenter.Umask, nsenter.Imm(defaultUmask))
}

// execHook executes the hook, by the path that the config gives.
func (c *compiler) execHook() {
	h := c.in.Hook
	c.step("", "exec: "+quoted(h.Path))
	c.b.Call(nsenter.Execve, c.b.Str(h.Path), c.b.Strings(c.spec.Process.Args), c.b.Strings(h.Env))
	c.b.Fail(unix.ENOEXEC, "execve returned")
}
