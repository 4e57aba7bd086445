package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quick are programs that brig passes and that take a second or two.
var quick = [...]string{
	"create", "default", "hooks_stdin", "hostname", "kill_no_effect", "linux_devices", "linux_masked_paths", "linux_ns_nopath", "linux_ns_path_type",
	"linux_readonly_paths", "linux_rootfs_propagation", "linux_seccomp", "linux_sysctl", "linux_uid_mappings", "process",
	"process_oom_score_adj", "process_rlimits_fail", "process_user", "root_readonly_true", "state",
}

// All programs, and what other runtimes make of them: make conformance.
func TestQuick(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are made")
	}
	dir := buildQuick(t)
	out := t.TempDir()
	for _, program := range quick {
		t.Run(program, func(t *testing.T) {
			t.Parallel() // they mostly wait
			s := &suite{dir: dir, out: out, timeout: time.Minute}
			r, err := s.run(program, brigRuntime(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.passed == 0 && program != "process_rlimits_fail" {
				t.Error("no test ran")
			}
			for _, note := range r.notes {
				t.Error(note)
			}
		})
	}
}

// buildQuick builds into a directory that stays, so that the next time is short.
func buildQuick(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../out/conformance-quick")
	if err != nil {
		t.Fatal(err)
	}
	download := exec.Command("go", "mod", "download")
	download.Dir = "suite"
	if out, err := download.CombinedOutput(); err != nil {
		t.Skipf("needs the modules of the suite: %v: %s", err, out)
	}
	if out, err := exec.Command("sh", append([]string{"build.sh", dir}, quick[:]...)...).CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	return dir
}

// brigRuntime is brig with a state directory of the test's.
func brigRuntime(t *testing.T) runtime {
	t.Helper()
	brig := os.Getenv("BRIG")
	if brig == "" {
		brig = "../../brig"
	}
	brig, err := filepath.Abs(brig)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(brig); err != nil {
		t.Fatalf("%v: run `make build`, or name the program in $BRIG", err)
	}
	dir := t.TempDir()
	command := filepath.Join(dir, "brig")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --root '%s/state' \"$@\"\n", brig, dir)
	if err := os.WriteFile(command, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return runtime{"brig", command}
}

// A program that hangs is killed with all that it started, and counts as failed.
func TestTimeout(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho ok 1\necho why >&2\nsleep 1000 &\necho $! >" + dir + "/pid\nwait\n"
	if err := os.WriteFile(filepath.Join(dir, "hangs"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &suite{dir: dir, out: dir, timeout: time.Second}
	r, err := s.run("hangs", runtime{"none", "/bin/false"})
	if err != nil || r.passed != 1 || r.failed != 1 || r.notes[0] != "not done after 1s" {
		t.Errorf("%+v, %v", r, err)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
	if err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("what it started lives on: %s", stat)
	}
}

// A program that ends with an error counts as failed, whatever its tests say.
func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho ok 1\necho why >&2\necho exit status 1 >&2\nexit 3\n"
	if err := os.WriteFile(filepath.Join(dir, "fails"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &suite{dir: dir, out: dir, timeout: time.Minute}
	r, err := s.run("fails", runtime{"none", "/bin/false"})
	if err != nil || r.passed != 1 || r.failed != 1 || r.notes[0] != "exit status 3: why" {
		t.Errorf("%+v, %v", r, err)
	}
}
