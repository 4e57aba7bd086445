package root_test

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// quiet calls change nothing that another process can see. To be killed before one is
// to be killed before the call that follows it; and a failed one is the Go runtime's
// to handle, or cannot fail.
var quiet = map[uint64]bool{
	unix.SYS_FUTEX: true, unix.SYS_NANOSLEEP: true, unix.SYS_CLOCK_NANOSLEEP: true, unix.SYS_SCHED_YIELD: true,
	unix.SYS_RT_SIGPROCMASK: true, unix.SYS_RT_SIGACTION: true, unix.SYS_RT_SIGRETURN: true, unix.SYS_SIGALTSTACK: true,
	unix.SYS_TGKILL: true, unix.SYS_GETTID: true, unix.SYS_GETPID: true, unix.SYS_GETEUID: true, unix.SYS_GETUID: true,
	unix.SYS_MMAP: true, unix.SYS_MUNMAP: true, unix.SYS_MADVISE: true, unix.SYS_MPROTECT: true, unix.SYS_MINCORE: true,
	unix.SYS_EPOLL_CREATE1: true, unix.SYS_EPOLL_CTL: true, unix.SYS_EPOLL_PWAIT: true, unix.SYS_EVENTFD2: true,
	unix.SYS_SCHED_GETAFFINITY: true, unix.SYS_ARCH_PRCTL: true, unix.SYS_RESTART_SYSCALL: true, unix.SYS_GETRANDOM: true,
	unix.SYS_CLOCK_GETTIME: true, unix.SYS_UNAME: true, unix.SYS_EXIT: true, unix.SYS_EXIT_GROUP: true, unix.SYS_UMASK: true,
	unix.SYS_GETPPID: true, unix.SYS_BRK: true, unix.SYS_SET_TID_ADDRESS: true, unix.SYS_SET_ROBUST_LIST: true,
	unix.SYS_RSEQ: true, unix.SYS_SETITIMER: true,
}

// failing is a system call with the errnos that it can fail with on a host that is
// short of something, forbids something, or is older: not those that are an answer, as
// that something is there already.
type failing struct {
	name   string
	errnos []unix.Errno
}

