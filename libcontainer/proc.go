package libcontainer

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"

	"golang.org/x/sys/unix"
)

// procfs is the host's /proc, verified to be the root of a procfs, so that what
// brig writes about a process goes to that process (CVE-2019-16884).
type procfs struct{ fd int }

const procRootIno = 1

func openProc() (procfs, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return procfs{-1}, fault.Hostf("", err, "open the host's /proc")
	}
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err = unix.Fstatfs(fd, &fs); err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err != nil {
		unix.Close(fd)
		return procfs{-1}, fault.Hostf("", err, "look at the host's /proc")
	}
	if fs.Type != unix.PROC_SUPER_MAGIC || st.Ino != procRootIno {
		unix.Close(fd)
		return procfs{-1}, fault.Hostf("", unix.EINVAL, "the host's /proc is not a procfs")
	}
	return procfs{fd}, nil
}

func (p procfs) close() { unix.Close(p.fd) }

var procHow = unix.OpenHow{
	Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
}

func (p procfs) open(pid int, name string, flags uint64) (int, error) {
	how := procHow
	how.Flags = flags | unix.O_CLOEXEC
	return unix.Openat2(p.fd, strconv.Itoa(pid)+"/"+name, &how)
}

// write writes a file of a process in one write(2), as id maps demand.
func (p procfs) write(pid int, name, value string) error {
	fd, err := p.open(pid, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

// process is what /proc/PID/stat says of a process.
type process struct {
	comm      string
	state     byte
	startTime uint64 // clock ticks since boot
}

// stat reads /proc/PID/stat; unix.ESRCH when there is no such process.
func (p procfs) stat(pid int) (process, error) {
	fd, err := p.open(pid, "stat", unix.O_RDONLY)
	if errors.Is(err, unix.ENOENT) {
		return process{}, unix.ESRCH
	}
	if err != nil {
		return process{}, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 1024)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return process{}, err
	}
	return parseStat(buf[:n])
}

// Fields of /proc/PID/stat after the command name, which may contain anything.
const (
	statState     = 0
	statStartTime = 19
)

func parseStat(raw []byte) (process, error) {
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 0 || end < open {
		return process{}, fault.Bugf("/proc/PID/stat reads %q", raw)
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) <= statStartTime {
		return process{}, fault.Bugf("/proc/PID/stat reads %q", raw)
	}
	start, err := strconv.ParseUint(fields[statStartTime], 10, 64)
	if err != nil {
		return process{}, fault.Bugf("/proc/PID/stat reads %q", raw)
	}
	return process{comm: string(raw[open+1 : end]), state: fields[statState][0], startTime: start}, nil
}

// otherNamespaces are the CLONE_ flags of the namespaces of a process that are not
// brig's own.
func (p procfs) otherNamespaces(pid int) (uint64, error) {
	flags := uint64(0)
	for _, ns := range plan.NamespaceFiles {
		own, err := p.link("self/ns/" + ns.Name)
		if errors.Is(err, unix.ENOENT) {
			continue // a kernel without this type
		}
		if err != nil {
			return 0, err
		}
		theirs, err := p.link(strconv.Itoa(pid) + "/ns/" + ns.Name)
		if err != nil {
			return 0, err
		}
		if own != theirs {
			flags |= ns.Flag
		}
	}
	return flags, nil
}

// link reads a link such as that of a namespace, which is its type and number. To
// follow it would cost the kernel an inode.
func (p procfs) link(name string) (string, error) {
	buf := make([]byte, 64)
	n, err := unix.Readlinkat(p.fd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// namespace opens a namespace of a process.
func (p procfs) namespace(pid int, name string) (int, error) {
	return unix.Openat(p.fd, strconv.Itoa(pid)+"/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// root opens the root of a process.
func (p procfs) root(pid int) (int, error) {
	return unix.Openat(p.fd, strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// read reads a small file of a process.
func (p procfs) read(pid int, name string) (string, error) {
	fd, err := p.open(pid, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(buf[:n])), nil
}

// bootID is different after each boot of the machine.
func (p procfs) bootID() (string, error) {
	how := procHow
	how.Flags = unix.O_RDONLY | unix.O_CLOEXEC
	fd, err := unix.Openat2(p.fd, "sys/kernel/random/boot_id", &how)
	if err != nil {
		return "", fault.Hostf("", err, "read the boot id")
	}
	defer unix.Close(fd)
	buf := make([]byte, 64)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return "", fault.Hostf("", err, "read the boot id")
	}
	return strings.TrimSpace(string(buf[:n])), nil
}

// isInit says whether init of a container is alive: the process with its number
// that started when it did, since this boot.
func (p procfs) isInit(in identity) (process, bool, error) {
	boot, err := p.bootID()
	if err != nil || boot != in.boot {
		return process{}, false, err
	}
	is, err := p.stat(in.pid)
	if errors.Is(err, unix.ESRCH) {
		return process{}, false, nil
	}
	return is, err == nil && is.alive(in.startTime), err
}

// identity is what tells a process from all others that had or will have its
// number.
type identity struct {
	pid       int
	startTime uint64
	boot      string
}

// alive says that the process is still there and is the one that was started at
// that time, and not another with its number, nor a zombie.
func (p process) alive(startTime uint64) bool {
	return p.startTime == startTime && p.state != 'Z' && p.state != 'X'
}
