package cgroups

import (
	"errors"
	"os"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Root is the mounted v2 hierarchy.
type Root struct {
	fd     int
	mount  string
	hybrid bool
}

const (
	pureMount   = "/sys/fs/cgroup"
	hybridMount = "/sys/fs/cgroup/unified"
	// beneath keeps every look-up inside the hierarchy and the group.
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
)

// FindRoot opens the v2 hierarchy, where systemd and engines mount it.
func FindRoot() (*Root, error) {
	for _, mount := range [...]string{pureMount, hybridMount} {
		fd, err := unix.Open(mount, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, fault.Hostf("/linux/cgroupsPath", err, "look for cgroup v2 at %s", mount)
		}
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return &Root{fd: fd, mount: mount, hybrid: mount == hybridMount}, nil
		}
		unix.Close(fd)
	}
	return nil, fault.Hostf("/linux/cgroupsPath", unix.ENOENT, "find cgroup v2 at %s or %s", pureMount, hybridMount).
		WithHint("brig knows no cgroup v1; mount cgroup2 there, or boot with systemd.unified_cgroup_hierarchy=1")
}

// Close closes the hierarchy.
func (r *Root) Close() { unix.Close(r.fd) }

// Path is where the cgroup of a container lies, from the root of the hierarchy:
// an absolute cgroupsPath as it is, a relative one below brig's own cgroup, and
// without one /brig/ID.
func (r *Root) Path(cgroupsPath, id string) (string, *fault.Error) {
	const pointer = "/linux/cgroupsPath"
	if cgroupsPath == "" {
		return "/brig/" + id, nil
	}
	if strings.Count(cgroupsPath, ":") == 2 && !strings.Contains(cgroupsPath, "/") {
		return "", fault.Configf(pointer, "%q names a unit of systemd, and this version of brig manages cgroups itself only", cgroupsPath)
	}
	for _, part := range strings.Split(cgroupsPath, "/") {
		if part == ".." || len(part) > 255 || strings.ContainsAny(part, "\x00\n") {
			return "", fault.Configf(pointer, "%q is no path of a cgroup", cgroupsPath)
		}
	}
	clean := cleanPath(cgroupsPath)
	if !strings.HasPrefix(cgroupsPath, "/") {
		own, err := ownPath()
		if err != nil {
			return "", fault.Hostf(pointer, err, "read brig's own cgroup")
		}
		clean = cleanPath(own + "/" + cgroupsPath)
	}
	if clean == "/" {
		return "", fault.Configf(pointer, "the root of the hierarchy cannot be a container's cgroup")
	}
	return clean, nil
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

func ownPath() (string, error) {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(raw), "\n") {
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

// missing explains a controller that the v2 hierarchy does not have.
func (r *Root) missing(w *Write) error {
	e := fault.Hostf(w.Pointer, unix.ENOENT, "%s: the v2 hierarchy at %s has no %s controller", w.File, r.mount, w.Controller())
	raw, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return e
	}
	for _, line := range strings.Split(string(raw), "\n") {
		f := strings.Fields(line)
		if len(f) == 4 && f[0] == w.Controller() {
			switch {
			case f[1] != "0":
				e.Hint = "it is bound to cgroup v1 on this host"
			case f[3] == "0":
				e.Hint = "it is disabled on the kernel's command line"
			}
			return e
		}
	}
	e.Hint = "this kernel does not have it"
	return e
}

// Controllers are those that the hierarchy can enforce limits with.
func (r *Root) Controllers() ([]string, error) {
	text, err := readAt(r.fd, "cgroup.controllers")
	if err != nil {
		return nil, fault.Hostf("/linux/resources", err, "read cgroup.controllers of %s", r.mount)
	}
	return strings.Fields(text), nil
}
