package tests

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The demo is the first thing that a new user runs.
func TestDemo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := os.Stat("../brig"); err != nil {
		t.Skip("../brig is not built: make build")
	}
	out, err := exec.Command("sh", "demo/demo.sh").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "checks passed") {
		t.Errorf("the demo does not say that it passed:\n%s", out)
	}
}

// A demo that would not notice an escape shows nothing: with a program in place of
// brig that runs the payload without any container, its checks fail.
func TestDemoNoticesEscapes(t *testing.T) {
	fake := t.TempDir() + "/brig"
	script := "#!/bin/sh\nprintf '  %s\\n' 'uid_map: 0 0 4294967295' 'Seccomp: 0' 'NoNewPrivs: 0' 'mount a tmpfs   SUCCEEDED'\n"
	if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "demo/demo.sh")
	cmd.Env = append(cmd.Environ(), "BRIG="+fake)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the demo passed:\n%s", out)
	}
	for _, line := range []string{
		"FAILED: root is not root of the host", "FAILED: a seccomp filter is loaded", "FAILED: no_new_privs is set",
		"FAILED: CapBnd is empty", "FAILED: there is a namespace of type user", "FAILED: refused: mount a tmpfs",
		"FAILED: nothing forbidden succeeded",
	} {
		if !strings.Contains(string(out), line) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
}
