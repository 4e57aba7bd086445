package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a PATH with nothing in it but a shell's bare needs, and an apt-get
// that writes down what it is asked for and fails the first failures times.
func machine(t *testing.T, uid string, failures string) (path, log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	scripts := map[string]string{
		"id": "echo " + uid,
		"apt-get": `echo "$*" >>` + log + `
n=$(cat ` + dir + `/failures)
[ "$n" -gt 0 ] || exit 0
echo $((n - 1)) >` + dir + `/failures
exit 100`,
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "failures"), []byte(failures+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cat, filepath.Join(dir, "cat")); err != nil {
		t.Fatal(err)
	}
	return dir, log
}

func TestDeps(t *testing.T) {
	const install = "install -q -y --no-install-recommends"
	for _, c := range []struct {
		name, task, uid, failures string
		want                      []string // of each call of apt-get
		fails                     bool
	}{
		{"build", "build", "0", "0", []string{install + " gcc"}, false},
		{"demo", "demo", "0", "0", []string{install + " busybox-static"}, false},
		{"old package lists", "demo", "0", "1", []string{install + " busybox-static", "update -q", install + " busybox-static"}, false},
		{"no network", "demo", "0", "2", []string{install + " busybox-static", "update -q"}, true},
		{"no root", "demo", "1000", "0", nil, true},
		{"machines, and QEMU stays away", "vm", "0", "0", []string{install + " ", install + " qemu-system-x86"}, true},
		{"no such task", "tests", "0", "0", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, log := machine(t, c.uid, c.failures)
			cmd := exec.Command("/bin/sh", "deps.sh", c.task)
			cmd.Env = []string{"PATH=" + path}
			out, err := cmd.CombinedOutput()
			if (err != nil) != c.fails {
				t.Errorf("%v\n%s", err, out)
			}
			raw, _ := os.ReadFile(log)
			got := strings.Split(strings.TrimSpace(string(raw)), "\n")
			if len(c.want) == 0 && len(raw) == 0 {
				return
			}
			if len(got) != len(c.want) {
				t.Fatalf("apt-get was called with %q, want %q", got, c.want)
			}
			for i := range got {
				// What of it is here already depends on the machine.
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("apt-get %s, want %s", got[i], c.want[i])
				}
			}
		})
	}
}
