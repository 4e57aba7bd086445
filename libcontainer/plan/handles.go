package plan

import (
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespaceFile is the file of one of a process's namespaces.
type namespaceFile struct {
	kind specs.LinuxNamespaceType
	name string
}

// ownNamespaces are the files of a process's namespaces below /proc/self/ns, in the
// order in which an ordinary user may enter them.
var ownNamespaces = [...]namespaceFile{
	{specs.UserNamespace, "user"},
	{specs.MountNamespace, "mnt"},
	{specs.PIDNamespace, "pid"},
	{specs.NetworkNamespace, "net"},
	{specs.IPCNamespace, "ipc"},
	{specs.UTSNamespace, "uts"},
	{specs.TimeNamespace, "time"},
	{specs.CgroupNamespace, "cgroup"},
}

// handle is a namespace of init that is handed to brig.
type handle struct {
	flag uint64
	slot int
}

// HandsOver says that init hands its namespaces to brig, for hooks that enter them. The
// kernel lets an ordinary user into the namespaces of a process that is not dumpable by
// their files alone, and those nobody but the process itself can open.
func (in *Input) HandsOver() bool {
	h := in.Spec.Hooks
	return in.Join == nil && in.Host.Rootless && h != nil && len(h.CreateContainer)+len(h.StartContainer) > 0
}

// openHandles opens the files of init's own namespaces, the last of which it has made by
// now. They are links that lead to nothing else, below the host's /proc.
func (c *compiler) openHandles() {
	if !c.in.HandsOver() {
		return
	}
	dir := c.b.Slot("ns")
	c.step("/hooks", "open the namespaces that hooks enter")
	c.openat2(dir, nil, nsenter.Val(c.proc), "self/ns", unix.O_PATH|unix.O_DIRECTORY, selfFile)
	for _, ns := range ownNamespaces {
		if !c.hasNamespace(ns.kind) {
			continue
		}
		fd := c.b.Slot(ns.name + "_ns")
		c.b.CallTo(fd, nsenter.Openat, nsenter.Val(dir), c.b.Str(ns.name), nsenter.Imm(unix.O_RDONLY|unix.O_CLOEXEC))
		c.handles = append(c.handles, handle{namespaceFlag(ns.kind), fd})
	}
	c.close(dir)
	if len(labelsOf(c.in)) == 0 {
		c.close(c.proc)
	}
}

// handOver sends brig the namespaces, each with its CLONE_ flag.
func (c *compiler) handOver() {
	if len(c.handles) == 0 {
		return
	}
	c.step("/hooks", "hand over the namespaces that hooks enter")
	message, control := c.b.Buffer("message", 16), c.b.Buffer("cmsg", cmsgSize)
	c.b.Store(message, 4, nsenter.Imm(nsenter.MessageNamespace))
	c.storeCmsg(control)
	iov := c.b.ArgWords(nsenter.Addr(message), nsenter.Imm(16))
	header := c.b.ArgWords(nsenter.Null(), nsenter.Imm(0), iov, nsenter.Imm(1), nsenter.Addr(control), nsenter.Imm(cmsgSize), nsenter.Imm(0))
	for _, h := range c.handles {
		c.b.Store(message+8, 4, nsenter.Imm(h.flag))
		c.b.Store(control+cmsgFD, 4, nsenter.Val(h.slot))
		c.b.Call(nsenter.Sendmsg, c.control, header, nsenter.Imm(unix.MSG_NOSIGNAL))
	}
}

// enterHandles enters the namespaces that init handed over, one after the other.
func (c *compiler) enterHandles() {
	c.step("", "join the namespaces of init")
	for i, flag := range c.in.Join.Handles {
		c.b.Call(nsenter.Setns, nsenter.Imm(uint64(c.in.handleFD(i))), nsenter.Imm(flag))
	}
}
