package cgroups

import (
	"errors"
	"os"
	"path"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Root is the mounted v2 hierarchy.
type Root struct {
	fd       int
	mount    string
	self     string        // the file that names brig's own cgroup
	patience time.Duration // how long the kernel may take to do what it was told
}

const (
	pureMount   = "/sys/fs/cgroup"
	hybridMount = "/sys/fs/cgroup/unified"
	selfCgroup  = "/proc/self/cgroup"
	patience    = 10 * time.Second
	pathPointer = "/linux/cgroupsPath"
	// beneath keeps every look-up inside the hierarchy and the group.
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
)

// FindRoot opens the v2 hierarchy, where systemd and engines mount it.
func FindRoot() (*Root, error) {
	return findRoot(pureMount, hybridMount)
}

func findRoot(mounts ...string) (*Root, error) {
	for _, mount := range mounts {
		fd, err := unix.Open(mount, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, fault.Hostf(pathPointer, err, "look for cgroup v2 at %s", mount)
		}
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err != nil {
			unix.Close(fd)
			return nil, fault.Hostf(pathPointer, err, "look for cgroup v2 at %s", mount)
		}
		if st.Type == unix.CGROUP2_SUPER_MAGIC {
			return &Root{fd: fd, mount: mount, self: selfCgroup, patience: patience}, nil
		}
		unix.Close(fd)
	}
	return nil, fault.Hostf(pathPointer, unix.ENOENT, "find cgroup v2 at %s", strings.Join(mounts, " or ")).
		WithHint("brig knows no cgroup v1; mount cgroup2 there, or boot with systemd.unified_cgroup_hierarchy=1")
}

// Close closes the hierarchy.
func (r *Root) Close() { unix.Close(r.fd) }

// Path is where the cgroup of a container lies, from the root of the hierarchy:
// an absolute cgroupsPath as it is, a relative one below brig's own cgroup, and
// without one /brig/ID. That does not depend on where brig runs: a group below
// brig's own would keep the session or service that starts a container from
// having controllers, since a group with processes cannot pass any on. The name of a
// unit is here a name like any other: BuildKit gives one to every step of a build on a
// host with systemd, and never asks for the unit. Nobody means brig's own group by it, so
// that group lies beside brig's own, as runc has it.
func (r *Root) Path(cgroupsPath, id string) (string, *fault.Error) {
	if cgroupsPath == "" {
		return "/brig/" + id, nil
	}
	if !validPath(cgroupsPath) {
		return "", fault.Configf(pathPointer, "%q is no path of a cgroup", cgroupsPath)
	}
	clean := cleanPath(cgroupsPath)
	if !strings.HasPrefix(cgroupsPath, "/") {
		own, err := r.ownPath()
		if err != nil {
			return "", fault.Hostf(pathPointer, err, "read brig's own cgroup")
		}
		if namesUnit(cgroupsPath) {
			own = path.Dir(own)
		}
		clean = cleanPath(own + "/" + cgroupsPath)
	}
	if clean == "/" {
		return "", fault.Configf(pathPointer, "the root of the hierarchy cannot be a container's cgroup")
	}
	return clean, nil
}

// namesUnit says whether a cgroupsPath has the form slice:prefix:name, which
// --systemd-cgroup makes a unit of.
func namesUnit(cgroupsPath string) bool {
	return strings.Count(cgroupsPath, ":") == 2 && !strings.Contains(cgroupsPath, "/")
}

func validPath(p string) bool {
	if len(p) >= unix.PathMax || strings.ContainsAny(p, "\x00\n") {
		return false
	}
	for _, part := range strings.Split(p, "/") {
		if part == ".." || len(part) > unix.NAME_MAX {
			return false
		}
	}
	return true
}

func cleanPath(p string) string {
	var parts []string
	for _, part := range strings.Split(p, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return "/" + strings.Join(parts, "/")
}

func (r *Root) ownPath() (string, error) {
	raw, err := os.ReadFile(r.self)
	if err != nil {
		return "", err
	}
	return v2Path(string(raw))
}

// MayMove says whether this process may put one of its own into a group: the kernel wants
// the right to write to the lowest group above both, and that above a session and a scope of
// the user's systemd is not the user's.
func (r *Root) MayMove(to string) bool {
	own, err := r.ownPath()
	if err != nil {
		return true
	}
	above := own
	for above != "/" && !strings.HasPrefix(to+"/", above+"/") {
		above = path.Dir(above)
	}
	return unix.Faccessat(r.fd, relative(path.Join(above, "cgroup.procs")), unix.W_OK, unix.AT_EACCESS) == nil
}

// PathOf finds the group of a process in its /proc/PID/cgroup.
func PathOf(text string) (string, error) { return v2Path(text) }

// v2Path finds the line of version 2 in a cgroup file of /proc. A process that was
// moved out of its cgroup namespace has a path that leads out of the hierarchy.
func v2Path(text string) (string, error) {
	for _, line := range strings.Split(text, "\n") {
		if own, ok := strings.CutPrefix(line, "0::"); ok && !strings.HasPrefix(own, "/..") {
			return own, nil
		}
	}
	return "", unix.ENOENT
}

// relative is a path as openat2 takes it.
func relative(path string) string {
	if path = strings.TrimPrefix(path, "/"); path != "" {
		return path
	}
	return "."
}

func openAt(dir int, name string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: beneath}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// openParent opens the group above the last name of a path, and returns that name.
func (r *Root) openParent(path string) (int, string, error) {
	above, name := ".", relative(path)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		above, name = name[:i], name[i+1:]
	}
	fd, err := openAt(r.fd, above, unix.O_PATH|unix.O_DIRECTORY)
	return fd, name, err
}
