// Package root_test makes real containers with the real program and looks at them
// from inside: every emitter of package plan is observed by its effect, the
// lifecycle by what the verbs say, and the system calls of a start by strace, one
// by one, against the plan.
//
// The tests run in PID, mount and cgroup namespaces of their own, so that what a
// container leaves behind is seen, and what others do on the machine is not. All
// mounts in there are shared: one that escaped a container would show.
package root_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable tells this binary what it is executed as.
const roleVariable = "BRIG_ROOT_ROLE"

const (
	roleInit  = "init"  // process 1 of the sandbox, which only reaps
	roleTests = "tests" // runs the tests
	roleRdma  = "rdma"  // the payload of TestLimitRdma
)

func TestMain(m *testing.M) {
	if signal.Ignored(unix.SIGHUP) {
		// Under nohup: payloads would ignore it too.
		signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	}
	role := os.Getenv(roleVariable)
	os.Unsetenv(roleVariable)
	switch {
	case role == roleInit:
		os.Exit(sandboxInit())
	case role == roleTests:
		os.Exit(runTests(m))
	case role == roleRdma:
		rdmaHandles()
		os.Exit(0)
	case os.Geteuid() != 0:
		os.Exit(m.Run()) // the tests skip, and say why
	}
	status, err := enterSandbox()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		status = 1
	}
	os.Exit(status)
}

// unified is where the version 2 hierarchy of cgroups is mounted.
func unified() (string, error) {
	for _, dir := range [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("there is no cgroup v2 hierarchy")
}

// enterSandbox executes this binary once more, in a cgroup that becomes the root
// of what the tests see.
func enterSandbox() (int, error) {
	base, err := unified()
	if err != nil {
		return 1, err
	}
	handDown(base)
	group := filepath.Join(base, "brig-root-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		return 1, err
	}
	defer removeGroups(group)
	fd, err := unix.Open(group, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 1, err
	}
	defer unix.Close(fd)
	return status(again(roleInit, &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWCGROUP,
		UseCgroupFD: true, CgroupFD: fd, Pdeathsig: syscall.SIGKILL,
	}).Run())
}

// handDown lets the groups below the root have every controller there is. One that
// cannot be handed down is one that the tests do without.
func handDown(base string) {
	list, _ := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	for _, name := range strings.Fields(string(list)) {
		os.WriteFile(filepath.Join(base, "cgroup.subtree_control"), []byte("+"+name), 0)
	}
}

func again(role string, attr *syscall.SysProcAttr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = attr
	return cmd
}

func status(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	}
	return 1, err
}

// removeGroups removes a cgroup with all below it, the deepest first.
func removeGroups(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(dir, e.Name()))
		}
	}
	unix.Rmdir(dir)
}

// sandboxInit reaps what loses its parent, as the host's init does, until the
// tests have ended. The tests themselves could not: they wait for children of
// their own.
func sandboxInit() int {
	if err := mountViews(); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return 1
	}
	cmd := again(roleTests, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return 1
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, "sandbox:", err)
			return 1
		case pid == cmd.Process.Pid && status.Exited():
			return status.ExitStatus()
		case pid == cmd.Process.Pid:
			return 128 + int(status.Signal())
		}
	}
}

// mountViews gives the new namespaces their own views of processes and cgroups,
// and makes all mounts shared.
func mountViews() error {
	base, err := unified()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make all mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	// The kernel refuses to mount one file system twice on a place.
	if err := unix.Unmount(base, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", base, err)
	}
	if err := unix.Mount("cgroup2", base, "cgroup2", 0, ""); err != nil {
		return fmt.Errorf("mount cgroup2 on %s: %w", base, err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make all mounts shared: %w", err)
	}
	// A cgroup with processes of its own could hand no controller down.
	if err := os.Mkdir(filepath.Join(base, testsGroup), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(base, testsGroup, "cgroup.procs"), []byte("0"), 0)
}

// testsGroup is the cgroup of the tests themselves.
const testsGroup = "tests"

// runTests runs the tests and looks at the sandbox once more as a whole.
func runTests(m *testing.M) int {
	code := m.Run()
	for _, line := range leftInSandbox() {
		fmt.Fprintln(os.Stderr, "left in the sandbox:", line)
		code = 1
	}
	return code
}

// leftInSandbox lists the cgroups and processes that nobody of the tests made.
func leftInSandbox() []string {
	var left []string
	base, err := unified()
	if err != nil {
		return []string{err.Error()}
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		// The parent of all containers without a cgroupsPath stays, empty.
		if e.IsDir() && e.Name() != testsGroup && unix.Rmdir(filepath.Join(base, e.Name())) != nil {
			left = append(left, "cgroup "+e.Name())
		}
	}
	pids, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range pids {
		if target, err := os.Readlink(dir + "/exe"); err == nil && dir != "/proc/1" && dir != fmt.Sprintf("/proc/%d", os.Getpid()) {
			left = append(left, dir+" "+target)
		}
	}
	return left
}
