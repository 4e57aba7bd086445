package libcontainer

import (
	"errors"

	"brig/cgroups"
	"brig/cgroups/systemd"
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Update changes the limits of a container that runs. Device rules stay as they are,
// as under runc: whoever updates a limit does not mean to open devices.
// A schema is of the container's class of service.
func (r *Runtime) Update(id string, resources *specs.LinuxResources, rdt *specs.LinuxIntelRdt) error {
	d, rec, status, err := r.look(id)
	if err != nil {
		return err
	}
	defer d.close()
	if status == Stopped {
		return errNotRunning(id)
	}
	lines := schemaLines(rdt)
	if len(lines) > 0 && rec.rdtGroups.Class == "" {
		return fault.Configf(rdtPointer, "%q has no class of service, whose schema could be changed", id)
	}
	before, err := updateSchema(rec.rdtGroups, lines)
	if err != nil {
		return err
	}
	if err := updateLimits(id, rec, resources, len(lines) > 0); err != nil {
		_, back := updateSchema(rec.rdtGroups, before)
		return errors.Join(err, back)
	}
	return nil
}

// updateLimits changes the limits of the cgroup, all or none. A container without one
// is fine with a change of something else.
func updateLimits(id string, rec *record, resources *specs.LinuxResources, changed bool) error {
	if rec.Cgroup == "" && changed {
		return nil
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
	return rec.update(root, group, writes)
}

// update writes limits, when it is sure that there is a systemd to tell of them.
func (rec *record) update(root *cgroups.Root, group *cgroups.Group, writes []cgroups.Write) error {
	if len(writes) == 0 {
		return nil
	}
	manager, err := rec.Scope.dial()
	if err != nil {
		return err
	}
	if manager != nil {
		defer manager.Close()
	}
	// A systemd that does not answer may have the new limits. One that refuses has not.
	var unanswered error
	err = root.Update(group, writes, func() error {
		err := rec.Scope.update(manager, group, writes)
		if systemd.Refused(err) {
			return err
		}
		unanswered = err
		return nil
	})
	return errors.Join(err, unanswered)
}

// updateSchema writes the schema of a class of service, and returns what it was.
func updateSchema(g rdtGroups, lines []string) (before []string, err error) {
	if len(lines) == 0 {
		return nil, nil
	}
	fs, err := findResctrl()
	if err != nil {
		return nil, err
	}
	return fs.swap(g.Class, lines)
}
