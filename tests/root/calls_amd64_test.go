package root_test

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// quiet calls change nothing that another process can see. To be killed before one is
// to be killed before the call that follows it.
var quiet = map[uint64]bool{
	unix.SYS_FUTEX: true, unix.SYS_NANOSLEEP: true, unix.SYS_CLOCK_NANOSLEEP: true, unix.SYS_SCHED_YIELD: true,
	unix.SYS_RT_SIGPROCMASK: true, unix.SYS_RT_SIGACTION: true, unix.SYS_RT_SIGRETURN: true, unix.SYS_SIGALTSTACK: true,
	unix.SYS_TGKILL: true, unix.SYS_GETTID: true, unix.SYS_GETPID: true, unix.SYS_GETEUID: true, unix.SYS_GETUID: true,
	unix.SYS_MMAP: true, unix.SYS_MUNMAP: true, unix.SYS_MADVISE: true, unix.SYS_MPROTECT: true, unix.SYS_MINCORE: true,
	unix.SYS_EPOLL_CREATE1: true, unix.SYS_EPOLL_CTL: true, unix.SYS_EPOLL_PWAIT: true, unix.SYS_EVENTFD2: true,
	unix.SYS_SCHED_GETAFFINITY: true, unix.SYS_ARCH_PRCTL: true, unix.SYS_RESTART_SYSCALL: true, unix.SYS_GETRANDOM: true,
	unix.SYS_CLOCK_GETTIME: true, unix.SYS_UNAME: true, unix.SYS_EXIT: true, unix.SYS_EXIT_GROUP: true,
}

// nameOf is how a call is called.
func nameOf(nr uint64) string {
	return fmt.Sprintf("system call %d", nr)
}
