package plan

import (
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// label is an attribute of a security module that takes effect at execve, or with
// the session keyring that is made before.
type label struct {
	pointer string
	file    string // below the /proc of the host
	value   string
}

// Files of a thread's attributes. What execve does not use up, it resets.
const (
	attrAppArmor  = "thread-self/attr/apparmor/exec"
	attrExec      = "thread-self/attr/exec"
	attrKeycreate = "thread-self/attr/keycreate"
)

// labelsOf are the labels of a process, in the order in which they are written.
func labelsOf(in *Input) []label {
	p := in.Spec.Process
	var list []label
	if p.ApparmorProfile != "" {
		list = append(list, label{"/process/apparmorProfile", attrAppArmor, "exec " + p.ApparmorProfile})
	}
	if p.SelinuxLabel != "" {
		list = append(list, label{"/process/selinuxLabel", attrExec, p.SelinuxLabel})
		if !in.NoNewKeyring {
			list = append(list, label{"/process/selinuxLabel", attrKeycreate, p.SelinuxLabel})
		}
	}
	return list
}

const noSELinux = "selinux label is specified in config, but selinux is disabled or not supported"

// checkLabels refuses labels that nobody on this host would look at: the payload
// would run without what confines it.
func (c *compiler) checkLabels() {
	if c.spec.Process.ApparmorProfile != "" && !c.in.Host.AppArmor {
		c.faults = append(c.faults, fault.Hostf("/process/apparmorProfile", nil, "apparmor: config provided but apparmor not supported"))
	}
	if c.spec.Process.SelinuxLabel != "" && !c.in.Host.SELinux {
		c.faults = append(c.faults, fault.Hostf("/process/selinuxLabel", nil, noSELinux))
	}
	if c.in.Join == nil && c.spec.Linux.MountLabel != "" && !c.in.Host.SELinux {
		c.faults = append(c.faults, fault.Hostf("/linux/mountLabel", nil, noSELinux))
	}
}

// Offsets and values that tell the root of a procfs.
const (
	statfsSize = 120
	procIno    = 1
)

// openProc opens the host's /proc, for labels, clocks and handles, before anything is entered. A
// procfs of the program's own would be better still, but in a user namespace the
// kernel refuses one as soon as a path in the container's /proc is masked, and a
// process that joins the container finds it masked.
func (c *compiler) openProc() {
	c.checkLabels()
	if len(labelsOf(c.in)) == 0 && !c.setsOwnClocks() && !c.in.HandsOver() {
		return
	}
	c.proc = c.b.Slot("host_proc")
	fs, good, bad := c.b.Buffer("statfs", statfsSize), c.b.Label(), c.b.Label()
	c.step("", "open the host's /proc")
	c.b.CallTo(c.proc, nsenter.Openat, nsenter.Int(unix.AT_FDCWD), c.b.Str("/proc"), nsenter.Imm(unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC), nsenter.Imm(0))
	c.b.Call(nsenter.Fstatfs, nsenter.Val(c.proc), nsenter.Addr(fs))
	c.b.Call(nsenter.Statx, nsenter.Val(c.proc), c.b.Str(""), nsenter.Imm(unix.AT_EMPTY_PATH), nsenter.Imm(unix.STATX_INO), nsenter.Addr(c.statx))
	c.b.JumpUnless(fs, ^uint64(0), unix.PROC_SUPER_MAGIC, bad)
	c.b.JumpIf(c.statx+statxIno, ^uint64(0), procIno, good)
	c.b.Bind(bad)
	c.b.Fail(unix.EINVAL, "the host's /proc is not a procfs")
	c.b.Bind(good)
}

// labels writes the labels of the process to come. Nothing that is mounted over a
// file of the host's /proc takes the write in its place (CVE-2019-16884,
// CVE-2025-52881). The names in back-quotes are what podman looks for.
func (c *compiler) labels() {
	list := labelsOf(c.in)
	if len(list) == 0 {
		return
	}
	fd := c.b.Slot("attr")
	for _, l := range list {
		c.step(l.pointer, "set `/proc/"+l.file+"`")
		c.openat2(fd, nil, nsenter.Val(c.proc), l.file, unix.O_WRONLY, selfFile)
		c.b.Call(nsenter.Write, nsenter.Val(fd), c.b.Str(l.value), nsenter.Imm(uint64(len(l.value))))
		c.close(fd)
	}
	c.close(c.proc)
}

// selfFile is for names below the host's /proc that begin with its link to the
// thread itself, which is a link by text and no magic one.
const selfFile = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// mountLabel gives a file system that is being made the label of the config, as a
// parameter of its own: the commas in it are no separators there. An option that
// says otherwise for this mount goes first.
func (c *compiler) mountLabel(fs int, kind, what string, given []spec.FSParam) {
	value := c.spec.Linux.MountLabel
	if value == "" || !takesLabel(kind) {
		return
	}
	key := spec.ContextType(c.spec)
	for _, d := range given {
		if d.Key == key {
			return
		}
	}
	c.step("/linux/mountLabel", "label the "+kind+" for "+what)
	c.fsString(fs, key, value)
}

// labelQueues labels the directory of message queues, whose file system takes no
// label as a whole; the queues in it take theirs from who makes them. In a user
// namespace the directory has an owner of the host, and keeps the kernel's label.
func (c *compiler) labelQueues(tree int, kind, destination string) {
	value := c.spec.Linux.MountLabel
	if value == "" || kind != "mqueue" || c.hasNamespace(specs.UserNamespace) {
		return
	}
	dir := c.b.Slot("dir")
	c.step("/linux/mountLabel", "label the mqueue for "+quoted(destination))
	c.openat2(dir, nil, nsenter.Val(tree), ".", unix.O_RDONLY|unix.O_DIRECTORY, beneath)
	c.b.Call(nsenter.Fsetxattr, nsenter.Val(dir), c.b.Str("security.selinux"), c.b.Str(value), nsenter.Imm(uint64(len(value))), nsenter.Imm(0))
	c.close(dir)
}

// takesLabel says whether a type of file system is labelled as a whole. The kernel
// labels the files of the others itself.
func takesLabel(kind string) bool {
	switch kind {
	case "proc", "sysfs", "cgroup2", "mqueue":
		return false
	}
	return true
}
