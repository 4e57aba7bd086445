package plan

import (
	"strings"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// isReserved says whether a destination is one that the runtime itself relies on
// being what it looks like; no link may stand there (CVE-2019-19921, -2023-27561,
// -2023-28642, -2025-54867).
func isReserved(destination string) bool {
	switch destination {
	case "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup":
		return true
	}
	return false
}

// isOrdinary says whether a destination must be a directory of its own.
func isOrdinary(destination string) bool { return destination == "/proc" || destination == "/sys" }

// target opens the place of a mount in the container's tree, and makes it where
// it is missing. The name is resolved exactly once; from then on it is an fd.
func (c *compiler) target(slot int, m *mount, destination string) {
	resolve := uint64(inRoot)
	var on []nsenter.On
	missing, done, link := c.b.Label(), c.b.Label(), c.b.Label()
	if isReserved(destination) {
		resolve = noLinks
		on = append(on, nsenter.On{Errno: unix.ELOOP, Label: link})
	}
	flags := uint64(unix.O_PATH)
	if isReserved(destination) {
		flags |= unix.O_DIRECTORY
		on = append(on, nsenter.On{Errno: unix.ENOTDIR, Label: link})
	}
	if m.TargetNoFollow {
		flags |= unix.O_NOFOLLOW
	}
	on = append(on, nsenter.On{Errno: unix.ENOENT, Label: missing})
	c.openat2(slot, on, nsenter.Val(c.root), relative(destination), flags, resolve)
	if m.CopyUp && c.in.CopyUps[m.index] == nil {
		c.b.Fail(unix.ESTALE, quoted(destination)+" is there now, and was not when the start was planned")
	} else {
		c.b.Goto(done)
	}
	if isReserved(destination) {
		c.b.Bind(link)
		c.b.Fail(unix.ELOOP, reservedReason(destination))
	}
	c.b.Bind(missing)
	c.makePath(slot, destination, m.source, resolve)
	c.b.Bind(done)
}

func reservedReason(destination string) string {
	if isOrdinary(destination) {
		return quoted(destination) + ` must be mounted on ordinary directory, and a link or file of the root file system stands there`
	}
	return quoted(destination) + " must be a directory, and a link or file of the root file system stands there"
}

// makePath walks down to a missing path and makes what is missing: each
// directory by mkdirat on the fd of the one above, then opened without following
// links (CVE-2024-45310). source, if not 0, is the tree that will be mounted
// there: where that is no directory, the last component becomes an empty file.
func (c *compiler) makePath(slot int, destination string, source int, resolve uint64) {
	parts := strings.Split(relative(destination), "/")
	dirs := [2]int{c.b.Slot("dir"), c.b.Slot("dir")}
	above := nsenter.Val(c.root)
	for i := range parts[:len(parts)-1] {
		next := dirs[i%2]
		c.makeDir(next, above, strings.Join(parts[:i+1], "/"), parts[i], resolve)
		c.closeAbove(i, above)
		above = nsenter.Val(next)
	}
	last := parts[len(parts)-1]
	file, done := c.b.Label(), c.b.Label()
	if source != 0 {
		c.fileType(source)
		c.b.JumpUnless(c.statx+statxMode, typeMask, unix.S_IFDIR, file)
	}
	c.makeDir(slot, above, relative(destination), last, resolve)
	if source != 0 {
		c.b.Goto(done)
		c.b.Bind(file)
		c.b.Call(nsenter.Mknodat, above, c.b.Str(last), nsenter.Imm(unix.S_IFREG|0o644), nsenter.Imm(0))
		c.openat2(slot, nil, above, last, unix.O_PATH|unix.O_NOFOLLOW, beneath)
		c.b.Bind(done)
	}
	c.closeAbove(len(parts)-1, above)
}

func (c *compiler) closeAbove(depth int, above nsenter.Arg) {
	if depth > 0 {
		c.b.Call(nsenter.Close, above)
	}
}

// makeDir opens prefix below the root, or makes name in the directory above.
func (c *compiler) makeDir(slot int, above nsenter.Arg, prefix, name string, resolve uint64) {
	missing, made, done := c.b.Label(), c.b.Label(), c.b.Label()
	c.openat2(slot, []nsenter.On{{Errno: unix.ENOENT, Label: missing}}, nsenter.Val(c.root), prefix, unix.O_PATH|unix.O_DIRECTORY, resolve)
	c.b.Goto(done)
	c.b.Bind(missing)
	c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EEXIST, Label: made}}, nsenter.Mkdirat, above, c.b.Str(name), nsenter.Imm(0o755))
	c.b.Bind(made)
	c.openat2(slot, nil, above, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	c.b.Bind(done)
}
