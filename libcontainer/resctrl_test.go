package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// newResctrl is a directory that looks like resctrl: a group has its files as soon
// as it is made.
func newResctrl(t *testing.T) resctrl {
	t.Helper()
	fs := resctrl{root: t.TempDir()}
	fill := func(dir, schemata string) {
		for name, text := range map[string]string{"tasks": "", "schemata": schemata} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "mon_groups"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fs.mkdir = func(name string, mode uint32) error {
		err := unix.Mkdir(name, mode)
		if err == nil {
			fill(name, "    MB:0=100;1=100\n    L3:0=fff;1=fff\n")
		}
		return err
	}
	fill(fs.root, "    MB:0=100;1=100\n    L3:0=fff;1=fff\n")
	if err := os.Mkdir(fs.root+"/info", 0o755); err != nil {
		t.Fatal(err)
	}
	return fs
}

func (fs resctrl) text(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(fs.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (fs resctrl) groups(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range [...]string{"*/tasks", "mon_groups/*/tasks", "*/mon_groups/*/tasks"} {
		found, err := filepath.Glob(fs.path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			names = append(names, strings.TrimPrefix(filepath.Dir(f), fs.root+"/"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// clear takes the files out of a group, which the kernel removes with it.
func (fs resctrl) clear(t *testing.T, groups ...string) {
	t.Helper()
	for _, g := range groups {
		for _, name := range [...]string{"tasks", "schemata", "mon_groups"} {
			os.Remove(fs.path(g + "/" + name))
		}
	}
}

func TestResctrlGroups(t *testing.T) {
	for _, c := range []struct {
		name     string
		rdt      specs.LinuxIntelRdt
		there    []string // groups that are there before
		want     rdtGroups
		intents  []string
		schemata string // of the class
		groups   []string
		left     []string // after the container
	}{
		{
			name: "of its own", rdt: specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f", MemBwSchema: "MB:0=20", Schemata: []string{"L3:0=3", "L2:0=1"}},
			want: rdtGroups{Class: "c", Own: true}, intents: []string{"rdt-class c"}, schemata: "L3:0=f\nMB:0=20\nL3:0=3\nL2:0=1\n", groups: []string{"c"},
		},
		{
			name: "of its own without a schema", want: rdtGroups{Class: "c", Own: true}, intents: []string{"rdt-class c"},
			schemata: "    MB:0=100;1=100\n    L3:0=fff;1=fff\n", groups: []string{"c"},
		},
		{
			name: "named and made", rdt: specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=f"}},
			want: rdtGroups{Class: "gold"}, schemata: "L3:0=f\n", groups: []string{"gold"}, left: []string{"gold"},
		},
		{
			name: "named and there", rdt: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:1=0xFFF;0=0fff", MemBwSchema: "MB:1=100"}, there: []string{"gold"},
			want: rdtGroups{Class: "gold"}, schemata: "    MB:0=100;1=100\n    L3:0=fff;1=fff\n", groups: []string{"gold"}, left: []string{"gold"},
		},
		{
			name: "there by the name of the container", there: []string{"c"}, want: rdtGroups{Class: "c"},
			schemata: "    MB:0=100;1=100\n    L3:0=fff;1=fff\n", groups: []string{"c"}, left: []string{"c"},
		},
		{
			name: "the default, with monitoring", rdt: specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true},
			want: rdtGroups{Class: "/", Monitor: "/mon_groups/c"}, intents: []string{"rdt-monitor /mon_groups/c"},
			schemata: "    MB:0=100;1=100\n    L3:0=fff;1=fff\n", groups: []string{"mon_groups/c"},
		},
		{
			name: "of its own, with monitoring", rdt: specs.LinuxIntelRdt{EnableMonitoring: true},
			want: rdtGroups{Class: "c", Own: true, Monitor: "c/mon_groups/c"}, intents: []string{"rdt-class c", "rdt-monitor c/mon_groups/c"},
			schemata: "    MB:0=100;1=100\n    L3:0=fff;1=fff\n", groups: []string{"c", "c/mon_groups/c"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := newResctrl(t)
			for _, name := range c.there {
				if err := fs.mkdir(fs.path(name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var intents []string
			got, err := fs.make("c", &c.rdt, func(kind, value string) error {
				if _, err := os.Stat(fs.path(value)); err == nil {
					t.Errorf("%s is there before it is in the journal", value)
				}
				intents = append(intents, kind+" "+value)
				return nil
			})
			if err != nil || got != c.want || !slices.Equal(intents, c.intents) {
				t.Fatalf("%+v, %v, journal %q", got, err, intents)
			}
			// A plain file keeps what is behind the end of a write.
			if text := fs.text(t, got.Class+"/schemata"); !strings.HasPrefix(text, c.schemata) {
				t.Errorf("the schemata are %q", text)
			}
			if err := fs.join(got, 77); err != nil {
				t.Fatal(err)
			}
			for _, g := range [...]string{got.Class, got.Monitor} {
				if g != "" && fs.text(t, g+"/tasks") != "77" {
					t.Errorf("the process is not in %s", g)
				}
			}
			if groups := fs.groups(t); !slices.Equal(groups, c.groups) {
				t.Errorf("the groups are %q", groups)
			}
			fs.removeAs(t, got)
			if left := fs.groups(t); !slices.Equal(left, c.left) {
				t.Errorf("left are %q", left)
			}
			if err := fs.remove(got); err != nil {
				t.Errorf("removed twice: %v", err)
			}
		})
	}
}

// removeAs removes groups after the files that the kernel would remove with them.
func (fs resctrl) removeAs(t *testing.T, g rdtGroups) {
	t.Helper()
	if g.Monitor != "" {
		fs.clear(t, g.Monitor)
	}
	if g.Own {
		if err := unix.Rmdir(fs.path(g.Monitor)); g.Monitor != "" && err != nil {
			t.Fatal(err)
		}
		fs.clear(t, g.Class)
	}
	if err := fs.remove(g); err != nil {
		t.Fatal(err)
	}
}

func TestResctrlRefuses(t *testing.T) {
	broken := errors.New("no journal")
	for _, c := range []struct {
		name    string
		rdt     specs.LinuxIntelRdt
		prepare func(fs *resctrl) error
		intend  error
		want    string
		groups  []string
	}{
		{
			name: "a class that has to be there", rdt: specs.LinuxIntelRdt{ClosID: "gold"},
			want: `/linux/intelRdt/closID: find the class of service "gold": ENOENT: no such file or directory (without a schema it has to be there)`,
		},
		{
			name: "another schema", rdt: specs.LinuxIntelRdt{ClosID: "/", L3CacheSchema: "L3:0=f;1=fff"},
			want: `/linux/intelRdt: the class of service "/" is there, and has another schema: L3:0 is "fff" and not "f"`,
		},
		{
			name: "a resource that is not there", rdt: specs.LinuxIntelRdt{ClosID: "/", Schemata: []string{"L2:0=f"}},
			want: `/linux/intelRdt: the class of service "/" is there, and has another schema: L2:0 is "" and not "f"`,
		},
		{
			name: "no more classes", rdt: specs.LinuxIntelRdt{},
			prepare: func(fs *resctrl) error {
				fs.mkdir = func(string, uint32) error { return unix.ENOSPC }
				return os.WriteFile(fs.path("info/last_cmd_status"), []byte("Out of CLOSIDs\n"), 0o644)
			},
			want: `/linux/intelRdt: make the class of service "c": ENOSPC: no space left on device (Out of CLOSIDs)`,
		},
		{
			name: "a schema that is not taken", rdt: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:9=f"},
			prepare: func(fs *resctrl) error { fs.mkdir = unix.Mkdir; return nil }, // without files, a write fails
			want:    `/linux/intelRdt: write the schemata of "gold": ENOENT: no such file or directory`,
		},
		{
			name: "a monitoring group that is there", rdt: specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true},
			prepare: func(fs *resctrl) error { return fs.mkdir(fs.path("mon_groups/c"), 0o755) },
			want:    `/linux/intelRdt/enableMonitoring: make the monitoring group "/mon_groups/c": EEXIST: file exists`, groups: []string{"mon_groups/c"},
		},
		{
			name: "no more monitoring groups", rdt: specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true},
			prepare: func(fs *resctrl) error {
				fs.mkdir = func(string, uint32) error { return unix.ENOSPC }
				return os.WriteFile(fs.path("info/last_cmd_status"), []byte("ok\n"), 0o644)
			},
			want: `/linux/intelRdt/enableMonitoring: make the monitoring group "/mon_groups/c": ENOSPC: no space left on device`,
		},
		{name: "no journal", intend: broken, want: broken.Error()},
		{name: "no journal for monitoring", rdt: specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, intend: broken, want: broken.Error()},
		{
			name: "a class without schemata", rdt: specs.LinuxIntelRdt{ClosID: "info", L3CacheSchema: "L3:0=f"},
			want: `/linux/intelRdt: read the schemata of "info": ENOENT: no such file or directory`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := newResctrl(t)
			if c.prepare != nil {
				if err := c.prepare(&fs); err != nil {
					t.Fatal(err)
				}
			}
			g, err := fs.make("c", &c.rdt, func(string, string) error { return c.intend })
			if err == nil || err.Error() != c.want {
				t.Errorf("%v", err)
			}
			if g.Own && len(fs.groups(t)) > 0 || g.Monitor != "" {
				t.Errorf("%+v", g)
			}
			if groups := fs.groups(t); !slices.Equal(groups, c.groups) {
				t.Errorf("the groups are %q", groups)
			}
		})
	}
	fs := newResctrl(t)
	if err := fs.join(rdtGroups{Class: "none"}, 1); err == nil || err.Error() != `/linux/intelRdt: move the process into "none": ENOENT: no such file or directory` {
		t.Errorf("%v", err)
	}
	if err := fs.mkdir(fs.path("busy"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fs.remove(rdtGroups{Class: "busy", Own: true}); err == nil || !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("%v", err)
	}
}

func TestResctrlIsFound(t *testing.T) {
	const table = "22 1 0:20 / /sys rw - sysfs sysfs rw\n" +
		"30 22 0:40 /part /mnt rw - resctrl resctrl rw\n31 22 0:40 / /sys/fs/resctrl rw,relatime shared:5 - resctrl resctrl rw\n"
	if got := resctrlIn(table); got != "/sys/fs/resctrl" {
		t.Errorf("found at %q", got)
	}
	if got := resctrlIn("22 1 0:20 / /sys/fs/resctrl rw - tmpfs resctrl rw\n\n - resctrl \n"); got != "" {
		t.Errorf("found at %q", got)
	}
}

// Without resctrl nothing is made of it, and nothing can be left of it.
func TestWithoutResctrl(t *testing.T) {
	if _, err := findResctrl(); err == nil {
		t.Skip("resctrl is mounted here")
	}
	for name, err := range map[string]error{
		"no groups":                     joinResctrl(rdtGroups{}, 1),
		"none to remove":                removeResctrl(rdtGroups{Class: "gold"}),
		"those that went with the rest": removeResctrl(rdtGroups{Class: "c", Own: true, Monitor: "c/mon_groups/c"}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := joinResctrl(rdtGroups{Class: "c"}, 1); err == nil || !strings.HasPrefix(err.Error(), "/linux/intelRdt: resctrl is not mounted: ENOENT") {
		t.Errorf("%v", err)
	}
}

// Another schema is written whole, and what there was comes back.
func TestResctrlSwap(t *testing.T) {
	fs := newResctrl(t)
	g, err := fs.make("box", &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f0"}, func(string, string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	before, err := fs.swap(g.Class, []string{"L3:0=0f", "MB:0=50"})
	if err != nil || fs.text(t, "box/schemata") == "" || !strings.HasPrefix(fs.text(t, "box/schemata"), "L3:0=0f\nMB:0=50\n") {
		t.Errorf("%v, %q", err, fs.text(t, "box/schemata"))
	}
	if !slices.Contains(before, "L3:0=f0") {
		t.Errorf("before it was %q", before)
	}
	if _, err := fs.swap("none", []string{"L3:0=0f"}); err == nil || !strings.Contains(err.Error(), `read the schemata of "none"`) {
		t.Errorf("%v", err)
	}
}
