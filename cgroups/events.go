package cgroups

import (
	"errors"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Kill kills every process of the group and below it; the kernel sees to it that
// no fork escapes.
func (g *Group) Kill() error {
	if err := writeAt(g.fd, "cgroup.kill", "1"); err != nil {
		return fault.Hostf("", err, "kill the processes of the cgroup %s", g.path)
	}
	return nil
}

// Frozen says whether every process of the group is frozen.
func (g *Group) Frozen() (bool, error) { return g.event("frozen") }

// Paused says whether the processes of the group are frozen, or were told to be: whoever
// pauses it may have been killed before they were, and what enters it stops all the same.
func (g *Group) Paused() (bool, error) {
	if is, err := g.Frozen(); is || err != nil {
		return is, err
	}
	told, err := readAt(g.fd, "cgroup.freeze")
	if err != nil {
		return false, fault.Hostf("", err, "read cgroup.freeze of %s", g.path)
	}
	return strings.TrimSpace(told) == "1", nil
}

// Populated says whether there is a process in the group or below it.
func (g *Group) Populated() (bool, error) { return g.event("populated") }

// event reads a value of cgroup.events.
func (g *Group) event(key string) (bool, error) {
	fd, err := openAt(g.fd, "cgroup.events", unix.O_RDONLY)
	if err != nil {
		return false, fault.Hostf("", err, "read cgroup.events of %s", g.path)
	}
	defer unix.Close(fd)
	is, e := g.eventIn(fd, key)
	if e != nil {
		return false, e
	}
	return is, nil
}

func (g *Group) eventIn(fd int, key string) (bool, *fault.Error) {
	var buf [256]byte
	n, err := unix.Pread(fd, buf[:], 0)
	if err != nil {
		return false, fault.Hostf("", err, "read cgroup.events of %s", g.path)
	}
	for _, line := range strings.Split(string(buf[:n]), "\n") {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			return value == "1", nil
		}
	}
	return false, fault.Hostf("", unix.ENOENT, "cgroup.events of %s has no %s", g.path, key)
}

// await waits until a value of cgroup.events is as wanted; false means that it did
// not become so in time. The kernel compares with what was last read by this fd,
// so no change is missed.
func (g *Group) await(key string, want bool, limit time.Duration) (bool, *fault.Error) {
	fd, err := openAt(g.fd, "cgroup.events", unix.O_RDONLY)
	if err != nil {
		return false, fault.Hostf("", err, "read cgroup.events of %s", g.path)
	}
	defer unix.Close(fd)
	deadline := time.Now().Add(limit)
	for {
		is, err := g.eventIn(fd, key)
		if err != nil || is == want {
			return err == nil, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		// A signal ends the wait too, which is no more than a reason to look again.
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		unix.Poll(fds[:], int(left/time.Millisecond)+1)
	}
}

// Freeze stops every process of the group and returns when all have stopped. If
// they do not, it thaws them again: nothing may stay half frozen.
func (g *Group) Freeze() error {
	err := g.setFrozen("1")
	if err != nil {
		if again := writeAt(g.fd, "cgroup.freeze", "0"); again != nil {
			err.Hint = "and they could not be thawed again: " + again.Error()
		}
		return err
	}
	return nil
}

// Thaw lets the processes go on.
func (g *Group) Thaw() error {
	if err := g.setFrozen("0"); err != nil {
		if errors.Is(err, unix.ETIMEDOUT) {
			err.Hint = "a cgroup above it may be frozen"
		}
		return err
	}
	return nil
}

func (g *Group) setFrozen(value string) *fault.Error {
	if err := writeAt(g.fd, "cgroup.freeze", value); err != nil {
		return fault.Hostf("", err, "write %s to cgroup.freeze of %s", value, g.path)
	}
	deadline := time.Now().Add(g.patience)
	done, err := g.await("frozen", value == "1", g.patience)
	if done && value == "1" {
		done, err = g.awaitBelow(deadline)
	}
	switch {
	case err != nil:
		return err
	case !done:
		return fault.Hostf("", unix.ETIMEDOUT, "the processes of the cgroup %s do not freeze or thaw", g.path)
	}
	return nil
}

// awaitBelow waits until every group below is frozen: the kernel calls a group
// frozen as soon as its own processes are. It looks again as long as it had to
// wait, since what was not yet frozen may have made another group.
func (g *Group) awaitBelow(deadline time.Time) (done bool, err *fault.Error) {
	for waited := true; waited; {
		waited, done = false, true
		walkErr := walk(g.fd, func(dir int) error {
			below := &Group{fd: dir, path: g.path}
			is, err := below.event("frozen")
			if is || gone(err) {
				return nil
			}
			waited = true
			ok, e := below.await("frozen", true, time.Until(deadline))
			if e != nil && !gone(e) {
				return e
			}
			done = done && (ok || e != nil)
			return nil
		})
		if walkErr != nil {
			return false, fault.Hostf("", walkErr, "look for frozen processes below the cgroup %s", g.path)
		}
		if !done {
			return false, nil
		}
	}
	return true, nil
}
