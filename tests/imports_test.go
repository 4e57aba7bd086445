package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layer says which packages of brig a package may import, and why.
type layer struct {
	pkg  string
	may  []string
	why  string
	deps []string // packages of other modules it may import, if it is held to that
}

// Imports point one way: main → libcontainer → {plan → nsenter, spec, seccomp,
// cgroups}. What is lower knows nothing of what is higher.
var layers = []layer{
	{
		pkg: "brig", may: []string{"libcontainer", "libcontainer/spec", "nsenter", "seccomp", "cgroups", "libcontainer/fault"},
		why: "a command turns flags into one call of libcontainer, and only prints what the packages below know; the compiler is not its business",
	},
	{
		pkg: "brig/libcontainer", may: []string{"libcontainer/plan", "libcontainer/spec", "nsenter", "seccomp", "cgroups", "cgroups/systemd", "libcontainer/fault"},
		why: "the lifecycle calls every other package, and nothing but main calls it",
	},
	{
		pkg: "brig/libcontainer/plan", may: []string{"nsenter", "libcontainer/spec", "seccomp", "libcontainer/fault"},
		why: "the compiler is pure: it knows no cgroup, no state and no process",
	},
	{
		pkg: "brig/libcontainer/spec", may: []string{"seccomp", "libcontainer/fault"},
		why: "the config has a meaning of its own, whatever is made of it; only the rules of a seccomp profile live beside its compiler",
	},
	{
		pkg: "brig/libcontainer/fault", deps: []string{"golang.org/x/sys"},
		why: "everything reports through it, so it imports nothing",
	},
	{
		pkg: "brig/nsenter", may: []string{"libcontainer/fault"}, deps: []string{"golang.org/x/sys"},
		why: "the instruction set knows no OCI: a new config field never touches it or the stage",
	},
	{
		pkg: "brig/seccomp", may: []string{"libcontainer/fault"}, deps: []string{"golang.org/x/sys", "github.com/opencontainers/runtime-spec"},
		why: "brig runs libseccomp only in the program of its own, so that a start does not pay for cgo",
	},
	{
		pkg: "brig/seccomp/compiler",
		why: "it runs alone, as a process without the rest of brig",
	},
	{
		pkg: "brig/seccomp/pack",
		why: "it runs when brig is built, and is no part of it",
	},
	{
		pkg: "brig/cgroups/systemd", may: []string{"cgroups", "libcontainer/fault"},
		why: "what systemd has to know of limits is what is written to the files of the cgroup",
	},
	{
		pkg: "brig/cgroups", may: []string{"libcontainer/fault"},
		why: "resources become writes, without a look at the rest of the config",
	},
}

// listed is what go list says of a package.
type listed struct {
	ImportPath   string
	Dir          string
	Doc          string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", "-tags", "osusergo,netgo", "brig/...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(out); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsPointOneWay(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		if strings.HasPrefix(p.ImportPath, "brig/tests") || strings.HasPrefix(p.ImportPath, "brig/integration") {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return l.pkg == p.ImportPath })
		if i < 0 {
			t.Errorf("%s has no layer in this test: say what it may import, and why", p.ImportPath)
			continue
		}
		seen++
		checkImports(t, p, layers[i])
	}
	if seen != len(layers) {
		t.Errorf("%d of %d layers are packages", seen, len(layers))
	}
}

func checkImports(t *testing.T, p listed, l layer) {
	t.Helper()
	for _, path := range p.Imports {
		if own, ok := strings.CutPrefix(path, "brig/"); ok {
			if !slices.Contains(l.may, own) {
				t.Errorf("%s imports %s, but %s", p.ImportPath, path, l.why)
			}
			continue
		}
		foreign := strings.Contains(strings.SplitN(path, "/", 2)[0], ".")
		if foreign && l.deps != nil && !slices.ContainsFunc(l.deps, func(d string) bool { return strings.HasPrefix(path, d) }) {
			t.Errorf("%s imports %s, but %s", p.ImportPath, path, l.why)
		}
	}
}

// Nothing of brig may come to need the tests.
func TestNothingImportsTests(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "brig/tests") && !strings.HasPrefix(p.ImportPath, "brig/tests") {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
}
