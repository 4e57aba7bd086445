package root_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A container is not kept to the CPUs that brig is kept to, and neither is what
// enters it.
func TestAffinityIsNotInherited(t *testing.T) {
	var own unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &own))
	if own.Count() < 2 {
		t.Skip("there is one CPU to run on")
	}
	first := 0
	for !own.IsSet(first) {
		first++
	}
	const allowed = "grep ^Cpus_allowed_list /proc/self/status | cut -f2"
	b := sleeping(t)
	want := b.exec(allowed)
	narrow := func(args ...string) string {
		t.Helper()
		inner := b.command(args...)
		cmd := exec.Command("taskset", append([]string{"-c", strconv.Itoa(first)}, inner.Args...)...)
		cmd.SysProcAttr, cmd.Stderr = inner.SysProcAttr, os.Stderr
		out, err := cmd.Output()
		must(t, err)
		return strings.TrimSpace(string(out))
	}
	equal(t, narrow("exec", b.id, "sh", "-c", allowed), want)
	other := newBox(t)
	other.args("/bin/sh", "-c", allowed)
	other.save()
	b = other
	equal(t, narrow("run", "-b", b.bundle, b.id), want)
}

// The CPUs of exec are those of the process that the caller gives.
func TestExecAffinity(t *testing.T) {
	b := sleeping(t)
	file := b.dir + "/process.json"
	for affinity, want := range map[string]string{
		`{"final":"0"}`:                 "0",
		`{"initial":"0"}`:               "0",
		`{"initial":"0","final":"0-1"}`: "0-1",
	} {
		write(t, file, `{"args":["/bin/sh","-c","grep ^Cpus_allowed_list /proc/self/status | cut -f2"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0},"execCPUAffinity":`+affinity+`}`)
		if got := strings.TrimSpace(b.ok("exec", "--process", file, b.id)); got != want && !(want == "0-1" && got == "0") {
			t.Errorf("%s: on %s, want %s", affinity, got, want)
		}
	}
	write(t, file, `{"args":["/bin/true"],"cwd":"/","env":[],"user":{"uid":0,"gid":0},"execCPUAffinity":{"final":"8191"}}`)
	if r := b.brig("exec", "--process", file, b.id); r.code != 255 || !strings.Contains(r.err, "/process/execCPUAffinity/final: run on the CPUs 8191: sched_setaffinity: EINVAL") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}
