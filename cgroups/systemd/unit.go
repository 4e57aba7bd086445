package systemd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

const pathPointer = "/linux/cgroupsPath"

// Unit is the scope of a container.
type Unit struct {
	Name  string // with its suffix
	Slice string
	User  bool // of the user's own systemd
}

// NewUnit reads a cgroupsPath of the form SLICE:PREFIX:NAME. Without one the scope
// is in the slice of system services, or in the user's, and bears the ID.
func NewUnit(cgroupsPath, id string, user bool) (*Unit, *fault.Error) {
	u := &Unit{Name: "brig-" + id + ".scope", Slice: "system.slice", User: user}
	if user {
		u.Slice = "user.slice"
	}
	if cgroupsPath == "" {
		return u, u.check()
	}
	parts := strings.Split(cgroupsPath, ":")
	if len(parts) != 3 || parts[2] == "" {
		return nil, fault.Configf(pathPointer, "%q is not of the form SLICE:PREFIX:NAME, as --systemd-cgroup wants it", cgroupsPath)
	}
	if parts[0] != "" {
		u.Slice = parts[0]
	}
	u.Name = parts[2] + ".scope"
	if parts[1] != "" {
		u.Name = parts[1] + "-" + u.Name
	}
	return u, u.check()
}

// maxName is systemd's limit of the name of a unit.
const maxName = 255

// check refuses what systemd would refuse, with the field that it comes from. A
// slice is a unit that is there or that systemd makes; a scope is always new.
func (u *Unit) check() *fault.Error {
	for _, name := range [...]string{u.Name, u.Slice} {
		if len(name) > maxName || !validName(name) {
			return fault.Configf(pathPointer, "%q cannot be the name of a unit of systemd", name)
		}
	}
	if !strings.HasSuffix(u.Slice, ".slice") {
		return fault.Configf(pathPointer, "%q is no slice of systemd", u.Slice)
	}
	return nil
}

func validName(name string) bool {
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(":-_.\\@", rune(c)) {
			return false
		}
	}
	return name != "" && name[0] != '.'
}

// Property is one property of a unit.
type Property struct {
	Name  string
	Value Variant
}

func property(name, signature string, value any) Property {
	return Property{name, Variant{signature, value}}
}

// String is the property for people.
func (p Property) String() string { return fmt.Sprintf("%s=%v", p.Name, p.Value.Value) }

func structs(list []Property) []any {
	out := make([]any, 0, len(list))
	for _, p := range list {
		out = append(out, []any{p.Name, p.Value})
	}
	return out
}

// All are the properties of the scope: those that each has, and its own.
func (u *Unit) All(own []Property) []Property {
	return append([]Property{
		property("Description", "s", "container "+u.Name),
		property("Slice", "s", u.Slice),
		property("Delegate", "b", true),
		property("DefaultDependencies", "b", false),
		property("CPUAccounting", "b", true), property("MemoryAccounting", "b", true),
		property("IOAccounting", "b", true), property("TasksAccounting", "b", true),
	}, own...)
}

// Start makes the scope with a process in it, and waits until systemd has.
func (m *Manager) Start(u *Unit, pid int, properties []Property) error {
	list := append(u.All(properties), property("PIDs", "au", []any{uint32(pid)}))
	const call = "StartTransientUnit"
	answer, err := m.manager(call, "ssa(sv)a(sa(sv))", u.Name, "fail", structs(list), []any{})
	if is(err, "org.freedesktop.systemd1.UnitExists") {
		// What is left of a scope whose processes failed is a name that is taken.
		m.manager("ResetFailedUnit", "s", u.Name)
		answer, err = m.manager(call, "ssa(sv)a(sa(sv))", u.Name, "fail", structs(list), []any{})
	}
	if err != nil {
		return u.explain(err)
	}
	result, err := m.await(call, answer.text(0))
	if err == nil && result != "done" {
		err = fault.Hostf("", nil, "systemd could not start %s: its job ended with %q", u.Name, result)
	}
	return err
}

func (u *Unit) explain(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	switch {
	case is(err, "org.freedesktop.systemd1.UnitExists"):
		f.Pointer, f.Hint = pathPointer, u.Name+" is there already, with processes in it"
	case is(err, "org.freedesktop.DBus.Error.PropertyReadOnly"), is(err, "org.freedesktop.DBus.Error.InvalidArgs"):
		f.Hint = "a property that this systemd does not know, or a value that it does not take"
	}
	return f
}

// Stop stops the scope, and forgets it. One that is gone is fine: it goes with its
// last process.
func (m *Manager) Stop(u *Unit) error {
	const call = "StopUnit"
	answer, err := m.manager(call, "ss", u.Name, "replace")
	switch {
	case is(err, "org.freedesktop.systemd1.NoSuchUnit"):
		return nil
	case err != nil:
		return err
	}
	if _, err := m.await(call, answer.text(0)); err != nil {
		return err
	}
	if _, err := m.manager("ResetFailedUnit", "s", u.Name); err != nil && !is(err, "org.freedesktop.systemd1.NoSuchUnit") {
		return err
	}
	return nil
}

// Attach moves a process into a cgroup of the scope, "" for its own. The systemd of a
// user asks that of the host for what only root may do.
func (m *Manager) Attach(u *Unit, below string, pid int) error {
	_, err := m.manager("AttachProcessesToUnit", "ssau", u.Name, below, []any{uint32(pid)})
	return err
}

// Set changes properties of a scope that is there, until the next boot, but for the one
// that systemd changes in no scope that runs. When systemd answers, it has written them to
// the cgroup.
func (m *Manager) Set(u *Unit, list []Property) error {
	list = slices.DeleteFunc(slices.Clone(list), func(p Property) bool { return p.Name == "OOMPolicy" })
	if len(list) == 0 {
		return nil
	}
	_, err := m.manager("SetUnitProperties", "sba(sv)", u.Name, true, structs(list))
	return err
}

// Cgroup is the path of the scope's cgroup from the root of the hierarchy.
func (m *Manager) Cgroup(u *Unit) (string, error) {
	unit, err := m.manager("GetUnit", "s", u.Name)
	if err != nil {
		return "", err
	}
	answer, err := m.call(&message{
		path: unit.text(0), iface: "org.freedesktop.DBus.Properties", destination: managerName, member: "Get",
		signature: "ss", body: []any{"org.freedesktop.systemd1.Scope", "ControlGroup"},
	})
	if err != nil {
		return "", err
	}
	if path := answer.text(0); path != "" {
		return path, nil
	}
	return "", fault.Hostf("", unix.ENOENT, "systemd has no cgroup for %s", u.Name)
}
