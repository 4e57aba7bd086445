package libcontainer

import (
	"encoding/json"
	"errors"
	"time"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	stateFile = "state.json"
	stateTemp = ".state.json"
)

// record is what brig keeps of a container that is made. It holds no copy of the
// config: only what later verbs need and cannot find out.
type record struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	StartTime   uint64            `json:"startTime"` // of the process, in clock ticks since boot
	Boot        string            `json:"boot"`      // boot id: after a boot the two above mean nothing
	Bundle      string            `json:"bundle"`
	Config      string            `json:"config"` // file that exec reads the config from
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Owner       int               `json:"owner"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// NoNewKeyring was asked for at create, and holds for exec.
	NoNewKeyring bool            `json:"noNewKeyring"`
	Driver       string          `json:"cgroupDriver"`           // "fs", "systemd", or "" without a cgroup
	Cgroup       string          `json:"cgroup,omitempty"`       // path below the cgroup root
	Scope        scope           `json:"scope,omitzero"`         // the unit of systemd
	Creating     bool            `json:"creating,omitempty"`     // its hooks of create run
	Hooks        json.RawMessage `json:"hooks,omitempty"`        // keptHooks
	Agent        *agent          `json:"seccompAgent,omitempty"` // nil without a listener
	rdtGroups
	Tail []tailStep `json:"tail,omitempty"`
}

func (rec *record) identity() identity { return identity{rec.Pid, rec.StartTime, rec.Boot} }

// tailStep tells `brig start` what an instruction after the start is for.
type tailStep struct {
	First   int    `json:"first"`
	Pointer string `json:"pointer,omitempty"`
	Name    string `json:"name"`
}

// State is a container as `brig state` and `brig list` show it.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}

// The statuses of a container.
const (
	Creating = string(specs.StateCreating)
	Created  = string(specs.StateCreated)
	Running  = string(specs.StateRunning)
	Paused   = "paused"
	Stopped  = string(specs.StateStopped)
)

// save writes the record whole or not at all.
func (d *directory) save(rec *record) error {
	return d.write(stateFile, stateTemp, rec.encode())
}

// load reads the record. Without one the container is half made, or being made,
// and the error is unix.ENOENT.
func (d *directory) load() (*record, error) {
	raw, err := d.read(stateFile)
	if err != nil && d.foreign() {
		return nil, errForeign(d.id)
	}
	if err != nil {
		return nil, fault.Hostf("", err, "read state.json of %q", d.id)
	}
	rec := new(record)
	if err := spec.Decode(raw, rec); err != nil || rec.ID != d.id || rec.Boot == "" {
		if d.foreign() {
			return nil, errForeign(d.id)
		}
		return nil, fault.Hostf("", unix.EBADMSG, "state.json of %q is damaged", d.id).
			WithHint("brig delete --force removes the container")
	}
	return rec, nil
}

// status asks the kernel what has become of the container's init.
func (d *directory) status(rec *record) (string, error) {
	proc, err := openProc()
	if err != nil {
		return "", err
	}
	defer proc.close()
	p, alive, err := proc.isInit(rec.identity())
	if err != nil {
		return "", fault.Hostf("", err, "look at process %d of %q", rec.Pid, d.id)
	}
	if !alive {
		return Stopped, nil
	}
	return d.statusOf(rec, p)
}

// statusOf is the status of a container whose init was just seen.
func (d *directory) statusOf(rec *record, init process) (string, error) {
	if rec.Creating {
		return Creating, nil
	}
	if is, err := frozen(rec.Cgroup); is || err != nil {
		return Paused, err
	}
	// The socket stays behind when a start is killed; the name of the process
	// tells, because execve changes it. Of a run there is none.
	if init.comm != stageName {
		return Running, nil
	}
	switch err := unix.Faccessat(d.fd, startSocket, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW); {
	case errors.Is(err, unix.ENOENT):
		return Creating, nil
	case err != nil:
		return "", fault.Hostf("", err, "look for the start socket of %q", d.id)
	}
	return Created, nil
}

// frozen says whether a cgroup is, or is about to be. One that is gone is not.
func frozen(path string) (bool, error) {
	if path == "" {
		return false, nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return false, err
	}
	defer root.Close()
	group, err := root.Open(path)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer group.Close()
	is, err := group.Paused()
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	return is, err
}

// State returns the container as it is now.
func (r *Runtime) State(id string) (*State, error) {
	d, err := r.open(id)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.state()
}

func (d *directory) state() (*State, error) {
	rec, err := d.load()
	if errors.Is(err, unix.ENOENT) {
		return &State{OCIVersion: specs.Version, ID: d.id, Status: d.statusWithoutRecord()}, nil
	}
	if err != nil {
		return nil, err
	}
	status, err := d.status(rec)
	if err != nil {
		return nil, err
	}
	s := &State{
		OCIVersion: rec.OCIVersion, ID: rec.ID, Pid: rec.Pid, Status: status, Bundle: rec.Bundle, Rootfs: rec.Rootfs,
		Created: rec.Created, Annotations: rec.Annotations, Owner: userName(rec.Owner),
	}
	if status == Stopped {
		s.Pid = 0
	}
	return s, nil
}

// statusWithoutRecord tells a container that is being made, whose maker holds the
// lock, from what a killed one left.
func (d *directory) statusWithoutRecord() string {
	if unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return Creating
	}
	unix.Flock(d.fd, unix.LOCK_UN)
	return Stopped
}
