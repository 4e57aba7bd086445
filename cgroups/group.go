package cgroups

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Group is one cgroup, held by its directory.
type Group struct {
	fd       int
	path     string
	patience time.Duration
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
		return nil, fault.Hostf(pathPointer, err, "open the cgroup %s", path)
	}
	return &Group{fd: fd, path: path, patience: r.patience}, nil
}

// Has says whether the group has a file.
func (g *Group) Has(file string) bool {
	_, err := readAt(g.fd, file)
	return err == nil
}

// IsParent says that the group distributes resources to groups below it. The kernel
// lets no process into such a one (the "no internal processes" rule of cgroup v2).
func (g *Group) IsParent() bool {
	text, err := readAt(g.fd, "cgroup.subtree_control")
	return err == nil && strings.TrimSpace(text) != ""
}

// checkEmpty refuses a group that somebody else uses.
func (g *Group) checkEmpty() error {
	pids, err := g.Pids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fault.Hostf(pathPointer, unix.EBUSY, "container's cgroup is not empty: %d process(es) found", len(pids))
	}
	return nil
}

// Pids lists the processes of the group and of all groups below it.
func (g *Group) Pids() ([]int, error) {
	var pids []int
	err := walk(g.fd, func(dir int) error {
		text, err := readAt(dir, "cgroup.procs")
		if gone(err) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil // it is threaded, and its domain lists the processes
		}
		if err != nil {
			return err
		}
		for _, line := range strings.Fields(text) {
			// 0 is a process that brig's PID namespace does not have.
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

// gone says that a group was removed while it was looked at: its files are no
// longer there, or give ENODEV when they were open.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) }
