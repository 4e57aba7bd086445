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
	Type string         `json:"type"` // stats or oom
	ID   string         `json:"id"`
	Data *cgroups.Stats `json:"data,omitempty"`
}

// Events tells of a container until it ends: what it uses, at once and at every
// interval, and each time that the kernel kills for want of memory. Without an
// interval it tells once what it uses.
func (r *Runtime) Events(id string, interval time.Duration, tell func(Event) error) error {
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
	if interval == 0 {
		return tell(Event{"stats", id, group.Stats()})
	}
	return follow(group, id, interval, tell)
}

func follow(group *cgroups.Group, id string, interval time.Duration, tell func(Event) error) error {
	fd, err := group.Watch()
	if err != nil {
		return fault.Hostf("", err, "watch the cgroup %s", group.Path())
	}
	defer unix.Close(fd)
	kills := group.OOMKills()
	for next := time.Now().Add(interval); ; {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
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
