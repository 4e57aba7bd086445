package libcontainer

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const rdtPointer = "/linux/intelRdt"

// resctrl is the file system of the same name.
type resctrl struct {
	root  string
	mkdir func(name string, mode uint32) error // the kernel's, but in tests
}

// findResctrl finds where resctrl is mounted; unix.ENOENT when it is not.
func findResctrl() (resctrl, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return resctrl{}, fault.Hostf(rdtPointer, errnoOf(err), "look for resctrl")
	}
	if root := resctrlIn(string(table)); root != "" {
		return resctrl{root, unix.Mkdir}, nil
	}
	e := fault.Hostf(rdtPointer, unix.ENOENT, "resctrl is not mounted")
	return resctrl{}, e.WithHint("mount -t resctrl resctrl /sys/fs/resctrl, on a processor that has it")
}

// resctrlIn is where a table of mounts has resctrl.
func resctrlIn(table string) string {
	for line := range strings.Lines(table) {
		mount, kind, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(mount); strings.HasPrefix(kind, "resctrl ") && len(fields) > 4 && fields[3] == "/" {
			return fields[4]
		}
	}
	return ""
}

// rdtGroups are the groups of a container, by their paths in resctrl.
type rdtGroups struct {
	Class   string `json:"rdtClass,omitempty"`   // where its processes are, "" without one
	Own     bool   `json:"rdtOwn,omitempty"`     // the class is the container's alone
	Monitor string `json:"rdtMonitor,omitempty"` // where they are counted, "" for nowhere else
}

// schemaLines are the lines to write, in the order of the specification: what is
// written later holds.
func schemaLines(r *specs.LinuxIntelRdt) []string {
	var lines []string
	for _, l := range append([]string{r.L3CacheSchema, r.MemBwSchema}, r.Schemata...) {
		if l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// make brings the groups about that a config asks for. intend hears of each that
// is the container's alone before it is made.
func (fs resctrl) make(id string, r *specs.LinuxIntelRdt, intend func(kind, value string) error) (rdtGroups, error) {
	g := rdtGroups{Class: r.ClosID}
	if g.Class == "" {
		g.Class = id
	}
	lines := schemaLines(r)
	var st unix.Stat_t
	err := unix.Lstat(fs.path(g.Class), &st)
	switch {
	case err == nil:
		err = fs.compare(g.Class, lines)
	case !errors.Is(err, unix.ENOENT):
		err = fault.Hostf(rdtPointer, err, "look for the class of service %q", g.Class)
	case r.ClosID != "" && len(lines) == 0:
		e := fault.Hostf(rdtPointer+"/closID", err, "find the class of service %q", g.Class)
		e.Class = fault.Config
		return rdtGroups{}, e.WithHint("without a schema it has to be there")
	default:
		g.Own = r.ClosID == ""
		err = fs.makeClass(&g, lines, intend)
	}
	if err != nil || !r.EnableMonitoring {
		return g, err
	}
	return g, fs.monitor(&g, id, intend)
}

// makeClass makes a class with its schema. One that the kernel does not take a
// schema for is removed at once: the next container would find it as it is.
func (fs resctrl) makeClass(g *rdtGroups, lines []string, intend func(kind, value string) error) error {
	if g.Own {
		if err := intend(intentClass, g.Class); err != nil {
			return err
		}
	}
	if err := fs.mkdir(fs.path(g.Class), 0o755); err != nil {
		g.Own = false
		return fs.fail("", err, "make the class of service %q", g.Class)
	}
	if len(lines) == 0 {
		return nil
	}
	if err := fs.change(g.Class, lines); err != nil {
		unix.Rmdir(fs.path(g.Class))
		g.Own = false
		return err
	}
	return nil
}

// change writes another schema of a class that is there.
func (fs resctrl) change(class string, lines []string) error {
	if err := fs.write(path.Join(class, "schemata"), strings.Join(lines, "\n")+"\n"); err != nil {
		return fs.fail("", err, "write the schemata of %q", class)
	}
	return nil
}

// swap is change, and returns the schema that there was.
func (fs resctrl) swap(class string, lines []string) ([]string, error) {
	raw, err := os.ReadFile(fs.path(path.Join(class, "schemata")))
	if err != nil {
		return nil, fault.Hostf(rdtPointer, errnoOf(err), "read the schemata of %q", class)
	}
	var before []string
	for line := range strings.Lines(string(raw)) {
		before = append(before, strings.TrimSpace(line))
	}
	return before, fs.change(class, lines)
}

// monitor makes a group that counts what the container alone uses.
func (fs resctrl) monitor(g *rdtGroups, id string, intend func(kind, value string) error) error {
	name := path.Join(g.Class, "mon_groups", id)
	var st unix.Stat_t
	if err := unix.Lstat(fs.path(name), &st); err == nil {
		return fault.Hostf(rdtPointer+"/enableMonitoring", unix.EEXIST, "make the monitoring group %q", name)
	}
	if err := intend(intentMonitor, name); err != nil {
		return err
	}
	if err := fs.mkdir(fs.path(name), 0o755); err != nil {
		return fs.fail("/enableMonitoring", err, "make the monitoring group %q", name)
	}
	g.Monitor = name
	return nil
}

// compare makes sure that a class that is there has the schema of the config.
func (fs resctrl) compare(class string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	raw, err := os.ReadFile(fs.path(path.Join(class, "schemata")))
	if err != nil {
		return fault.Hostf(rdtPointer, errnoOf(err), "read the schemata of %q", class)
	}
	is, want := domains(strings.Split(string(raw), "\n")), domains(lines)
	for name, value := range want {
		if is[name] != value {
			return fault.Configf(rdtPointer, "the class of service %q is there, and has another schema: %s is %q and not %q", class, name, is[name], value)
		}
	}
	return nil
}

// domains reads lines such as "L3:0=7f0;1=1f" as "L3:0" → "7f0" and so on. The
// kernel pads names and numbers.
func domains(lines []string) map[string]string {
	all := map[string]string{}
	for _, text := range lines {
		for line := range strings.SplitSeq(text, "\n") {
			resource, list, _ := strings.Cut(line, ":")
			for entry := range strings.SplitSeq(list, ";") {
				if domain, value, ok := strings.Cut(entry, "="); ok {
					value = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(value)), "0x")
					if value = strings.TrimLeft(value, "0"); value == "" {
						value = "0"
					}
					all[strings.TrimSpace(resource)+":"+strings.TrimSpace(domain)] = value
				}
			}
		}
	}
	return all
}