var failings = map[uint64]failing{
	unix.SYS_ACCEPT4:           {"accept4", []unix.Errno{unix.EMFILE, unix.ECONNABORTED}},
	unix.SYS_BIND:              {"bind", []unix.Errno{unix.EADDRINUSE, unix.EACCES}},
	unix.SYS_BPF:               {"bpf", []unix.Errno{unix.EPERM, unix.ENOMEM, unix.EINVAL}},
	unix.SYS_CAPGET:            {"capget", []unix.Errno{unix.EINVAL, unix.EPERM}},
	unix.SYS_CAPSET:            {"capset", []unix.Errno{unix.EPERM}},
	unix.SYS_CHDIR:             {"chdir", []unix.Errno{unix.EACCES, unix.ENOENT}},
	unix.SYS_CLONE:             {"clone", []unix.Errno{unix.EAGAIN, unix.ENOMEM}},
	unix.SYS_CLONE3:            {"clone3", []unix.Errno{unix.EAGAIN, unix.ENOSPC, unix.EPERM, unix.ENOSYS}},
	unix.SYS_CLOSE:             {"close", []unix.Errno{unix.EIO, unix.EINTR}},
	unix.SYS_CLOSE_RANGE:       {"close_range", []unix.Errno{unix.ENOSYS, unix.ENOMEM}},
	unix.SYS_CONNECT:           {"connect", []unix.Errno{unix.ECONNREFUSED, unix.ENOENT, unix.EACCES}},
	unix.SYS_DUP3:              {"dup3", []unix.Errno{unix.EBUSY, unix.EMFILE}},
	unix.SYS_EXECVE:            {"execve", []unix.Errno{unix.EACCES, unix.ENOMEM, unix.EAGAIN}},
	unix.SYS_FACCESSAT:         {"faccessat", []unix.Errno{unix.EACCES}},
	unix.SYS_FACCESSAT2:        {"faccessat2", []unix.Errno{unix.EACCES, unix.EPERM}},
	unix.SYS_FALLOCATE:         {"fallocate", []unix.Errno{unix.ENOSPC, unix.ENOMEM, unix.EINTR}},
	unix.SYS_FCHDIR:            {"fchdir", []unix.Errno{unix.EACCES}},
	unix.SYS_FCHMOD:            {"fchmod", []unix.Errno{unix.EPERM}},
	unix.SYS_FCHMODAT:          {"fchmodat", []unix.Errno{unix.EPERM}},
	unix.SYS_FCHOWNAT:          {"fchownat", []unix.Errno{unix.EPERM}},
	unix.SYS_FCNTL:             {"fcntl", []unix.Errno{unix.EMFILE, unix.EPERM}},
	unix.SYS_FLOCK:             {"flock", []unix.Errno{unix.ENOLCK}},
	unix.SYS_FSCONFIG:          {"fsconfig", []unix.Errno{unix.EINVAL, unix.EPERM, unix.ENOMEM}},
	unix.SYS_FSMOUNT:           {"fsmount", []unix.Errno{unix.EPERM, unix.ENOMEM, unix.EMFILE}},
	unix.SYS_FSOPEN:            {"fsopen", []unix.Errno{unix.EPERM, unix.ENODEV, unix.ENOSYS}},
	unix.SYS_FSTAT:             {"fstat", []unix.Errno{unix.EIO, unix.ENOMEM}},
	unix.SYS_FSTATFS:           {"fstatfs", []unix.Errno{unix.EIO}},
	unix.SYS_FTRUNCATE:         {"ftruncate", []unix.Errno{unix.EIO}},
	unix.SYS_GETCWD:            {"getcwd", []unix.Errno{unix.ENOENT}},
	unix.SYS_GETDENTS64:        {"getdents64", []unix.Errno{unix.EIO}},
	unix.SYS_GETGROUPS:         {"getgroups", []unix.Errno{unix.EINVAL}},
	unix.SYS_GETRESGID:         {"getresgid", []unix.Errno{unix.EFAULT}},
	unix.SYS_GETRESUID:         {"getresuid", []unix.Errno{unix.EFAULT}},
	unix.SYS_GETSOCKOPT:        {"getsockopt", []unix.Errno{unix.ENOBUFS}},
	unix.SYS_IOCTL:             {"ioctl", []unix.Errno{unix.ENOTTY, unix.EPERM}},
	unix.SYS_KEYCTL:            {"keyctl", []unix.Errno{unix.EDQUOT, unix.EPERM}},
	unix.SYS_KILL:              {"kill", []unix.Errno{unix.ESRCH, unix.EPERM}},
	unix.SYS_LISTEN:            {"listen", []unix.Errno{unix.EADDRINUSE}},
	unix.SYS_LSEEK:             {"lseek", []unix.Errno{unix.EINVAL}},
	unix.SYS_MEMFD_CREATE:      {"memfd_create", []unix.Errno{unix.EMFILE, unix.ENOMEM, unix.EACCES}},
	unix.SYS_MKDIRAT:           {"mkdirat", []unix.Errno{unix.ENOSPC, unix.EACCES, unix.EROFS}},
	unix.SYS_MKNODAT:           {"mknodat", []unix.Errno{unix.EPERM, unix.ENOSPC}},
	unix.SYS_MOUNT_SETATTR:     {"mount_setattr", []unix.Errno{unix.EPERM, unix.EINVAL, unix.ENOSYS}},
	unix.SYS_MOVE_MOUNT:        {"move_mount", []unix.Errno{unix.EPERM, unix.EINVAL, unix.ELOOP}},
	unix.SYS_NEWFSTATAT:        {"newfstatat", []unix.Errno{unix.EACCES, unix.EIO}},
	unix.SYS_OPENAT:            {"openat", []unix.Errno{unix.EMFILE, unix.EACCES, unix.EIO, unix.ENOENT}},
	unix.SYS_OPENAT2:           {"openat2", []unix.Errno{unix.EMFILE, unix.EACCES, unix.EAGAIN, unix.ELOOP}},
	unix.SYS_OPEN_TREE:         {"open_tree", []unix.Errno{unix.EPERM, unix.EMFILE, unix.ENOENT}},
	unix.SYS_PIDFD_OPEN:        {"pidfd_open", []unix.Errno{unix.EMFILE, unix.ESRCH}},
	unix.SYS_PIDFD_SEND_SIGNAL: {"pidfd_send_signal", []unix.Errno{unix.EPERM}},
	unix.SYS_PIPE2:             {"pipe2", []unix.Errno{unix.EMFILE, unix.ENFILE}},
	unix.SYS_PIVOT_ROOT:        {"pivot_root", []unix.Errno{unix.EINVAL, unix.EPERM}},
	unix.SYS_POLL:              {"poll", []unix.Errno{unix.ENOMEM, unix.EINTR}},
	unix.SYS_PPOLL:             {"ppoll", []unix.Errno{unix.ENOMEM, unix.EINTR}},
	unix.SYS_PRCTL:             {"prctl", []unix.Errno{unix.EINVAL, unix.EPERM}},
	unix.SYS_PREAD64:           {"pread64", []unix.Errno{unix.EIO}},
	unix.SYS_PRLIMIT64:         {"prlimit64", []unix.Errno{unix.EPERM}},
	unix.SYS_READ:              {"read", []unix.Errno{unix.EIO, unix.ENOMEM}},
	unix.SYS_READLINK:          {"readlink", []unix.Errno{unix.EACCES}},
	unix.SYS_READLINKAT:        {"readlinkat", []unix.Errno{unix.EACCES}},
	unix.SYS_RECVMSG:           {"recvmsg", []unix.Errno{unix.ENOMEM}},
	unix.SYS_RENAMEAT:          {"renameat", []unix.Errno{unix.ENOSPC, unix.EACCES}},
	unix.SYS_SCHED_SETAFFINITY: {"sched_setaffinity", []unix.Errno{unix.EINVAL, unix.EPERM}},
	unix.SYS_SECCOMP:           {"seccomp", []unix.Errno{unix.ENOMEM, unix.EINVAL, unix.EPERM}},
	unix.SYS_SENDMSG:           {"sendmsg", []unix.Errno{unix.ENOBUFS, unix.EPIPE}},
	unix.SYS_SETGROUPS:         {"setgroups", []unix.Errno{unix.EPERM}},
	unix.SYS_SETHOSTNAME:       {"sethostname", []unix.Errno{unix.EPERM}},
	unix.SYS_SETNS:             {"setns", []unix.Errno{unix.EPERM, unix.EINVAL}},
	unix.SYS_SETPGID:           {"setpgid", []unix.Errno{unix.EPERM}},
	unix.SYS_SETRESGID:         {"setresgid", []unix.Errno{unix.EPERM, unix.EINVAL}},
	unix.SYS_SETRESUID:         {"setresuid", []unix.Errno{unix.EPERM, unix.EAGAIN}},
	unix.SYS_SETSID:            {"setsid", []unix.Errno{unix.EPERM}},
	unix.SYS_SETSOCKOPT:        {"setsockopt", []unix.Errno{unix.ENOPROTOOPT}},
	unix.SYS_SHUTDOWN:          {"shutdown", []unix.Errno{unix.ENOTCONN}},
	unix.SYS_SOCKET:            {"socket", []unix.Errno{unix.EMFILE, unix.EACCES}},
	unix.SYS_SOCKETPAIR:        {"socketpair", []unix.Errno{unix.EMFILE, unix.ENOMEM}},
	unix.SYS_STATFS:            {"statfs", []unix.Errno{unix.EACCES}},
	unix.SYS_STATX:             {"statx", []unix.Errno{unix.EACCES, unix.EIO}},
	unix.SYS_SYMLINKAT:         {"symlinkat", []unix.Errno{unix.ENOSPC}},
	unix.SYS_UMOUNT2:           {"umount2", []unix.Errno{unix.EBUSY, unix.EINVAL}},
	unix.SYS_UNLINKAT:          {"unlinkat", []unix.Errno{unix.EBUSY, unix.EACCES}},
	unix.SYS_UNSHARE:           {"unshare", []unix.Errno{unix.EPERM, unix.ENOSPC, unix.ENOMEM}},
	unix.SYS_WAIT4:             {"wait4", []unix.Errno{unix.EINTR}},
	unix.SYS_WAITID:            {"waitid", []unix.Errno{unix.EINTR}},
	unix.SYS_WRITE:             {"write", []unix.Errno{unix.ENOSPC, unix.EIO}},
}

// nameOf is how a call is called.
func nameOf(nr uint64) string {
	if f, ok := failings[nr]; ok {
		return f.name
	}
	return fmt.Sprintf("system call %d", nr)
}

// counted says whether a stop is one of those that are numbered. What the Go runtime
// does for itself is not: brig dies at once where it fails, as if it was killed.
func counted(s stop) bool {
	switch s.nr {
	case unix.SYS_CLONE:
		return s.args[0]&unix.CLONE_THREAD == 0
	case unix.SYS_FCNTL:
		return s.args[0] > 2 || s.args[1] != unix.F_GETFD
	case unix.SYS_READ:
		return s.part != partBrig || s.args[2] != 8 // ForkExec waits at a pipe for an errno
	default:
		return !quiet[s.nr]
	}
}
