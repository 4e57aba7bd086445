package libcontainer

import (
	"errors"

	"brig/cgroups"
	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Pause stops every process of a container, and returns when all have stopped.
func (r *Runtime) Pause(id string) error {
	return r.freezer(id, func(status string, g *cgroups.Group) error {
		if status != Running && status != Created {
			return errNotRunning(id)
		}
		return g.Freeze()
	})
}

// Resume lets the processes of a paused container go on.
func (r *Runtime) Resume(id string) error {
	return r.freezer(id, func(status string, g *cgroups.Group) error {
		if status != Paused {
			return fault.Configf("", "container not paused: %s", id)
		}
		return g.Thaw()
	})
}

// freezer works on the cgroup of a container of which no other verb makes anything
// else meanwhile.
func (r *Runtime) freezer(id string, work func(status string, g *cgroups.Group) error) error {
	d, rec, status, err := r.look(id)
	if err != nil {
		return err
	}
	defer d.close()
	group, err := openCgroup(rec.Cgroup)
	if err != nil {
		return err
	}
	if group == nil {
		if status == Stopped {
			return work(status, nil)
		}
		return fault.Configf("/linux/cgroupsPath", "%q has no cgroup, by which it could be paused", id)
	}
	defer group.Close()
	return work(status, group)
}

// look opens and locks a container, and says what has become of it.
func (r *Runtime) look(id string) (*directory, *record, string, error) {
	d, err := r.open(id)
	if err != nil {
		return nil, nil, "", err
	}
	rec, status, err := d.look()
	if err != nil {
		d.close()
		return nil, nil, "", err
	}
	return d, rec, status, nil
}

func (d *directory) look() (*record, string, error) {
	if err := d.lock(); err != nil {
		return nil, "", err
	}
	rec, err := d.load()
	if errors.Is(err, unix.ENOENT) {
		return nil, "", errNotRunning(d.id)
	}
	if err != nil {
		return nil, "", err
	}
	status, err := d.status(rec)
	return rec, status, err
}

// Pids lists the processes of a container, by the pids of brig's own PID namespace.
func (r *Runtime) Pids(id string) ([]int, error) {
	d, rec, status, err := r.look(id)
	if err != nil {
		return nil, err
	}
	defer d.close()
	group, err := openCgroup(rec.Cgroup)
	if err != nil {
		return nil, err
	}
	if group != nil {
		defer group.Close()
		return group.Pids()
	}
	if status == Stopped {
		return nil, nil
	}
	return nil, fault.Configf("/linux/cgroupsPath", "%q has no cgroup, by which its processes could be told", id)
}
