package cgroups

import (
	"errors"
	"os"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// How long brig waits for the kernel to do what it was told.
const (
	removeTimeout = 10 * time.Second
	freezeTimeout = 10 * time.Second
	firstPause    = time.Millisecond
	longestPause  = 50 * time.Millisecond
)

// children are the groups right below a directory.
func children(dir int) ([]string, error) {
	fd, err := openAt(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "cgroup")
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil && len(entries) == 0 {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Remove removes a group with all below it, and kills what is left in it. That it
// is not there is success. The groups above it stay.
func (r *Root) Remove(path string) error {
	name := relative(path)
	if name == "." {
		return fault.Bugf("remove the root of the cgroups")
	}
	err := unix.Unlinkat(r.fd, name, unix.AT_REMOVEDIR)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	g, err := r.Open(path)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Kill(); err != nil {
		return err
	}
	return r.retry(g, name)
}

// retry removes the group as soon as its processes have ended.
func (r *Root) retry(g *Group, name string) error {
	deadline := time.Now().Add(removeTimeout)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		g.removeChildren()
		err := unix.Unlinkat(r.fd, name, unix.AT_REMOVEDIR)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fault.Hostf("", err, "remove the cgroup %s", g.path)
		}
		time.Sleep(pause)
	}
}

// removeChildren removes the groups below, the deepest first. A busy one is for
// the next round.
func (g *Group) removeChildren() {
	walk(g.fd, func(dir int) error {
		names, err := children(dir)
		for _, name := range names {
			unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		}
		return err
	})
}

// Kill kills every process of the group and below it; the kernel sees to it that
// no fork escapes.
func (g *Group) Kill() error {
	if err := writeAt(g.fd, "cgroup.kill", "1"); err != nil {
		return fault.Hostf("", err, "kill the processes of the cgroup %s", g.path)
	}
	return nil
}

// event reads a value of cgroup.events.
func (g *Group) event(key string) (bool, error) {
	text, err := readAt(g.fd, "cgroup.events")
	if err != nil {
		return false, fault.Hostf("", err, "read cgroup.events of %s", g.path)
	}
	for _, line := range strings.Split(text, "\n") {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			return value == "1", nil
		}
	}
	return false, fault.Hostf("", unix.ENOENT, "cgroup.events of %s has no %s", g.path, key)
}

// Frozen says whether every process of the group is frozen.
func (g *Group) Frozen() (bool, error) { return g.event("frozen") }

// Populated says whether there is a process in the group or below it.
func (g *Group) Populated() (bool, error) { return g.event("populated") }

// Freeze stops every process of the group and returns when all have stopped. If
// they do not, it thaws them again: nothing may stay half frozen.
func (g *Group) Freeze() error {
	if err := g.setFrozen(true); err != nil {
		return errors.Join(err, writeAt(g.fd, "cgroup.freeze", "0"))
	}
	return nil
}

// Thaw lets the processes go on.
func (g *Group) Thaw() error { return g.setFrozen(false) }

func (g *Group) setFrozen(want bool) error {
	value := "0"
	if want {
		value = "1"
	}
	if err := writeAt(g.fd, "cgroup.freeze", value); err != nil {
		return fault.Hostf("", err, "write %s to cgroup.freeze of %s", value, g.path)
	}
	deadline := time.Now().Add(freezeTimeout)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		is, err := g.Frozen()
		if err != nil || is == want {
			return err
		}
		if time.Now().After(deadline) {
			return fault.Hostf("", unix.ETIMEDOUT, "the processes of the cgroup %s do not freeze or thaw", g.path)
		}
		time.Sleep(pause)
	}
}