// join puts a process into the groups; its children are born there.
func (fs resctrl) join(g rdtGroups, pid int) error {
	for _, group := range [...]string{g.Class, g.Monitor} {
		if group == "" {
			continue
		}
		if err := fs.write(path.Join(group, "tasks"), strconv.Itoa(pid)); err != nil {
			return fs.fail("", err, "move the process into %q", group)
		}
	}
	return nil
}

// remove removes what is the container's alone.
func (fs resctrl) remove(g rdtGroups) error {
	if err := fs.rmdir(g.Monitor); err != nil || !g.Own {
		return err
	}
	return fs.rmdir(g.Class)
}

func (fs resctrl) rmdir(name string) error {
	if name == "" || path.Clean("/"+name) == "/" {
		return nil
	}
	if err := unix.Rmdir(fs.path(name)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fs.fail("", err, "remove the group %q of resctrl", name)
	}
	return nil
}

func (fs resctrl) path(name string) string { return path.Join(fs.root, name) }

func (fs resctrl) write(name, text string) error {
	fd, err := unix.Open(fs.path(name), unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// fail adds what resctrl has to say of its last command.
func (fs resctrl) fail(field string, err error, format string, args ...any) *fault.Error {
	e := fault.Hostf(rdtPointer+field, err, format, args...)
	raw, _ := os.ReadFile(fs.path("info/last_cmd_status"))
	if text := strings.TrimSpace(string(raw)); text != "" && text != "ok" {
		e.Hint = text
	}
	return e
}

func errnoOf(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// enterResctrl makes the container's groups, before there is a process to put into
// them.
func (m *made) enterResctrl(id string, r *specs.LinuxIntelRdt) error {
	if r == nil {
		return nil
	}
	fs, err := findResctrl()
	if err != nil {
		return err
	}
	m.rdt, err = fs.make(id, r, m.dir.intend)
	return err
}

// joinResctrl puts a process into the groups of its container, if it has any.
func joinResctrl(g rdtGroups, pid int) error {
	if g.Class == "" {
		return nil
	}
	fs, err := findResctrl()
	if err != nil {
		return err
	}
	return fs.join(g, pid)
}

// removeResctrl removes the groups that are the container's alone. They are gone
// with resctrl when that is unmounted.
func removeResctrl(g rdtGroups) error {
	if g.Monitor == "" && !g.Own {
		return nil
	}
	fs, err := findResctrl()
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	return fs.remove(g)
}
