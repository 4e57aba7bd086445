package vm

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// machine is one of the test machines.
type machine struct {
	name  string
	image []string // the words of image.sh
	// special are the tests that no other machine can run, and it runs no others; none
	// for a machine that runs all the rest.
	special []string
}

var machines = []machine{
	{"trixie", []string{"trixie"}, nil},
	{"bookworm", []string{"bookworm"}, nil},
	{"selinux", []string{"trixie", "selinux"}, []string{"TestSELinux", "TestLimitRdma"}},
}

// has says whether a test is one for the machine.
func (m machine) has(test string) bool {
	if m.special != nil {
		return slices.Contains(m.special, test)
	}
	return !slices.ContainsFunc(machines, func(other machine) bool { return slices.Contains(other.special, test) })
}

// TestVM boots the machines, one after the other, since each keeps all processors
// busy, and reports each of their tests under its own name.
func TestVM(t *testing.T) {
	list := strings.Fields(os.Getenv("BRIG_VM_SUITES"))
	if len(list) == 1 && list[0] == "none" {
		t.Skip("BRIG_VM_SUITES says none")
	}
	NeedQEMU(t)
	for _, name := range list {
		if !slices.ContainsFunc(machines, func(m machine) bool { return m.name == name }) {
			t.Fatalf("there is no machine %s", name)
		}
	}
	run := os.Getenv("BRIG_VM_RUN")
	ran := 0
	for _, m := range machines {
		if len(list) > 0 && !slices.Contains(list, m.name) {
			continue
		}
		in := filepath.Join(t.TempDir(), "in.tar")
		want := pack(t, in, run, m)
		if n := len(slices.Concat(slices.Collect(maps.Values(want))...)); n > 0 {
			ran += n
			t.Run(m.name, func(t *testing.T) { m.test(t, in, want) })
		}
	}
	if ran == 0 {
		t.Fatalf("no test is called %s", run)
	}
}

// test runs all suites on one machine. All tests together may take longer than the few
// of `make test`.
func (m machine) test(t *testing.T, in string, want map[string][]string) {
	files := Boot(t, top, m.image, in, limit(os.Getenv("BRIG_VM_RUN")))
	for _, s := range suites {
		if tests := want[s.name()]; len(tests) > 0 {
			t.Run(s.name(), func(t *testing.T) {
				Report(t, tests, files[s.name()+".log"], files[s.name()+".status"])
			})
		}
	}
	if os.Getenv("BRIG_VM_PAGE") != "" && !t.Failed() {
		record(t, m, files)
	}
}

func limit(run string) time.Duration {
	if run == "" {
		return 2 * Limit
	}
	return Limit
}
