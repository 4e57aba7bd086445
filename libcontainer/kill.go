package libcontainer

import (
	"errors"
	"slices"

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
	pids, err := group.Pids()
	if err != nil {
		return err
	}
	var failed []error
	for batch := range slices.Chunk(pids, signalBatch) {
		failed = append(failed, signalBetween(batch, group.Pids, sig))
	}
	if err := errors.Join(failed...); err != nil {
		return fault.Hostf("", err, "signal the processes of %q", rec.ID)
	}
	return nil
}

// signalBatch is how many processes are held at a time, each by an fd.
const signalBatch = 256

// signalBetween signals those of the listed processes that are listed once more when they
// are held: one that was listed may have ended since, and its number be that of somebody
// else outside the container. One process that cannot be signalled does not save the others.
func signalBetween(pids []int, list func() ([]int, error), sig unix.Signal) error {
	held := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range held {
			unix.Close(fd)
		}
	}()
	var failed []error
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == nil:
			held[pid] = fd
		case !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL):
			failed = append(failed, err)
		}
	}
	again, err := list()
	if err != nil {
		return err
	}
	for _, pid := range again {
		fd, ok := held[pid]
		if !ok {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
