package libcontainer

import (
	"errors"
	"time"

	"brig/cgroups"
	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Event is one object that `events` prints.
type Event struct {
	Type string `json:"type"` // stats, oom or memory_pressure
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"` // *cgroups.Stats, nothing, or *cgroups.PSI
}

// EventOptions say what to tell of a container.
type EventOptions struct {
	ID       string
	Interval time.Duration // between two statistics; 0 for one and no more
	Pressure bool          // tell of pressure on memory too
}

// Events tells of a container until it ends: what it uses at every interval, each
// time that the kernel kills for want of memory and, if asked, whenever its processes
// wait for memory. Without an interval it tells once what it uses.
func (r *Runtime) Events(o *EventOptions, tell func(Event) error) error {
	id := o.ID
	d, rec, status, err := r.look(id)
	if err != nil {
		return err
	}
	d.unlock()
	defer d.close()
	if status == Stopped {
		return fault.Configf("", "container with id %s is not running", id)
	}
	group, err := openCgroup(rec.Cgroup)
	if err != nil {
		return err
	}
	if group == nil {
		return fault.Configf("/linux/cgroupsPath", "%q has no cgroup that counts anything", id)
	}
	defer group.Close()
	if o.Interval == 0 {
		return tell(Event{"stats", id, group.Stats()})
	}
	return follow(group, o, tell)
}

func follow(group *cgroups.Group, o *EventOptions, tell func(Event) error) error {
	id, interval, pressure := o.ID, o.Interval, -1
	fd, err := group.Watch()
	if err != nil {
		return fault.Hostf("", err, "watch the cgroup %s", group.Path())
	}
	defer unix.Close(fd)
	if o.Pressure {
		if pressure, err = group.WatchPressure(); err != nil {
			return fault.Hostf("", err, "watch memory.pressure of the cgroup %s", group.Path())
		}
		defer unix.Close(pressure)
	}
	kills := group.OOMKills()
	for next := time.Now().Add(interval); ; {
		// poll(2) leaves out what is negative.
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(pressure), Events: unix.POLLPRI}}
		_, err := unix.Poll(fds, int(max(0, time.Until(next).Milliseconds()))+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fault.Hostf("", err, "wait for events of the cgroup %s", group.Path())
		}
		unix.Read(fd, make([]byte, 4096)) // what has changed is read anew anyway
		for now := group.OOMKills(); kills < now; kills++ {
			if err := tell(Event{Type: "oom", ID: id}); err != nil {
				return err
			}
		}
		if fds[1].Revents&unix.POLLPRI != 0 {
			if err := tell(Event{"memory_pressure", id, group.Pressure()}); err != nil {
				return err
			}
		}
		if is, err := group.Populated(); err != nil || !is {
			return nil // it has ended, or is gone
		}
		if time.Now().After(next) {
			next = next.Add(interval)
			if err := tell(Event{"stats", id, group.Stats()}); err != nil {
				return err
			}
		}
	}
}
