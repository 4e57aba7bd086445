package libcontainer

import (
	"errors"
	"os"

	"brig/cgroups"
	"brig/cgroups/systemd"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"

	"golang.org/x/sys/unix"
)

// scope names the unit of systemd that a container's cgroup is.
type scope struct {
	Name string `json:"name"` // "" without one
	User bool   `json:"user"` // of the user's own systemd
}

// systemdScope is the unit that a config asks for.
type systemdScope struct {
	unit       *systemd.Unit
	properties []systemd.Property
	tight      *cgroups.Write // a limit that init fits into, and not the process that forks it
}

// newScope reads from the config what systemd has to know: that of the host, or the own
// one of an ordinary user.
func newScope(in *plan.Input, writes []cgroups.Write, ordinary bool) (*systemdScope, error) {
	unit, f := systemd.NewUnit(in.Spec.Linux.CgroupsPath, in.ID, ordinary)
	if f != nil {
		return nil, f
	}
	s := &systemdScope{unit: unit}
	for i := range writes {
		if writes[i].File == "pids.max" && writes[i].Value == "1" {
			s.tight = &writes[i]
			continue
		}
		s.properties = append(s.properties, systemd.Properties(writes[i:i+1])...)
	}
	if !ordinary {
		drivers, err := os.ReadFile("/proc/devices")
		if err != nil {
			return nil, fault.Hostf(resourcesPointer+"/devices", errnoOf(err), "read /proc/devices")
		}
		s.properties = append(s.properties, systemd.Devices(cgroups.DeviceRules(deviceRules(in.Spec.Linux.Resources)), string(drivers))...)
	}
	extra, f := systemd.Annotations(in.Spec.Annotations)
	if f != nil {
		return nil, f
	}
	s.properties = append(s.properties, extra...)
	return s, nil
}

// Annotations are those of a config that change what brig does; one that ends with a dot
// stands for all that begin so.
func Annotations() []string { return append([]string{systemd.AnnotationPrefix}, spec.Annotations()...) }

// plan says what systemd is asked for.
func (s *systemdScope) plan() *ScopePlan {
	if s == nil {
		return nil
	}
	p := &ScopePlan{Name: s.unit.Name, User: s.unit.User}
	for _, property := range s.unit.All(s.properties) {
		p.Properties = append(p.Properties, property.String())
	}
	return p
}

// enterScope lets systemd make the container's cgroup around the stage's first
// process, writes the limits, and lets that process go on: init is born there.
func (m *made) enterScope(l *limits) error {
	s := l.scope
	if s == nil {
		return nil
	}
	intent := intentScope
	if s.unit.User {
		intent = intentUserScope
	}
	if err := m.dir.intend(intent, s.unit.Name); err != nil {
		return err
	}
	var err error
	if m.systemd, err = systemd.Dial(s.unit.User); err != nil {
		return err
	}
	if err := m.systemd.Start(s.unit, m.stage.Pid, s.properties); err != nil {
		return err
	}
	m.scope = scope{s.unit.Name, s.unit.User}
	path, err := m.systemd.Cgroup(s.unit)
	if err != nil {
		return err
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := m.dir.intend(intentCgroup, path); err != nil {
		return err
	}
	if m.group, err = root.Open(path); err != nil {
		return fault.Hostf("/linux/cgroupsPath", err, "open the cgroup %s of %s", path, s.unit.Name)
	}
	if err := m.limitScope(root, l); err != nil {
		return err
	}
	if err := m.delegate(root, l); err != nil {
		return err
	}
	return m.release(-1)
}

// limitScope writes the limits. systemd got those of files that each group has; of where
// this one has others, such as those of the BFQ scheduler, it hears now.
func (m *made) limitScope(root *cgroups.Root, l *limits) error {
	var writes, others []cgroups.Write
	for i := range l.writes {
		w := &l.writes[i]
		if w != l.scope.tight {
			writes = append(writes, *w)
		}
		if w.Instead != nil && m.group.Has(w.File) {
			others = append(others, cgroups.Write{File: w.File, Value: w.Value})
		}
	}
	if err := m.systemd.Set(l.scope.unit, systemd.Properties(others)); err != nil {
		return err
	}
	return root.Apply(m.group, writes)
}

// place lets the systemd of a user put the stage's first process into a container's cgroup,
// where the user himself may not from where brig runs: the process of `exec` is born there.
func (j *joining) place(in *plan.Input) error {
	if !in.Placed {
		return nil
	}
	err := j.attach()
	if err != nil {
		_ = unix.Shutdown(j.stage.Control(), unix.SHUT_WR) // the stage gives up
		return err
	}
	return release(j.stage, j.program, -1)
}

func (j *joining) attach() error {
	manager, err := systemd.Dial(j.rec.Scope.User)
	if err != nil {
		return err
	}
	defer manager.Close()
	return manager.Attach(&systemd.Unit{Name: j.rec.Scope.Name, User: j.rec.Scope.User}, j.below, j.stage.Pid)
}

// tighten sets the limit that had to wait for init.
func (m *made) tighten(l *limits) error {
	if l.scope.tight == nil {
		return nil
	}
	one := []cgroups.Write{*l.scope.tight}
	told := func() error { return m.systemd.Set(l.scope.unit, systemd.Properties(one)) }
	if err := m.group.Guard(systemd.Files(), told); err != nil {
		return err
	}
	root, err := cgroups.FindRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Apply(m.group, one)
}

// remove makes systemd forget the unit, which goes with its last process by itself.
// Without a systemd there is no unit either.
func (s scope) remove() error {
	if s.Name == "" {
		return nil
	}
	manager, err := systemd.Dial(s.User)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	defer manager.Close()
	return manager.Stop(&systemd.Unit{Name: s.Name, User: s.User})
}

// dial connects to the systemd that has the scope, if there is one.
func (s scope) dial() (*systemd.Manager, error) {
	if s.Name == "" {
		return nil, nil
	}
	return systemd.Dial(s.User)
}

// update tells systemd of limits that have changed, lest it writes the old ones again.
// What it writes now beside them, since it does not know better, is mended.
func (s scope) update(manager *systemd.Manager, group *cgroups.Group, writes []cgroups.Write) error {
	if manager == nil {
		return nil
	}
	return group.Guard(systemd.Files(), func() error {
		return manager.Set(&systemd.Unit{Name: s.Name, User: s.User}, systemd.Properties(group.InForce(writes)))
	})
}
