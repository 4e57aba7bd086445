package spec

import (
	"encoding/json"
	"slices"
	"testing"

	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// written is a config after a round through its file.
func written(t *testing.T, s *specs.Spec) *specs.Spec {
	t.Helper()
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	s, warnings, err := Parse(data)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %q in %s", err, warnings, data)
	}
	return s
}

// What Example writes is valid in every form, without a warning.
func TestExampleIsValid(t *testing.T) {
	hosts := []ExampleHost{
		{},
		{Controllers: []string{"cpu", "memory", "pids"}, IDBase: 1 << 20},
		{NoUserNamespace: true},
		{Seccomp: seccomp.Default("amd64")},
		{Seccomp: seccomp.Default("arm64")},
	}
	for i, h := range hosts {
		s := written(t, Example(h))
		if warnings, err := Validate(s, Options{}); err != nil || len(warnings) > 0 {
			t.Errorf("host %d: %v %q", i, err, warnings)
		}
		s = written(t, ToRootless(Example(h), 1000, 1001))
		if warnings, err := Validate(s, Options{Rootless: true}); err != nil || len(warnings) > 0 {
			t.Errorf("host %d, rootless: %v %q", i, err, warnings)
		}
	}
}

func TestExampleIsHardened(t *testing.T) {
	s := Example(ExampleHost{Controllers: []string{"memory", "pids"}})
	if c := s.Process.Capabilities; c == nil || len(c.Bounding)+len(c.Permitted)+len(c.Effective)+len(c.Inheritable)+len(c.Ambient) > 0 {
		t.Errorf("capabilities: %+v", c)
	}
	if !s.Process.NoNewPrivileges || !s.Root.Readonly || s.Process.Terminal {
		t.Error("privileges can be gained, or the root can be written")
	}
	for _, kind := range []specs.LinuxNamespaceType{"user", "pid", "mount", "network", "ipc", "uts", "cgroup"} {
		if !slices.Contains(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind}) {
			t.Errorf("no new %s namespace", kind)
		}
	}
	if p := s.Linux.Resources.Pids; p == nil || *p.Limit != 1024 {
		t.Error("no limit of processes")
	}
	if m := s.Linux.Resources.Memory; m == nil || *m.Limit != 1<<30 {
		t.Error("no limit of memory")
	}
	if !mapped(0, s.Linux.UIDMappings) || !mapped(65535, s.Linux.GIDMappings) || s.Linux.UIDMappings[0].HostID != DefaultIDBase {
		t.Errorf("mappings: %v %v", s.Linux.UIDMappings, s.Linux.GIDMappings)
	}
	for _, m := range s.Mounts {
		o, err := ParseMountOptions(&m)
		if err != nil {
			t.Error(err)
		}
		switch m.Destination {
		case "/":
			if !o.IDMap || !o.Bind || m.Source != s.Root.Path {
				t.Errorf("%+v", m)
			}
			continue
		case "/sys", "/sys/fs/cgroup":
			if o.SetAttr&1 == 0 {
				t.Errorf("%s can be written", m.Destination)
			}
		}
		if o.SetAttr&2 == 0 || o.SetAttr&8 == 0 {
			t.Errorf("%s: programs can be run, or set-user-ID ones", m.Destination)
		}
	}
}

// The range of ids fits in 31 bits, and lies beyond what the tools of a
// distribution hand out.
func TestDefaultIDBase(t *testing.T) {
	const lastOfUseradd, lastOfSystemd, firstOfForeign = 600100000 + 65536, 1879048191, 2147352576
	if DefaultIDBase <= lastOfUseradd || DefaultIDBase <= lastOfSystemd || DefaultIDBase+idCount > firstOfForeign {
		t.Errorf("%d", DefaultIDBase)
	}
}

func TestExampleWithoutControllers(t *testing.T) {
	s := Example(ExampleHost{Controllers: []string{"cpu"}, NoUserNamespace: true})
	if s.Linux.Resources.Memory != nil || s.Linux.Resources.Pids != nil {
		t.Error("a limit that the host cannot enforce")
	}
	if len(s.Linux.UIDMappings) > 0 || s.Mounts[0].Destination == "/" {
		t.Error("ids are mapped without a user namespace")
	}
}

func TestToRootless(t *testing.T) {
	s := ToRootless(Example(ExampleHost{NoUserNamespace: true, Controllers: []string{"pids"}}), 1000, 1001)
	if s.Linux.Resources != nil {
		t.Error("limits that an ordinary user cannot set")
	}
	if m := s.Linux.UIDMappings; len(m) != 1 || m[0] != (specs.LinuxIDMapping{HostID: 1000, Size: 1}) {
		t.Errorf("%v", m)
	}
	if m := s.Linux.GIDMappings; len(m) != 1 || m[0] != (specs.LinuxIDMapping{HostID: 1001, Size: 1}) {
		t.Errorf("%v", m)
	}
	for _, m := range s.Mounts {
		if m.Destination == "/" || slices.Contains(m.Options, "gid=5") || slices.Contains(m.Options, "idmap") {
			t.Errorf("%+v", m)
		}
	}
}
