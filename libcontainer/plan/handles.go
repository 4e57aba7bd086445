package plan

import (
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// NamespaceFile is the file of one of a process's namespaces in /proc/PID/ns, and the flag
// of setns for it.
type NamespaceFile struct {
	Name string
	Flag uint64
	kind specs.LinuxNamespaceType
}

// NamespaceFiles are those of all types, in the order in which an ordinary user may enter
// them.
var NamespaceFiles = [...]NamespaceFile{
	{"user", unix.CLONE_NEWUSER, specs.UserNamespace},
	{"mnt", unix.CLONE_NEWNS, specs.MountNamespace},
	{"pid", unix.CLONE_NEWPID, specs.PIDNamespace},
	{"net", unix.CLONE_NEWNET, specs.NetworkNamespace},
	{"ipc", unix.CLONE_NEWIPC, specs.IPCNamespace},
	{"uts", unix.CLONE_NEWUTS, specs.UTSNamespace},
	{"time", unix.CLONE_NEWTIME, specs.TimeNamespace},
	{"cgroup", unix.CLONE_NEWCGROUP, specs.CgroupNamespace},
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
	for _, ns := range NamespaceFiles {
		if !c.hasNamespace(ns.kind) {
			continue
		}
		fd := c.b.Slot(ns.Name + "_ns")
		c.b.CallTo(fd, nsenter.Openat, nsenter.Val(dir), c.b.Str(ns.Name), nsenter.Imm(unix.O_RDONLY|unix.O_CLOEXEC))
		c.handles = append(c.handles, handle{ns.Flag, fd})
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
	message := c.b.Buffer("message", 16)
	c.b.Store(message, 4, nsenter.Imm(nsenter.MessageNamespace))
	header, control := c.fdMessage(message, 16)
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
