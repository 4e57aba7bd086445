package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"
	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// breakAt is the program with a call that fails in the place of one call: with
// ERANGE, which no branch takes. It has the branches of the call, because their
// number is in the addresses of the program.
func breakAt(p *nsenter.Program, i int) *nsenter.Program {
	broken := *p
	broken.Instructions = slices.Clone(p.Instructions)
	in := &broken.Instructions[i]
	if in.Op == nsenter.OpFork {
		*in = nsenter.Instruction{Op: nsenter.OpFail, Dst: nsenter.NoSlot, Reason: "getcwd", Args: [nsenter.MaxArgs]nsenter.Arg{nsenter.Imm(uint64(unix.ERANGE))}}
		return &broken
	}
	*in = nsenter.Instruction{Op: nsenter.OpCall, Sys: nsenter.Getcwd, Dst: nsenter.NoSlot, On: in.On}
	return &broken
}

// injection is a runtime whose stages fail where the test wants.
type injection struct {
	*Runtime
	options *CreateOptions
	run     bool
}

func newInjection(t *testing.T, s *specs.Spec, run bool) *injection {
	t.Helper()
	dir := t.TempDir()
	for _, d := range [...]string{"bin", "proc", "dev", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A shell script for which there is no shell: execve fails, as the last call.
	if err := os.WriteFile(filepath.Join(dir, "rootfs/bin/payload"), []byte("#!/none\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(null) })
	s.Process.Args = []string{"/bin/payload"}
	return &injection{
		Runtime: &Runtime{Root: filepath.Join(dir, "state")},
		options: &CreateOptions{ID: "injection" + strconv.Itoa(os.Getpid()), Bundle: Bundle{Dir: dir, Spec: s}, Stdio: [3]int{null, null, null}},
		run:     run,
	}
}

// program compiles what the container would run.
func (j *injection) program(t *testing.T) (*nsenter.Program, *plan.Input, *limits) {
	t.Helper()
	in, l, err := j.compileInput(j.options, perspective{rootless: rootless(), cache: true})
	if err != nil {
		t.Fatal(err)
	}
	in.Run = j.run
	p, err := plan.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	return p, in, l
}

// start is what create, and start or run, do with a program.
func (j *injection) start(t *testing.T, p *nsenter.Program, in *plan.Input, l *limits) error {
	t.Helper()
	d, err := j.claim(j.options.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := &made{program: p, pidfd: -1, dir: d, pidFile: j.options.PidFile, runtime: j.Runtime}
	if err := j.build(m, j.options, in, l); err != nil {
		return m.failed(err)
	}
	if j.run {
		err := m.exec(&RunOptions{CreateOptions: *j.options})
		return m.failed(err)
	}
	m.rec.Tail = tailOf(p)
	if err := m.commit(); err != nil {
		return m.failed(err)
	}
	m.close()
	return errors.Join(j.Start(j.options.ID), j.Delete(j.options.ID, true))
}

// clean checks that nothing of the container is left on the host, nor in this
// process, which has done what brig does.
func (j *injection) clean(t *testing.T, l *limits, fds []string) {
	t.Helper()
	for tries := 0; ; tries++ {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if errors.Is(err, unix.ECHILD) {
			break
		}
		if pid == 0 && tries > 2000 {
			t.Fatal("a process is left")
		}
		if pid == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for _, base := range [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(base + l.path); err == nil {
			t.Fatalf("the cgroup %s is left", l.path)
		}
	}
	if entries, err := os.ReadDir(j.Root); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != filterCache }) {
		t.Fatalf("the state directory holds %v, %v", entries, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), j.options.Bundle.Dir) {
		t.Fatalf("a mount is left: %s %v", mounts, err)
	}
	if got := openFDs(t); len(got) > len(fds) {
		t.Fatalf("these fds are open: %q, and these were: %q", got, fds)
	}
}

func openFDs(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		open = append(open, e.Name()+" "+target)
	}
	return open
}

// TestFaultInjection fails every call of a start in turn. The error names the
// field that the call is for, and nothing is left. A call that this start does
// not reach changes nothing: then it is execve that fails, as it does without.
func TestFaultInjection(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are made")
	}
	for _, c := range [...]struct {
		name string
		spec func() *specs.Spec
	}{
		{"example", func() *specs.Spec { return spec.Example(spec.ExampleHost{Seccomp: seccomp.Default(runtime.GOARCH)}) }},
		{"host users", func() *specs.Spec {
			s := spec.Example(spec.ExampleHost{NoUserNamespace: true})
			s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
			s.Linux.Devices = []specs.LinuxDevice{{Type: "c", Path: "/dev/fuse", Major: 10, Minor: 229}}
			s.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{5}}
			s.Process.Cwd = "/made/cwd"
			s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 1}
			s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE}
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0"}
			s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux}
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 1}, "boottime": {Secs: 1}}
			return s
		}},
		{"hooks", func() *specs.Spec {
			s := spec.Example(spec.ExampleHost{})
			s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}, Poststop: []specs.Hook{{Path: "/bin/true"}}}
			return s
		}},
	} {
		for _, run := range [...]bool{false, true} {
			verb := "create"
			if run {
				verb = "run"
			}
			t.Run(c.name+"/"+verb, func(t *testing.T) { newInjection(t, c.spec(), run).all(t) })
		}
	}
}

func (j *injection) all(t *testing.T) {
	p, in, l := j.program(t)
	// Without a fault it is execve that fails.
	checkInjected(t, j.start(t, p, in, l), nsenter.Step{Pointer: "/process/args/0"}, "exec: ", unix.ENOENT)
	j.clean(t, l, openFDs(t))
	calls, reached := 0, 0
	fds := openFDs(t)
	for i := range p.Instructions {
		if op := p.Instructions[i].Op; op != nsenter.OpCall && op != nsenter.OpFork {
			continue
		}
		calls++
		err := j.start(t, breakAt(p, i), in, l)
		step := p.StepOf(i)
		var f *fault.Error
		switch {
		case errors.As(err, &f) && errors.Is(f.Err, unix.ERANGE):
			reached++
			checkInjected(t, err, step, "getcwd", unix.ERANGE)
		case j.unheard(step) && (err == nil || strings.Contains(err.Error(), "has stopped") || strings.Contains(err.Error(), "was killed before")):
			reached++
		default:
			checkInjected(t, err, nsenter.Step{Pointer: "/process/args/0"}, "exec: ", unix.ENOENT)
		}
		if t.Failed() {
			t.Fatalf("at instruction %d of the step %s: %s", i, step, p.Line(i))
		}
		j.clean(t, l, fds)
	}
	// What is missing in the root file system is made, what is there is not: some
	// calls are always on the road not taken.
	if reached*2 < calls {
		t.Errorf("only %d of %d calls were reached", reached, calls)
	}
	t.Logf("%d calls, %d reached", calls, reached)
}

// unheard says that nobody listens while this step runs: create has returned, and
// start has not begun. Who dies there has stopped, as one that is killed.
func (j *injection) unheard(s nsenter.Step) bool {
	return !j.run && (s.Section == "ready" || s.Section == "start")
}

func checkInjected(t *testing.T, err error, step nsenter.Step, op string, errno unix.Errno) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Errorf("no fault but %v", err)
		return
	}
	named := strings.Contains(f.Op, op) || step.Name != "" && f.Op == step.Name
	if f.Pointer != step.Pointer || !named || !errors.Is(f.Err, errno) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, want %s: %s: %v", err, step.Pointer, op, errno)
	}
}
