package vm

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestVM boots the machines, one after the other, since each keeps all processors
// busy, and reports each of their tests under its own name.
func TestVM(t *testing.T) {
	list := strings.Fields(os.Getenv("BRIG_VM_SUITES"))
	if len(list) == 0 {
		list = []string{"trixie", "bookworm"}
	}
	if list[0] == "none" {
		t.Skip("BRIG_VM_SUITES says none")
	}
	NeedQEMU(t)
	in := filepath.Join(t.TempDir(), "in.tar")
	want := pack(t, in, os.Getenv("BRIG_VM_RUN"))
	if n := slices.Concat(slices.Collect(maps.Values(want))...); len(n) == 0 {
		t.Fatalf("no test is called %s", os.Getenv("BRIG_VM_RUN"))
	}
	for _, name := range list {
		t.Run(name, func(t *testing.T) { machine(t, name, in, want) })
	}
}

// machine runs all suites on one machine.
func machine(t *testing.T, name, in string, want map[string][]string) {
	files := Boot(t, top, []string{name}, in, Limit)
	for _, s := range suites {
		if tests := want[s.name()]; len(tests) > 0 {
			t.Run(s.name(), func(t *testing.T) {
				Report(t, tests, files[s.name()+".log"], files[s.name()+".status"])
			})
		}
	}
}
