package libcontainer

import (
	"cmp"
	"errors"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Delete removes a container that has stopped, or was never started. With force
// it kills first, and works on whatever a killed brig left: the journal says what
// that may be. A container that is not there is then no error.
func (r *Runtime) Delete(id string, force bool) error {
	d, err := r.open(id)
	if force && isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	err = d.lock()
	if force && isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	rec, err := d.load()
	if err != nil && !errors.Is(err, unix.ENOENT) && (!force || d.foreign()) {
		return err
	}
	if rec != nil && !force {
		status, err := d.status(rec)
		if err != nil {
			return err
		}
		if status != Stopped && status != Created {
			return fault.Configf("", "cannot delete container %s that is not stopped: %s", id, status)
		}
	}
	return r.end(d, rec)
}

// end removes a container, and runs the hooks of its end.
func (r *Runtime) end(d *directory, rec *record) error {
	if err := d.destroy(rec); err != nil {
		return err
	}
	r.poststop(rec)
	return nil
}

func isNotExist(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Op != "" && len(f.Op) > len(notExistText) && f.Op[:len(notExistText)] == notExistText
}

// destroy kills and removes all that the record or the journal names, and the
// directory last: while anything is left, the container is still known.
func (d *directory) destroy(rec *record) error {
	left, err := d.intended()
	if rec == nil && err != nil {
		return err
	}
	if rec != nil {
		left = intents{cgroup: rec.Cgroup, scope: rec.Scope, rdt: rec.rdtGroups, init: rec.identity()}
	}
	if err := killInit(d.id, left); err != nil {
		return err
	}
	// Once there is an init, what is in the cgroup is the container's.
	if left.init.pid != 0 && left.cgroup == "" {
		left.cgroup = left.given
	}
	if err := removeCgroup(left.cgroup); err != nil {
		return err
	}
	if err := leaveCgroup(left.given); err != nil {
		return err
	}
	if err := left.scope.remove(); err != nil {
		return err
	}
	if err := removeResctrl(left.rdt); err != nil {
		return err
	}
	return d.remove()
}

// killTimeout bounds the wait for a killed init: it cannot refuse, but it may
// hang in the kernel.
const killTimeout = 10 * time.Second

// killHurry is how long it gets to end within its limits.
const killHurry = time.Second

// killInit kills init and waits for its end.
func killInit(id string, left intents) error {
	if left.init.pid == 0 {
		return nil
	}
	pidfd, err := openInit(id, left.init)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fault.Hostf("", err, "kill process %d of %q", left.init.pid, id)
	}
	// A frozen process ends only when it is thawed; cgroup.kill does not need
	// that, a signal does not either since 5.14.
	ended, err := waitEnd(pidfd, killHurry)
	if err == nil && !ended {
		hurry(cmp.Or(left.cgroup, left.given))
		ended, err = waitEnd(pidfd, killTimeout-killHurry)
	}
	switch {
	case err != nil:
		return fault.Hostf("", err, "wait for process %d of %q", left.init.pid, id)
	case !ended:
		return fault.Hostf("", unix.ETIMEDOUT, "process %d of %q does not end", left.init.pid, id)
	}
	return nil
}

// waitEnd says whether a process ends within a time.
func waitEnd(pidfd int, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false, err
		case n > 0 || time.Now().After(deadline):
			return n > 0, nil
		}
	}
}

// hurry lets what is in a cgroup come to its end. All of it is killed first: nothing that
// lives is to be without its limits. A cgroup that is gone, or that brig may not write to,
// it cannot help.
func hurry(cgroup string) {
	g, err := openCgroup(cgroup)
	if err != nil || g == nil {
		return
	}
	defer g.Close()
	if g.Kill() == nil {
		g.Unthrottle()
	}
}
