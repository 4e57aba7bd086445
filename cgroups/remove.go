package cgroups

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// retryPause is how long brig waits when a group is busy for another reason than
// a process in it, such as a child that was made in the meantime.
const retryPause = time.Millisecond

// killRound is how long brig waits for the processes that it killed before it
// looks whether there are others.
const killRound = 200 * time.Millisecond

// Remove removes a group with all below it, and kills what is left in it. That it
// is not there is success. The groups above it stay: they may be the parents of
// other containers, which are being created at this moment.
func (r *Root) Remove(path string) error {
	if !validPath(path) || cleanPath(path) == "/" {
		return fault.Bugf("remove the cgroup %q", path)
	}
	path = cleanPath(path)
	err := r.rmdir(path)
	if err == nil || gone(err) {
		return nil
	}
	g, err := r.Open(path)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.Close()
	return r.retry(g)
}

// RemoveEmpty removes a group that has neither processes nor groups below it, and
// leaves any other to those who use it.
func (r *Root) RemoveEmpty(path string) error {
	if !validPath(path) || cleanPath(path) == "/" {
		return fault.Bugf("remove the cgroup %q", path)
	}
	err := r.rmdir(cleanPath(path))
	if err == nil || gone(err) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return fault.Hostf("", err, "remove the cgroup %s", path)
}

// rmdir removes a group without any below it.
func (r *Root) rmdir(path string) error {
	above, name, err := r.openParent(path)
	if err != nil {
		return err
	}
	defer unix.Close(above)
	return unix.Unlinkat(above, name, unix.AT_REMOVEDIR)
}

// retry removes the group as soon as its processes have ended. It kills in every
// round, since an exec that began before the first one may put a process into the
// group after it. cgroup.kill reaches frozen processes too.
func (r *Root) retry(g *Group) error {
	deadline := time.Now().Add(g.patience)
	for round := 0; ; round++ {
		if err := g.Kill(); err != nil && !gone(err) {
			return err
		}
		// Only now: nothing that lives is to be without its limits.
		if round == 1 {
			g.Unthrottle()
		}
		// An error means that the group is going; the removal says so.
		g.await("populated", false, min(killRound, time.Until(deadline)))
		g.removeChildren()
		err := r.rmdir(g.path)
		if err == nil || gone(err) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return g.explainBusy(err)
		}
		time.Sleep(retryPause)
	}
}

// Unthrottle lifts what makes the processes of the group and of those below it slow, for
// a group that is to go: who was killed needs the processor and his disk for a moment to
// end, and with the least weight beside a busy neighbour he waits for minutes. The
// scheduler of before 6.6 lets him wait all the same; a quota it lifts.
func (g *Group) Unthrottle() {
	walk(g.fd, func(dir int) error {
		writeAt(dir, "cpu.idle", "0")
		writeAt(dir, "cpu.max", "max")
		writeAt(dir, "cpu.weight", "10000")
		disks, _ := readAt(dir, "io.max")
		for line := range strings.Lines(disks) {
			number, _, _ := strings.Cut(line, " ")
			writeAt(dir, "io.max", number+" rbps=max wbps=max riops=max wiops=max")
		}
		return nil
	})
}

// explainBusy names the processes that keep a group from being removed.
func (g *Group) explainBusy(err error) error {
	e := fault.Hostf("", err, "remove the cgroup %s", g.path)
	if pids, err := g.Pids(); err == nil && len(pids) > 0 {
		e.Hint = fmt.Sprintf("%d process(es) do not end, the first is %d", len(pids), pids[0])
	}
	return e
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
