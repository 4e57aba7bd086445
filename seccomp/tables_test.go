package seccomp

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64", "386", "arm"} {
		table := tableOf(arch)
		if !slices.IsSortedFunc(table, func(a, b entry) int { return strings.Compare(a.name, b.name) }) {
			t.Errorf("%s is not sorted", arch)
		}
		for _, e := range table {
			if nr, ok := SyscallNumber(arch, e.name); !ok || nr != int(e.nr) || SyscallName(arch, nr) != e.name {
				t.Errorf("%s %s: %d %v %q", arch, e.name, nr, ok, SyscallName(arch, nr))
			}
		}
		// The last one of Linux 6.18, and one that there will never be.
		if nr, ok := SyscallNumber(arch, "file_setattr"); !ok || nr != 469 {
			t.Errorf("%s: file_setattr is %d", arch, nr)
		}
		if nr, ok := SyscallNumber(arch, "no_such_call"); ok || SyscallName(arch, 400000) != "" {
			t.Errorf("%s: got %d", arch, nr)
		}
	}
	if _, ok := SyscallNumber("s390x", "read"); ok || SyscallName("s390x", 3) != "" {
		t.Error("there is no table for s390x")
	}
}

func TestTablesAreCurrent(t *testing.T) {
	got, err := exec.Command("sh", "tables.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile("tables.go"); err != nil || string(want) != string(got) {
		t.Errorf("tables.go is not what tables.sh prints: sh tables.sh >tables.go (%v)", err)
	}
}
