package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestRelative(t *testing.T) {
	for name, want := range map[string]string{
		"": ".", "/": ".", "//": ".", "/.": ".", "/..": ".", "/a/..": ".", "..": ".", "../..": ".",
		"/a": "a", "a": "a", "/a/": "a", "//a//b": "a/b", "/a/./b": "a/b", "/a/../b": "b", "/../../a": "a", "/a/b/../..": ".",
		"/ ": " ", "/..a": "..a", "/.../x": ".../x",
	} {
		if got := relative(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func FuzzRelative(f *testing.F) {
	for _, name := range [...]string{"", "/", "/a/../..", "a//b", "/./.../..", "\x00/.."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := relative(name)
		if got == "" || got[0] == '/' || relative(got) != got {
			t.Errorf("%q: got %q", name, got)
		}
		for _, part := range strings.Split(got, "/") {
			if part == ".." || part == "" || part == "." && got != "." {
				t.Errorf("%q: got %q", name, got)
			}
		}
	})
}

func TestAbsolute(t *testing.T) {
	c := &compiler{in: &Input{Bundle: "/bundle"}}
	for name, want := range map[string]string{
		"/a": "/a", "/link/../b/": "/link/../b/", "a": "/bundle/a", "../a": "/bundle/../a", ".": "/bundle/.",
	} {
		if got := c.absolute(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestHostRelative(t *testing.T) {
	for name, want := range map[string]string{"/": ".", "/a": "a", "/a/b/": "a/b/", "//a": "a", "/link/..": "link/.."} {
		if got := hostRelative(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestRootID(t *testing.T) {
	for _, c := range [...]struct {
		maps []specs.LinuxIDMapping
		want uint64
	}{
		{nil, 0},
		{[]specs.LinuxIDMapping{{ContainerID: 0, HostID: 5, Size: 1}}, 0},
		{[]specs.LinuxIDMapping{{ContainerID: 1000, HostID: 5, Size: 1}}, 1000},
		{[]specs.LinuxIDMapping{{ContainerID: 1000, HostID: 5, Size: 1}, {ContainerID: 5, HostID: 7, Size: 1}}, 1000},
		{[]specs.LinuxIDMapping{{ContainerID: 1000, HostID: 5, Size: 1}, {ContainerID: 0, HostID: 7, Size: 1}}, 0},
		{[]specs.LinuxIDMapping{{ContainerID: 4294967294, HostID: 5, Size: 1}}, 4294967294},
	} {
		if got := rootID(c.maps); got != c.want {
			t.Errorf("%v: got %d, want %d", c.maps, got, c.want)
		}
	}
}

func TestPropagationFlag(t *testing.T) {
	for word, want := range map[string]struct {
		flag      uint64
		recursive bool
	}{
		"":            {0, false},
		"private":     {unix.MS_PRIVATE, false},
		"rprivate":    {unix.MS_PRIVATE, true},
		"slave":       {unix.MS_SLAVE, false},
		"rslave":      {unix.MS_SLAVE, true},
		"shared":      {unix.MS_SHARED, false},
		"rshared":     {unix.MS_SHARED, true},
		"unbindable":  {unix.MS_UNBINDABLE, false},
		"runbindable": {unix.MS_UNBINDABLE, true},
	} {
		if flag, recursive := propagationFlag(word); flag != want.flag || recursive != want.recursive {
			t.Errorf("%q: got %#x %v", word, flag, recursive)
		}
	}
	for _, word := range [...]string{"Shared", "rrshared", "r", "sharedr", " shared", "relatime"} {
		if flag, _ := propagationFlag(word); flag != 0 {
			t.Errorf("%q: got %#x", word, flag)
		}
	}
}

// A program that cannot be encoded is a fault of the config, not a crash.
func TestCreateBounds(t *testing.T) {
	for name, edit := range map[string]func(*Input){
		"scratch space": func(in *Input) {
			for i := range 5000 {
				in.Spec.Linux.ReadonlyPaths = append(in.Spec.Linux.ReadonlyPaths, "/"+itoa(i))
			}
		},
		"bytes": func(in *Input) { in.Spec.Process.Args = []string{"/bin/true", strings.Repeat("x", 1<<24)} },
	} {
		if _, err := Create(input(t, edit)); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "BUG") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the rules of a config have to keep away is still an error here, not a
// program without it.
func TestCreateRefuses(t *testing.T) {
	for want, edit := range map[string]func(*Input){
		"/mounts/0/options":         func(in *Input) { in.Spec.Mounts[0].Options = []string{"remount"} },
		"/process/rlimits/0/type":   func(in *Input) { in.Spec.Process.Rlimits[0].Type = "RLIMIT_X" },
		"/linux/personality":        func(in *Input) { in.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: "X"} },
		"/process/scheduler/policy": func(in *Input) { in.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedISO} },
		"/process/scheduler/flags/1": func(in *Input) {
			in.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedRR, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagReclaim, "X"}}
		},
		"/process/ioPriority":      func(in *Input) { in.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: "X"} },
		"/linux/memoryPolicy/mode": func(in *Input) { in.Spec.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "X"} },
		"/linux/memoryPolicy/nodes": func(in *Input) {
			in.Spec.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "X"}
		},
		"/linux/memoryPolicy/flags/0": func(in *Input) {
			in.Spec.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"X"}}
		},
		"/linux/sysctl/..~1core_pattern:": func(in *Input) { in.Spec.Linux.Sysctl = map[string]string{"../core_pattern": "x"} },
	} {
		if p, err := Create(input(t, edit)); err == nil || p != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A plan is the same each time, whatever the order of a map.
func TestCreateIsDeterministic(t *testing.T) {
	edit := func(in *Input) {
		in.Spec.Linux.Sysctl = map[string]string{"net.a": "1", "net.b": "1", "net.c": "1", "net.d": "1", "net.e": "1"}
	}
	first, _ := compile(t, edit)
	for range 20 {
		if again, _ := compile(t, edit); again.String() != first.String() {
			t.Fatal("two plans of one config differ")
		}
	}
}

// The slots that hold fds are not those of buffers: nothing overlaps.
func TestSlotsDoNotOverlap(t *testing.T) {
	p, _ := compile(t, func(in *Input) { in.Timings = true })
	last := nsenter.Slot{Offset: -8}
	for _, s := range p.Slots {
		if s.Offset < last.Offset+8 {
			t.Errorf("%s at %d overlaps with %s at %d", s.Name, s.Offset, last.Name, last.Offset)
		}
		last = s
	}
}
