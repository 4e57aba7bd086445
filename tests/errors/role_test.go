package errors_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The roles are wrappers around brig: each takes something from this process and
// then executes the rest of its arguments.
const (
	roleDeny    = "deny"    // a system call: deny NAME=ERRNO CMD…
	roleWeak    = "weak"    // the right to raise limits, and core files: weak CMD…
	roleCovered = "covered" // the full view of /proc: covered CMD…
	roleNoExec  = "noexec"  // executable memfds: noexec CMD…
	roleSealed  = "sealed"  // the inner half of noexec
	roleFiles   = "files"   // all but a few fds: files N CMD…
	roleWait    = "wait"    // no wrapper: waits for the end of stdin
)

// playRole returns only when it could not play.
func playRole(role string, args []string) error {
	runtime.LockOSThread()
	var err error
	switch role {
	case roleDeny:
		err = deny(args[0])
		args = args[1:]
	case roleWeak:
		err = errors.Join(
			unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
			unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_RESOURCE, 0, 0, 0),
		)
	case roleCovered:
		err = errors.Join(
			unix.Unshare(unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", "/proc/bus", "tmpfs", 0, ""),
		)
	case roleWait:
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case roleNoExec:
		return inNewPIDNamespace(args)
	case roleSealed:
		err = errors.Join(
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", "/proc", "proc", 0, ""),
			os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("2"), 0),
		)
	case roleFiles:
		limit := uint64(0)
		if _, err = fmt.Sscan(args[0], &limit); err == nil {
			err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit})
		}
		args = args[1:]
	default:
		err = errors.New("no such role")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	return unix.Exec(args[0], args, os.Environ())
}

// inNewPIDNamespace is for a kernel parameter that a PID namespace has of its own.
func inNewPIDNamespace(args []string) error {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+roleSealed)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}

// deny installs a filter by which one system call fails: NAME=ERRNO.
func deny(what string) error {
	name, errno, _ := strings.Cut(what, "=")
	nr, ok := callNumber(name)
	if !ok {
		return fmt.Errorf("unknown system call %q", name)
	}
	const number = 0 // offset of the number in struct seccomp_data
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errnoNumber(errno))},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	header := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&header))); e != 0 {
		return e
	}
	return nil
}

func errnoNumber(name string) syscall.Errno {
	for n := syscall.Errno(1); n < 200; n++ {
		if unix.ErrnoName(n) == name {
			return n
		}
	}
	return 0
}

// callNumber knows the calls of a start that only the stage makes, or brig and
// nothing before it: the Go runtime has to live until brig begins.
func callNumber(name string) (uintptr, bool) {
	switch name {
	case "open_tree":
		return unix.SYS_OPEN_TREE, true
	case "move_mount":
		return unix.SYS_MOVE_MOUNT, true
	case "fsopen":
		return unix.SYS_FSOPEN, true
	case "fsconfig":
		return unix.SYS_FSCONFIG, true
	case "fsmount":
		return unix.SYS_FSMOUNT, true
	case "mount_setattr":
		return unix.SYS_MOUNT_SETATTR, true
	case "openat2":
		return unix.SYS_OPENAT2, true
	case "clone3":
		return unix.SYS_CLONE3, true
	case "pivot_root":
		return unix.SYS_PIVOT_ROOT, true
	case "umount2":
		return unix.SYS_UMOUNT2, true
	case "memfd_create":
		return unix.SYS_MEMFD_CREATE, true
	case "seccomp":
		return unix.SYS_SECCOMP, true
	case "sethostname":
		return unix.SYS_SETHOSTNAME, true
	case "capset":
		return unix.SYS_CAPSET, true
	case "setgroups":
		return unix.SYS_SETGROUPS, true
	case "close_range":
		return unix.SYS_CLOSE_RANGE, true
	case "keyctl":
		return unix.SYS_KEYCTL, true
	case "bpf":
		return unix.SYS_BPF, true
	case "unshare":
		return unix.SYS_UNSHARE, true
	case "socketpair":
		return unix.SYS_SOCKETPAIR, true
	}
	return 0, false
}

func itoa(n int) string { return strconv.Itoa(n) }
