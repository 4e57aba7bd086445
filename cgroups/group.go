package cgroups

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Group is one cgroup, held by its directory.
type Group struct {
	fd   int
	path string
}

// FD is the directory, for CLONE_INTO_CGROUP.
func (g *Group) FD() int { return g.fd }

// Path is the group's path from the root of the hierarchy.
func (g *Group) Path() string { return g.path }

// Close closes the directory; the group stays.
func (g *Group) Close() { unix.Close(g.fd) }

// Open opens a group; the error is fs.ErrNotExist (ENOENT) when there is none.
func (r *Root) Open(path string) (*Group, error) {
	fd, err := openAt(r.fd, relative(path), unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	if err != nil {
		return nil, fault.Hostf("/linux/cgroupsPath", err, "open the cgroup %s", path)
	}
	return &Group{fd: fd, path: path}, nil
}

// Create makes a group with its limits. A group that is there already has to be
// empty and not frozen. When it fails, it removes what it made.
func (r *Root) Create(path string, writes []Write) (*Group, error) {
	made, err := r.mkdir(path)
	if err != nil {
		return nil, fault.Hostf("/linux/cgroupsPath", err, "create the cgroup %s", path)
	}
	g, err := r.Open(path)
	if err == nil {
		err = r.setUp(g, made == 0, writes)
	}
	if err != nil {
		if g != nil {
			g.Close()
		}
		r.unmake(path, made)
		return nil, err
	}
	return g, nil
}

// mkdir makes the group, and the groups above it where they are missing. It
// returns how many it made.
func (r *Root) mkdir(path string) (int, error) {
	err := unix.Mkdirat(r.fd, relative(path), 0o755)
	switch {
	case err == nil:
		return 1, nil
	case errors.Is(err, unix.EEXIST):
		return 0, nil
	case !errors.Is(err, unix.ENOENT):
		return 0, err
	}
	parts := strings.Split(relative(path), "/")
	made := 0
	for i := range parts {
		err := unix.Mkdirat(r.fd, strings.Join(parts[:i+1], "/"), 0o755)
		if err == nil {
			made++
		} else if !errors.Is(err, unix.EEXIST) {
			r.unmake(strings.Join(parts[:i], "/"), made)
			return 0, err
		}
	}
	return made, nil
}

// unmake removes the last groups of a path, as many as were made.
func (r *Root) unmake(path string, made int) {
	parts := strings.Split(relative(path), "/")
	for ; made > 0 && len(parts) > 0; made-- {
		unix.Unlinkat(r.fd, strings.Join(parts, "/"), unix.AT_REMOVEDIR)
		parts = parts[:len(parts)-1]
	}
}

func (r *Root) setUp(g *Group, existed bool, writes []Write) error {
	if existed {
		if err := g.checkEmpty(); err != nil {
			return err
		}
	}
	if err := r.enable(g, writes); err != nil {
		return err
	}
	for i := range writes {
		if err := g.apply(&writes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) checkEmpty() error {
	pids, err := g.Pids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fault.Hostf("/linux/cgroupsPath", unix.EBUSY, "container's cgroup is not empty: %d process(es) found", len(pids))
	}
	frozen, err := g.Frozen()
	if err != nil {
		return err
	}
	if frozen {
		return fault.Hostf("/linux/cgroupsPath", unix.EBUSY, "container's cgroup unexpectedly frozen")
	}
	return nil
}

// enable makes the controllers that the writes need available in the group, by
// the subtree_control files of all groups above it.
func (r *Root) enable(g *Group, writes []Write) error {
	if len(writes) == 0 {
		return nil
	}
	have, err := readAt(g.fd, "cgroup.controllers")
	if err != nil {
		return fault.Hostf("/linux/cgroupsPath", err, "read cgroup.controllers of %s", g.path)
	}
	available := strings.Fields(have)
	var need []string
	for i := range writes {
		if c := writes[i].Controller(); c != "cgroup" && !slices.Contains(available, c) && !slices.Contains(need, c) {
			if err := r.enableOne(g, &writes[i]); err != nil {
				return err
			}
			need = append(need, c)
		}
	}
	return nil
}

func (r *Root) enableOne(g *Group, w *Write) error {
	have, err := readAt(r.fd, "cgroup.controllers")
	if err != nil {
		return fault.Hostf(w.Pointer, err, "read cgroup.controllers of %s", r.mount)
	}
	if !slices.Contains(strings.Fields(have), w.Controller()) {
		if w.Optional {
			return nil
		}
		return r.missing(w)
	}
	parts := strings.Split(relative(g.path), "/")
	for i := range parts {
		above := strings.Join(parts[:i], "/")
		name := strings.TrimPrefix(above+"/cgroup.subtree_control", "/")
		if err := writeAt(r.fd, name, "+"+w.Controller()); err != nil {
			e := fault.Hostf(w.Pointer, err, "enable the %s controller in %s", w.Controller(), "/"+above)
			if errors.Is(err, unix.EBUSY) {
				e.Hint = "a cgroup with processes of its own cannot pass controllers on"
			}
			return e
		}
	}
	return nil
}

// apply does one write.
func (g *Group) apply(w *Write) error {
	err := writeAt(g.fd, w.File, w.Value)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT) && w.Optional:
		return nil
	case errors.Is(err, unix.ENOENT) && w.Instead != nil:
		return g.apply(w.Instead)
	}
	return fault.Hostf(w.Pointer, err, "write %q to %s", w.Value, w.File)
}

func writeAt(dir int, name, value string) error {
	fd, err := openAt(dir, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Write(fd, []byte(value))
	}
	return err
}

// maxFile bounds what is read of one file: cgroup.procs of a full host.
const maxFile = 64 << 20

func readAt(dir int, name string) (string, error) {
	fd, err := openAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var out []byte
	buf := make([]byte, 4096)
	for len(out) < maxFile {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", err
		}
		if n == 0 {
			return string(out), nil
		}
		out = append(out, buf[:n]...)
	}
	return "", unix.EFBIG
}

// Pids lists the processes of the group and of all groups below it.
func (g *Group) Pids() ([]int, error) {
	var pids []int
	err := walk(g.fd, func(dir int) error {
		text, err := readAt(dir, "cgroup.procs")
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil // it went away, or it is threaded and its domain lists them
		}
		if err != nil {
			return err
		}
		for _, line := range strings.Fields(text) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault.Hostf("", err, "list the processes of the cgroup %s", g.path)
	}
	return pids, nil
}

// walk calls visit for a directory and all below it, the deepest first.
func walk(dir int, visit func(dir int) error) error {
	names, err := children(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = walk(fd, visit)
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return visit(dir)
}
