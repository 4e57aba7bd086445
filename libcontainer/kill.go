package libcontainer

import (
	"errors"

	"brig/cgroups"
	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// errNoEntry is what a cgroup that is gone is recognised by.
var errNoEntry = unix.ENOENT

// errNotRunning is the text that engines look for.
func errNotRunning(id string) error { return fault.Configf("", "container not running: %s", id) }

// Kill sends a signal to the container's init, or with all to every process of
// its cgroup. With all, a container that has stopped is no error.
func (r *Runtime) Kill(id string, sig unix.Signal, all bool) error {
	d, err := r.open(id)
	if err != nil {
		return err
	}
	defer d.close()
	rec, err := d.load()
	if errors.Is(err, unix.ENOENT) {
		return errNotRunning(id)
	}
	if err != nil {
		return err
	}
	if all {
		return killAll(rec, sig)
	}
	pidfd, err := openInit(id, rec.identity())
	if errors.Is(err, unix.ESRCH) {
		return errNotRunning(id)
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, sig, nil, 0); errors.Is(err, unix.ESRCH) {
		return errNotRunning(id)
	} else if err != nil {
		return fault.Hostf("", err, "signal process %d of %q", rec.Pid, id)
	}
	return nil
}

// openInit opens a pidfd of init and then makes sure that it is init, and not a
// process that got its number since. unix.ESRCH says that it is gone.
func openInit(id string, init identity) (int, error) {
	pidfd, _, err := findInit(id, init)
	return pidfd, err
}

// findInit is openInit that says what it saw of init.
func findInit(id string, init identity) (int, process, error) {
	pidfd, err := unix.PidfdOpen(init.pid, 0)
	if err != nil {
		// Before 6.15 EINVAL is the word for a number that is still that of a session or
		// of a group of processes, and no more that of a process.
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
			return -1, process{}, unix.ESRCH
		}
		return -1, process{}, fault.Hostf("", err, "open process %d of %q", init.pid, id)
	}
	proc, err := openProc()
	if err != nil {
		unix.Close(pidfd)
		return -1, process{}, err
	}
	defer proc.close()
	p, alive, err := proc.isInit(init)
	if err == nil && alive {
		return pidfd, p, nil
	}
	unix.Close(pidfd)
	if err != nil { // nobody knows then whether it is gone
		return -1, process{}, fault.Hostf("", err, "look at process %d of %q", init.pid, id)
	}
	return -1, process{}, unix.ESRCH
}

// killAll signals every process of the cgroup. For SIGKILL the kernel does it at
// once, so that no fork escapes.
func killAll(rec *record, sig unix.Signal) error {
	group, err := openCgroup(rec.Cgroup)
	if err != nil || group == nil {
		return err
	}
	defer group.Close()
	if sig == unix.SIGKILL {
		return group.Kill()
	}
	return signalAll(rec.ID, group, sig)
}

// signalRounds bounds how often the processes of a cgroup are looked for: they may fork
// faster than anybody can look.
const signalRounds = 10

// signalAll signals each process of a cgroup once, also those that others forked and that
// went from group to group meanwhile.
func signalAll(id string, group *cgroups.Group, sig unix.Signal) error {
	proc, err := openProc()
	if err != nil {
		return err
	}
	defer proc.close()
	done := map[int]bool{}
	for round, before := 0, -1; before < len(done) && round < signalRounds; round++ {
		before = len(done)
		pids, err := group.Pids()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if done[pid] {
				continue
			}
			done[pid] = true
			if err := signalIn(proc, group.Path(), pid, sig); err != nil {
				return fault.Hostf("", err, "signal process %d of %q", pid, id)
			}
		}
	}
	return nil
}

// signalIn signals a process if it is in a cgroup or below that. One that was listed may
// have ended since, and its number be that of somebody else outside the container.
func signalIn(proc procfs, path string, pid int, sig unix.Signal) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	text, err := proc.read(pid, "cgroup")
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if own, err := cgroups.PathOf(text); err != nil || !within(own, path) {
		return nil
	}
	if err := unix.PidfdSendSignal(pidfd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}
