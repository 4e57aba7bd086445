// Package errors_test is the table of what can go wrong, run through the real
// program: bad configs, bad roots, refusals of the host. Each row says which
// field the error names, what was tried, which errno it was and what the exit
// status is; and after each row nothing is left on the host.
//
// The tests run in PID, mount and cgroup namespaces of their own, so that what
// is left is seen, and what others do on the machine is not. All mounts in there
// are shared: one that escaped a container would show.
package errors_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable tells this binary what it is executed as.
const roleVariable = "BRIG_ERRORS_ROLE"

const roleInside = "inside"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	os.Unsetenv(roleVariable)
	switch {
	case role == roleInside:
		if err := enterSandbox(); err != nil {
			fmt.Fprintln(os.Stderr, "sandbox:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	case role != "":
		fmt.Fprintln(os.Stderr, "wrapper:", playRole(role, os.Args[1:]))
		os.Exit(126)
	case os.Geteuid() != 0:
		os.Exit(m.Run()) // the tests skip, and say why
	}
	status, err := runInside()
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

// runInside executes this binary once more, as process 1 of a new PID namespace
// and in a cgroup that becomes the root of what it sees.
func runInside() (int, error) {
	base, err := unified()
	if err != nil {
		return 1, err
	}
	group := filepath.Join(base, "brig-errors-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		return 1, err
	}
	defer removeGroups(group)
	fd, err := unix.Open(group, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 1, err
	}
	defer unix.Close(fd)
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleVariable+"="+roleInside)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWCGROUP,
		UseCgroupFD: true, CgroupFD: fd, Pdeathsig: syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	return cmd.ProcessState.ExitCode(), nil
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

// enterSandbox gives the new namespaces their own views of processes and
// cgroups, and makes all mounts shared.
func enterSandbox() error {
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
	// The parent of all containers' cgroups stays, as the state directory does.
	if err := os.Mkdir(filepath.Join(base, "brig"), 0o755); err != nil {
		return err
	}
	// A cgroup with processes of its own could hand no controller down.
	if err := os.Mkdir(filepath.Join(base, "tests"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(base, "tests/cgroup.procs"), []byte("0"), 0)
}

// left is what the host shows of containers.
type left struct {
	mounts, groups, processes, memfds []string
}

func look(t *testing.T) left {
	t.Helper()
	for {
		// Process 1 of the sandbox inherits what loses its parent.
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			break
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	base, err := unified()
	if err != nil {
		t.Fatal(err)
	}
	l := left{mounts: strings.Split(string(mounts), "\n")}
	err = filepath.WalkDir(base, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			l.groups = append(l.groups, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.lookAtProcesses(t)
	return l
}

// lookAtProcesses lists the processes but this one, and what memfds of brig are
// executed or open anywhere.
func (l *left) lookAtProcesses(t *testing.T) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if dir != "/proc/1" {
			comm, _ := os.ReadFile(dir + "/comm")
			l.processes = append(l.processes, dir+" "+strings.TrimSpace(string(comm)))
		}
		fds, _ := filepath.Glob(dir + "/fd/*")
		for _, name := range append(fds, dir+"/exe") {
			if target, _ := os.Readlink(name); strings.HasPrefix(target, "/memfd:brig") {
				l.memfds = append(l.memfds, name+" "+target)
			}
		}
	}
}
