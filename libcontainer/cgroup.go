package libcontainer

import (
	"errors"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const resourcesPointer = "/linux/resources"

// limits computes the writes for the container's cgroup. An ordinary user who
// asks for no limit and names no cgroup gets none: he may not make one without
// delegation.
func (r *Runtime) limits(in *plan.Input) (*limits, error) {
	linux := in.Spec.Linux
	l := &limits{}
	var faults fault.List
	if linux.Resources != nil {
		if l.writes, faults = cgroups.Writes(linux.Resources, resourcesPointer); len(faults) > 0 {
			return nil, faults
		}
	}
	if r.NoCgroup {
		if len(l.writes) > 0 {
			return nil, fault.Configf(l.writes[0].Pointer, "cannot be enforced without a cgroup").
				WithHint("--cgroup-manager disabled takes a config without limits")
		}
		return l, nil
	}
	if in.Host.Rootless && len(l.writes) == 0 && linux.CgroupsPath == "" {
		return l, nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	path, f := root.Path(linux.CgroupsPath, in.ID)
	if f != nil {
		return nil, f
	}
	l.path = path
	l.devices, err = cgroups.DeviceProgram(deviceRules(linux.Resources))
	return l, err
}

func deviceRules(r *specs.LinuxResources) []specs.LinuxDeviceCgroup {
	if r == nil {
		return nil
	}
	return r.Devices
}

// enterCgroup creates the cgroup with its limits, before there is a process to
// limit. The journal tells a group that brig makes from one that was there: that one
// may be somebody else's by the time that brig is killed.
func (m *made) enterCgroup(o *CreateOptions, in *plan.Input, l *limits) error {
	if !in.Cgroup {
		return nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	there, err := root.Unused(l.path)
	if err != nil {
		return err
	}
	intent := intentCgroup
	if there {
		intent = intentGivenCgroup
	}
	if err := m.dir.intend(intent, l.path); err != nil {
		return err
	}
	m.group, err = root.Create(l.path, l.writes)
	return err
}

// limitDevices attaches the device policy. It has to be there before the payload
// is, and not before the stage: the kernel checks the program while the stage
// works. An ordinary user can load none, and can open only what he could before.
func (m *made) limitDevices(in *plan.Input, l *limits) error {
	if m.group == nil || in.Host.Rootless || l.devices == nil {
		return nil
	}
	return m.group.AttachDevices(l.devices)
}

// removeCgroup kills what is in a cgroup and removes it with all below it.
func removeCgroup(path string) error {
	if path == "" {
		return nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Remove(path)
}

// leaveCgroup removes a cgroup that brig did not make, if nobody uses it.
func leaveCgroup(path string) error {
	if path == "" {
		return nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveEmpty(path)
}

// openCgroup opens the cgroup of a container; nil without an error when it has
// none or it is gone.
func openCgroup(path string) (*cgroups.Group, error) {
	if path == "" {
		return nil, nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	g, err := root.Open(path)
	if errors.Is(err, errNoEntry) {
		return nil, nil
	}
	return g, err
}
