package libcontainer

import (
	"errors"
	"path"
	"strings"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const resourcesPointer = "/linux/resources"

// limits computes the writes for the container's cgroup. An ordinary user, or the
// root of a user namespace, who asks for no limit and names no cgroup gets none: he
// may not make one without delegation.
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
	// The policy of devices needs a cgroup. An ordinary user has none, and may do without.
	ordinary := in.Host.Rootless || in.Host.InUserNamespace
	if ordinary && r.isRootless(in.Host) && len(l.writes) == 0 && linux.CgroupsPath == "" && !r.Systemd {
		return l, nil
	}
	l.owner = in.CgroupOwner()
	var err error
	if l.devices, err = cgroups.DeviceProgram(deviceRules(linux.Resources)); err != nil {
		return nil, err
	}
	if r.Systemd {
		l.scope, err = newScope(in, l.writes, r.isRootless(in.Host))
		return l, err
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
	return l, nil
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
	if m.group, err = root.Create(l.path, l.writes); err != nil {
		return err
	}
	return m.delegate(root, l)
}

// delegate gives the cgroup to the container's user, where the config lets him write there:
// when its limits are in it, which stay brig's. Where not all controllers can be enabled
// before, he does not get it: no field of the config asks for that.
func (m *made) delegate(root *cgroups.Root, l *limits) error {
	if l.owner == nil {
		return nil
	}
	if err := root.PassAllOn(m.group); err != nil {
		m.runtime.warn([]string{"the container does not get its cgroup: " + err.Error()})
		return nil
	}
	return m.group.Delegate(l.owner.UID, l.owner.GID)
}

// isRootless says whose systemd makes cgroups, and whether a container may be without.
func (r *Runtime) isRootless(h plan.Host) bool {
	if r.Rootless != nil {
		return *r.Rootless
	}
	return h.Rootless || h.InUserNamespace
}

// limitDevices attaches the device policy. It has to be there before the payload
// is, and not before the stage: the kernel checks the program while the stage
// works. An ordinary user can load none, and can open only what he could before.
func (m *made) limitDevices(in *plan.Input, l *limits) error {
	if m.group == nil || in.Host.Rootless || in.Host.InUserNamespace || l.devices == nil {
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

// enterCgroup opens the cgroup that the process is born in: the container's, or the
// one below it that the caller names, or, where the container has made its own a
// mere parent of others, the one that its init is in.
func (j *joining) enterCgroup(in *plan.Input) error {
	if j.rec.Cgroup == "" {
		if j.o.Cgroup != "" {
			return fault.Configf("", "--cgroup: %q has no cgroup", j.o.ID)
		}
		return nil
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	name, err := subCgroup(j.rec.Cgroup, j.o.Cgroup)
	if err != nil {
		return err
	}
	if j.group, err = root.Open(name); err != nil {
		return fault.Hostf("", err, "open the cgroup %s", name)
	}
	if j.o.Cgroup == "" && j.group.IsParent() {
		if j.group, err = j.initCgroup(root, j.group); err != nil {
			return err
		}
	}
	if in.Placed = j.rec.Scope.User && !root.MayMove(j.group.Path()); in.Placed {
		j.below = strings.TrimPrefix(j.group.Path(), j.rec.Cgroup)
		j.group.Close()
		j.group = nil
	}
	in.Cgroup = !in.Placed
	return nil
}

// initCgroup opens the cgroup that init is in by now.
func (j *joining) initCgroup(root *cgroups.Root, own *cgroups.Group) (*cgroups.Group, error) {
	defer own.Close()
	proc, err := openProc()
	if err != nil {
		return nil, err
	}
	defer proc.close()
	text, err := proc.read(j.rec.Pid, "cgroup")
	if err != nil {
		return nil, fault.Hostf("", err, "read the cgroup of process %d", j.rec.Pid)
	}
	name, err := cgroups.PathOf(text)
	if err != nil {
		return nil, fault.Hostf("", err, "find the cgroup of process %d", j.rec.Pid)
	}
	if !within(name, j.rec.Cgroup) {
		return nil, fault.Hostf("", unix.EBUSY, "the cgroup %s takes no processes, and init is in %s", j.rec.Cgroup, name)
	}
	g, err := root.Open(name)
	if err != nil {
		return nil, fault.Hostf("", err, "open the cgroup %s", name)
	}
	return g, nil
}

// within says that a cgroup is another or below that.
func within(name, other string) bool { return name == other || strings.HasPrefix(name, other+"/") }

// subCgroup is the path of a cgroup below the container's.
func subCgroup(own, sub string) (string, error) {
	if sub == "" {
		return own, nil
	}
	name := path.Join(own, sub)
	if strings.Contains(sub, ":") || !within(name, own) {
		return "", fault.Configf("", "bad sub cgroup path: %s", sub)
	}
	return name, nil
}
