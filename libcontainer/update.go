package libcontainer

import (
	"brig/cgroups"
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Update changes the limits of a container that runs. Device rules stay as they are,
// as under runc: whoever updates a limit does not mean to open devices.
func (r *Runtime) Update(id string, resources *specs.LinuxResources) error {
	d, rec, status, err := r.look(id)
	if err != nil {
		return err
	}
	defer d.close()
	if status == Stopped {
		return errNotRunning(id)
	}
	if rec.Cgroup == "" {
		return fault.Configf("/linux/cgroupsPath", "%q has no cgroup, whose limits could be changed", id)
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	group, err := root.Open(rec.Cgroup)
	if err != nil {
		return fault.Hostf("", err, "open the cgroup %s", rec.Cgroup)
	}
	defer group.Close()
	group.Complete(resources)
	if err := group.CheckBeforeUpdate(resources.Memory, ""); err != nil {
		return err
	}
	resources.Devices = nil
	writes, faults := cgroups.Writes(resources, "")
	if len(faults) > 0 {
		return faults
	}
	return root.Update(group, writes)
}
