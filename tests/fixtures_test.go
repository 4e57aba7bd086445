// Package tests holds what tests brig as a whole, with nothing but brig.
//
// Each file of fixtures/ is one config, as a JSON merge patch of base.json, and
// what the compiler makes of it: some steps of the program, or the error.
package tests

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"
	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write what the fixtures should hold")

// fixture is one file of fixtures/.
type fixture struct {
	name     string
	head     string // all above the result, as it stands in the file
	sections []string
	facts    []string
	config   []byte // merged
	kind     string // plan or error
	want     string
	owner    *plan.Owner // whom the cgroup is given to
}

// fixtures reads all files.
func fixtures(t testing.TB) []*fixture {
	t.Helper()
	files, err := filepath.Glob("fixtures/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	base := readFile(t, "fixtures/base.json")
	list := make([]*fixture, 0, len(files))
	for _, file := range files {
		f := &fixture{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		if problem := f.parse(readFile(t, file), base); problem != "" {
			t.Fatalf("%s: %s", file, problem)
		}
		list = append(list, f)
	}
	return list
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// parse reads the text of a fixture and says what is wrong with it.
func (f *fixture) parse(text, base string) string {
	head, rest, found := strings.Cut(text, "-- config --\n")
	if !found {
		return "no -- config --"
	}
	if !strings.HasPrefix(head, "# ") {
		return "no comment that says what it shows"
	}
	for line := range strings.Lines(head) {
		line = strings.TrimSpace(line)
		if list, ok := strings.CutPrefix(line, "sections:"); ok {
			f.sections = words(list)
		} else if list, ok := strings.CutPrefix(line, "host:"); ok {
			f.facts = words(list)
		} else if !strings.HasPrefix(line, "#") {
			return "neither a comment, sections: nor host: " + line
		}
	}
	if len(f.sections) == 0 {
		return "no sections:"
	}
	patch := rest
	for _, kind := range [...]string{"plan", "error"} {
		if before, after, ok := strings.Cut(rest, "-- "+kind+" --\n"); ok {
			patch, f.kind, f.want = before, kind, after
		}
	}
	if f.kind == "" && !*update {
		return "neither -- plan -- nor -- error --: write it with -update"
	}
	f.head = head + "-- config --\n" + patch
	var problem string
	f.config, problem = mergeJSON(base, patch)
	return problem
}

// words splits a list with commas.
func words(list string) []string {
	var out []string
	for _, w := range strings.Split(list, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// input is what the compiler gets: fixed facts, and those that the fixture names.
func (f *fixture) input(s *specs.Spec) (*plan.Input, string) {
	in := &plan.Input{ID: "fixture", Spec: s, Bundle: "/bundle", Rootfs: "/bundle/rootfs"}
	if s.Linux != nil {
		in.IDMaps = plan.IDMapsOf(s)
	}
	if s.Linux != nil && s.Linux.Seccomp != nil {
		// SECCOMP_RET_ALLOW. What a profile becomes is tested in package seccomp.
		in.Filter = &seccomp.Filter{Program: []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}}
	}
	for _, fact := range f.facts {
		key, value, _ := strings.Cut(fact, "=")
		n, err := strconv.ParseUint(value, 10, 64)
		if value != "" && err != nil {
			return nil, fact + " is no number"
		}
		if !setFact(in, key, n) {
			return nil, "no such fact: " + fact
		}
	}
	return in, ""
}

func setFact(in *plan.Input, key string, n uint64) bool {
	switch key {
	case "rootless":
		in.Host.Rootless = true
	case "in-user-namespace":
		in.Host.InUserNamespace = true
	case "clone-detached":
		in.Host.CloneDetached = true
	case "setgroups-denied":
		in.Host.SetgroupsDenied = true
	case "run":
		in.Run = true
	case "join": // with these CLONE_ flags
		in.Run, in.Join = true, &plan.Joined{Namespaces: n}
	case "handed": // as namespaces with these CLONE_ flags, and the one after
		in.Join.Handles = []uint64{unix.CLONE_NEWUSER, n}
		in.Join.Namespaces |= unix.CLONE_NEWUSER | n
	case "hook": // of the host, by a fixed path
		in.Hook = &plan.Hook{Path: "/usr/bin/hook", Env: []string{"A=b"}, Host: true}
	case "link": // is the source of the first mount
		in.Links = map[int]string{0: "/etc/there"}
	case "covered": // lies where the first mount goes
		in.CopyUps = map[int]*plan.Tree{0: {Device: 8, Inode: 77, Entries: []plan.Entry{
			{Name: "file", Mode: unix.S_IFREG | 0o644},
			{Name: "sub", Mode: unix.S_IFDIR | 0o755, Tree: &plan.Tree{Device: 8, Inode: 78, Entries: []plan.Entry{
				{Name: "link", Mode: unix.S_IFLNK | 0o777, Link: "../file"}, {Name: "null", Mode: unix.S_IFCHR | 0o666, Rdev: unix.Mkdev(1, 3)},
			}}},
		}}}
	case "nopivot":
		in.NoPivot = true
	case "nokeyring":
		in.NoNewKeyring = true
	case "cgroup":
		in.Cgroup = true
	case "placed":
		in.Placed = true
	case "timings":
		in.Timings = true
	case "preserve-fds":
		in.PreserveFDs = int(n)
	case "withheld":
		in.Host.Withheld = n
	case "hard-nofile":
		in.Host.HardLimits = map[int]uint64{unix.RLIMIT_NOFILE: n}
	case "apparmor":
		in.Host.AppArmor = true
	case "selinux":
		in.Host.SELinux = true
	case "listener":
		in.Filter.Listener = true
		in.Secret = seccomp.Secret{n, n + 1, n + 2}
	case "filter-flags":
		in.Filter.Flags = n
	default:
		return false
	}
	return true
}

// compile does what create does with a config, without a look at this machine.
func (f *fixture) compile() (*nsenter.Program, []cgroups.Write, error) {
	s, _, err := spec.Parse(f.config)
	if err != nil {
		return nil, nil, err
	}
	in, problem := f.input(s)
	if problem != "" {
		panic(f.name + ": " + problem)
	}
	if _, err := spec.Validate(s, spec.Options{Rootless: in.Host.Rootless, OwnNamespace: ownNamespace}); err != nil {
		return nil, nil, err
	}
	if s.Linux.Seccomp != nil {
		if faults := seccomp.Validate(s.Linux.Seccomp); len(faults) > 0 {
			return nil, nil, faults
		}
		if f := seccomp.ValidateExecve(s.Linux.Seccomp); f != nil {
			return nil, nil, f
		}
	}
	if in.Cgroup {
		f.owner = in.CgroupOwner()
	}
	var writes []cgroups.Write
	if s.Linux.Resources != nil {
		var faults fault.List
		if writes, faults = cgroups.Writes(s.Linux.Resources, "/linux/resources"); len(faults) > 0 {
			return nil, nil, faults
		}
	}
	compiler := plan.Create
	if in.Join != nil {
		compiler = plan.Join
	}
	p, err := compiler(in)
	return p, writes, err
}

// ownNamespace says that the first process shares its namespaces with brig.
func ownNamespace(_ specs.LinuxNamespaceType, path string) bool {
	return strings.HasPrefix(path, "/proc/1/ns/")
}

// result is the last part of the file.
func (f *fixture) result() (kind, text string) {
	p, writes, err := f.compile()
	if err != nil {
		return "error", err.Error() + "\n"
	}
	return "plan", printWrites(writes, f.owner) + printSteps(p, f.sections)
}

func TestFixtures(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			kind, text := f.result()
			if *update {
				whole := f.head + "-- " + kind + " --\n" + text
				if err := os.WriteFile("fixtures/"+f.name+".txt", []byte(whole), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if kind != f.kind {
				t.Fatalf("the result is -- %s --:\n%s", kind, text)
			}
			compareLines(t, text, f.want)
		})
	}
}

func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("line %d of the result:\ngot  %s\nwant %s", i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("the result has %d lines, want %d", len(g), len(w))
	}
}
