package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"brig/cgroups"
	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// foreignGroup is a cgroup with a process that is no container's.
func foreignGroup(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	root, err := cgroups.FindRoot()
	if os.Geteuid() != 0 || err != nil {
		t.Skipf("needs root and cgroup v2: %v", err)
	}
	defer root.Close()
	g, err := root.Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	sleep := exec.Command("sleep", "1000")
	sleep.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sleep.Process.Kill()
		sleep.Wait()
		removeCgroup(path)
	})
	return sleep
}

// A group with somebody else's processes is refused before the journal names it:
// who finishes a killed create must not kill them.
func TestForeignCgroupIsNotJournaled(t *testing.T) {
	const path = "/brig-test-foreign"
	sleep := foreignGroup(t, path)
	r := &Runtime{Root: t.TempDir()}
	os.Chmod(r.Root, 0o700)
	dir, err := r.claim("foreign")
	if err != nil {
		t.Fatal(err)
	}
	m := &made{dir: dir}
	if err := m.enterCgroup(nil, &plan.Input{Spec: &specs.Spec{}, Cgroup: true}, &limits{path: path}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("got %v", err)
	}
	dir.close()
	if err := r.Delete("foreign", true); err != nil {
		t.Error(err)
	}
	if err := sleep.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("a process of another group was killed: %v", err)
	}
}

// A group that was there and empty may have been filled by others before brig was
// killed. Without an init nothing in it is the container's.
func TestGivenCgroupStays(t *testing.T) {
	const path = "/brig-test-given"
	sleep := foreignGroup(t, path)
	r := &Runtime{Root: t.TempDir()}
	os.Chmod(r.Root, 0o700)
	dir, err := r.claim("given")
	if err == nil {
		err = dir.intend(intentGivenCgroup, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir.close()
	if err := r.Delete("given", true); err != nil {
		t.Error(err)
	}
	if err := sleep.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("a process of another group was killed: %v", err)
	}
	if _, err := r.State("given"); !isNotExist(err) {
		t.Errorf("the container is still there: %v", err)
	}
}

// A process that is no longer in the container's cgroup gets no signal: it may be another
// one by the same number. One that cannot be held does not save the others.
func TestSignalBetween(t *testing.T) {
	const path = "/brig-test-signal"
	sleep := foreignGroup(t, path)
	root, err := cgroups.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	group, err := root.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	pid := sleep.Process.Pid
	none := func() ([]int, error) { return []int{os.Getpid()}, nil }
	if err := signalBetween([]int{pid}, none, unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := signalBetween([]int{pid}, func() ([]int, error) { return nil, unix.EIO }, unix.SIGTERM); !errors.Is(err, unix.EIO) {
		t.Errorf("got %v", err)
	}
	if err := signalBetween([]int{1 << 22}, group.Pids, unix.SIGTERM); err != nil {
		t.Errorf("one that is not there: %v", err)
	}
	listed, err := group.Pids()
	if err != nil {
		t.Fatal(err)
	}
	err = withOneFD(t, func() error {
		return signalBetween([]int{pid, os.Getpid()}, func() ([]int, error) { return listed, nil }, unix.SIGUSR1)
	})
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("got %v", err)
	}
	var exit *exec.ExitError
	if err := sleep.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGUSR1 {
		t.Errorf("it ended by %v", err)
	}
	if err := signalBetween([]int{pid}, func() ([]int, error) { return []int{pid}, nil }, unix.SIGTERM); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
	if err := signalBetween([]int{os.Getpid()}, none, 1000); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a signal that is none: %v", err)
	}
}

// withOneFD runs f when one more file can be opened.
func withOneFD(t *testing.T, f func() error) error {
	t.Helper()
	next, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next) + 1, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	return f()
}
