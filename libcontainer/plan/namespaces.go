package plan

import (
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespaceFlag is the CLONE_ flag of a namespace type, 0 for an unknown one.
func namespaceFlag(t specs.LinuxNamespaceType) uint64 {
	switch t {
	case specs.PIDNamespace:
		return unix.CLONE_NEWPID
	case specs.NetworkNamespace:
		return unix.CLONE_NEWNET
	case specs.MountNamespace:
		return unix.CLONE_NEWNS
	case specs.IPCNamespace:
		return unix.CLONE_NEWIPC
	case specs.UTSNamespace:
		return unix.CLONE_NEWUTS
	case specs.UserNamespace:
		return unix.CLONE_NEWUSER
	case specs.CgroupNamespace:
		return unix.CLONE_NEWCGROUP
	case specs.TimeNamespace:
		return unix.CLONE_NEWTIME
	}
	return 0
}

// nsFD is a namespace to join.
type nsFD struct {
	specs.LinuxNamespace
	pointer string
	slot    int
}

func (c *compiler) namespacePointer(t specs.LinuxNamespaceType) string {
	for i, n := range c.spec.Linux.Namespaces {
		if n.Type == t {
			return fault.Pointer("/linux/namespaces", i)
		}
	}
	return "/linux/namespaces"
}

// openNamespaces opens the namespaces to join, while the host's paths still mean
// what the config means by them.
func (c *compiler) openNamespaces() {
	for i, n := range c.spec.Linux.Namespaces {
		if n.Path == "" {
			continue
		}
		ns := nsFD{LinuxNamespace: n, pointer: fault.Pointer("/linux/namespaces", i, "path"), slot: c.b.Slot(string(n.Type) + "_ns")}
		c.step(ns.pointer, "open the "+string(n.Type)+" namespace")
		c.b.CallTo(ns.slot, nsenter.Openat, nsenter.Int(unix.AT_FDCWD), c.b.Str(n.Path), nsenter.Imm(unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK))
		c.nsFDs = append(c.nsFDs, ns)
	}
}

// joinNamespaces enters the namespaces given by path; setns checks their types.
// The user namespace comes last, because the others may belong to the host's; an
// ordinary user, who may enter nothing else before, enters it first.
func (c *compiler) joinNamespaces() {
	user := func(want bool) {
		for _, ns := range c.nsFDs {
			if (ns.Type == specs.UserNamespace) == want && !c.joinsLater(ns.Type) {
				c.step(ns.pointer, "join the "+string(ns.Type)+" namespace")
				c.b.Call(nsenter.Setns, nsenter.Val(ns.slot), nsenter.Imm(namespaceFlag(ns.Type)))
				c.close(ns.slot)
			}
		}
	}
	user(c.in.Host.Rootless)
	if c.in.Host.SetgroupsDenied && !spec.KeepsGroups(c.spec) && !c.in.Host.Rootless && c.in.Join == nil {
		// The namespace that is joined lets nobody drop the groups of the caller.
		c.step("/linux/namespaces", "drop the supplementary groups")
		c.b.Call(nsenter.Setgroups, nsenter.Imm(0), nsenter.Null())
	}
	user(!c.in.Host.Rootless)
}

// joinsLater says that init itself joins a namespace: the mount namespace when its
// tree is complete; the cgroup namespace when it is in its cgroup, because the kernel
// lets nobody into a cgroup from within another's namespace where the hierarchy is
// mounted with nsdelegate, as systemd does. Who gets a user namespace of his own has no
// hold on that of others, and has to be in it before.
func (c *compiler) joinsLater(t specs.LinuxNamespaceType) bool {
	return t == specs.MountNamespace || t == specs.CgroupNamespace && !c.newNamespace(specs.UserNamespace)
}

// initSlots are what the parent of the fork knows of its child.
type initSlots struct {
	pid, pidfd         int
	syncRead, syncPipe int // the pipe by which init hears that its ids are mapped
}

const cloneArgsSize = 88

// awaitCgroup waits for brig's word that systemd has put this process into the
// container's cgroup.
func (c *compiler) awaitCgroup() {
	if !c.in.Placed {
		return
	}
	c.step("/linux/cgroupsPath", "wait for the cgroup of systemd")
	n, there := c.b.Slot("read"), c.b.Label()
	c.b.CallTo(n, nsenter.Read, c.control, nsenter.Addr(c.byte1), nsenter.Imm(1))
	c.b.JumpIf(n, ^uint64(0), 1, there)
	c.b.Fail(unix.ECANCELED, "brig ended before systemd had made the cgroup")
	c.b.Bind(there)
}

// fork makes the container's init: in its new namespaces and in its cgroup from
// its first instruction (no window without limits), a child of brig itself. The
// cgroup namespace comes later, since its root is the cgroup of who creates it; a
// time namespace whose clocks are set is there already.
func (c *compiler) fork() {
	c.parent = c.b.Label()
	c.init.pid, c.init.pidfd = c.b.Slot("pid"), c.b.Slot("pidfd")
	if c.mapsOwnIDs() {
		c.step("/linux/uidMappings", "make the pipe that says when ids are mapped")
		c.init.syncPipe = c.b.Buffer("sync", 8)
		c.b.Call(nsenter.Pipe2, nsenter.Addr(c.init.syncPipe), nsenter.Imm(unix.O_CLOEXEC))
	}
	flags := uint64(unix.CLONE_PIDFD | unix.CLONE_PARENT)
	for _, n := range c.spec.Linux.Namespaces {
		made := n.Type == specs.CgroupNamespace || n.Type == specs.TimeNamespace && len(c.spec.Linux.TimeOffsets) > 0
		if c.newNamespace(n.Type) && !made {
			flags |= namespaceFlag(n.Type)
		}
	}
	cgroup := uint64(0)
	if c.in.Cgroup {
		flags |= unix.CLONE_INTO_CGROUP
		cgroup = uint64(c.in.cgroupFD())
	}
	c.step("/linux/namespaces", "create init")
	words := make([]nsenter.Arg, cloneArgsSize/8)
	words[0], words[1], words[10] = nsenter.Imm(flags), nsenter.Addr(c.init.pidfd), nsenter.Imm(cgroup)
	c.b.Fork(c.init.pid, c.b.ArgWords(words...), cloneArgsSize, c.parent)
}

// becomeRoot waits until brig has mapped the ids of the new user namespace, and
// takes the ids that the file system is built with.
func (c *compiler) becomeRoot() {
	if !c.inUserNamespace() {
		return
	}
	if c.newNamespace(specs.UserNamespace) {
		c.awaitMaps()
	}
	gid, uid := rootID(c.spec.Linux.GIDMappings), rootID(c.spec.Linux.UIDMappings)
	c.step("/linux/gidMappings", "take the container's root group")
	c.b.Call(nsenter.Setresgid, nsenter.Imm(gid), nsenter.Imm(gid), nsenter.Imm(gid))
	if !c.keepsGroups() {
		c.b.Call(nsenter.Setgroups, nsenter.Imm(0), nsenter.Null())
	}
	c.step("/linux/uidMappings", "take the container's root user")
	c.b.Call(nsenter.Setresuid, nsenter.Imm(uid), nsenter.Imm(uid), nsenter.Imm(uid))
	c.b.Call(nsenter.Prctl, nsenter.Imm(unix.PR_SET_DUMPABLE), nsenter.Imm(0))
}

// awaitMaps waits for brig's word that the ids are mapped; where the first process
// has to map those of mounts as well, for its word instead.
func (c *compiler) awaitMaps() {
	c.step("/linux/uidMappings", "wait for the mapping of ids")
	n, mapped := c.b.Slot("read"), c.b.Label()
	from := c.control
	if c.mapsOwnIDs() {
		end := c.b.Slot("sync_write")
		c.b.Store(end, 4, nsenter.Val(c.init.syncPipe+4))
		c.close(end)
		c.init.syncRead = c.b.Slot("sync_read")
		c.b.Store(c.init.syncRead, 4, nsenter.Val(c.init.syncPipe))
		from = nsenter.Val(c.init.syncRead)
	}
	c.b.CallTo(n, nsenter.Read, from, nsenter.Addr(c.byte1), nsenter.Imm(1))
	c.b.JumpIf(n, ^uint64(0), 1, mapped)
	c.b.Fail(unix.ECANCELED, "brig ended before the ids were mapped")
	c.b.Bind(mapped)
	if c.mapsOwnIDs() {
		c.close(c.init.syncRead)
	}
}

// Struct msghdr and the control message of one fd.
const (
	msghdrWords = 7
	cmsgSize    = 24 // with padding
	cmsgLen     = 20 // without
	cmsgFD      = 16 // where the fd is
)

// storeCmsg writes the header of a control message with one fd.
func (c *compiler) storeCmsg(at int) {
	c.b.Store(at, 8, nsenter.Imm(cmsgLen))
	c.b.Store(at+8, 4, nsenter.Imm(unix.SOL_SOCKET))
	c.b.Store(at+12, 4, nsenter.Imm(unix.SCM_RIGHTS))
}

// fdMessage is the struct msghdr of a message with one fd, and its control message, where
// the fd is still to be stored.
func (c *compiler) fdMessage(message int, size uint64) (header nsenter.Arg, control int) {
	control = c.b.Buffer("cmsg", cmsgSize)
	c.storeCmsg(control)
	iov := c.b.ArgWords(nsenter.Addr(message), nsenter.Imm(size))
	return c.b.ArgWords(nsenter.Null(), nsenter.Imm(0), iov, nsenter.Imm(1), nsenter.Addr(control), nsenter.Imm(cmsgSize), nsenter.Imm(0)), control
}

// reportChild is the parent part: it sends init's pid and pidfd to brig, which
// maps the ids. If asked, it maps the ids of mounts with them, which needs the host's
// privileges, and lets init go on.
func (c *compiler) reportChild() {
	c.b.Step("/linux/namespaces", "report init to brig")
	message := c.b.Buffer("message", 16)
	c.b.Store(message, 4, nsenter.Imm(nsenter.MessagePid))
	c.b.Store(message+8, 4, nsenter.Val(c.init.pid))
	header, control := c.fdMessage(message, 16)
	c.b.Store(control+cmsgFD, 4, nsenter.Val(c.init.pidfd))
	c.b.Call(nsenter.Sendmsg, c.control, header, nsenter.Imm(unix.MSG_NOSIGNAL))
	if c.mapsOwnIDs() {
		c.b.Step("/linux/uidMappings", "wait for the mapping of ids")
		c.receiveUserNamespace(control)
		c.mapOwnIDs(control + cmsgFD)
		end := c.b.Slot("sync_write")
		c.b.Store(end, 4, nsenter.Val(c.init.syncPipe+4))
		c.b.Step("/linux/uidMappings", "let init go on")
		c.b.Call(nsenter.Write, nsenter.Val(end), c.b.Str("G"), nsenter.Imm(1))
	}
	c.b.Exit(0)
}

// receiveUserNamespace waits for brig's word that the ids are mapped, and for the
// fd of the user namespace that comes with it.
func (c *compiler) receiveUserNamespace(control int) {
	header := c.b.Buffer("msghdr", 8*msghdrWords)
	n := c.b.Slot("received")
	c.b.Store(control+cmsgFD, 8, nsenter.Imm(0))
	c.storeRecvHeader(header, control)
	mapped := c.b.Label()
	c.b.CallTo(n, nsenter.Recvmsg, c.control, nsenter.Addr(header), nsenter.Imm(unix.MSG_CMSG_CLOEXEC))
	c.b.JumpIf(n, ^uint64(0), 1, mapped)
	c.b.Exit(1)
	c.b.Bind(mapped)
}

// storeRecvHeader writes a struct msghdr for one byte and one fd. It lies in
// scratch space, because the kernel writes into it.
func (c *compiler) storeRecvHeader(header, control int) {
	iov := c.b.ArgWords(nsenter.Addr(c.byte1), nsenter.Imm(1))
	c.b.Store(header+16, 8, iov)
	c.b.Store(header+24, 8, nsenter.Imm(1))
	c.b.Store(header+32, 8, nsenter.Addr(control))
	c.b.Store(header+40, 8, nsenter.Imm(cmsgSize))
}
