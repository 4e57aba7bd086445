package seccomp

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// allowed are the system calls that an ordinary program makes, whatever their
// arguments. What is not here, or has a rule of its own below, is denied.
const allowed = `
accept accept4 access alarm brk cachestat capget capset chdir chmod chown
clock_getres clock_gettime clock_nanosleep close close_range copy_file_range creat
dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2
fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl
fdatasync fgetxattr file_getattr flistxattr flock fork fremovexattr fsetxattr
fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv
futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents
getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp
getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage
getsid getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
io_getevents io_pgetevents io_setup io_submit ioprio_get ioprio_set kill
landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr
link linkat listen listxattr listxattrat llistxattr lremovexattr lseek lsetxattr
lsm_get_self_attr lsm_list_modules lstat madvise map_shadow_stack membarrier
memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock
munlockall munmap nanosleep newfstatat open openat openat2 pause pidfd_open
pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl
pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pwrite64 pwritev
pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg
remap_file_pages removexattr removexattrat rename renameat renameat2
restart_syscall rmdir rseq rseq_slice_yield rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address
setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid
setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr
setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4
socketpair splice stat statfs statx symlink symlinkat sync sync_file_range syncfs
sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate
umask uname unlink unlinkat uretprobe uprobe utime utimensat utimes vfork vmsplice
wait4 waitid write writev connect bind arch_prctl`

// denied are known and dangerous: they get EPERM. That they are named here makes
// the profile one that knows the system calls of Linux 6.18; newer ones get ENOSYS.
const denied = `
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module
fanotify_init fanotify_mark file_setattr finit_module fsconfig fsmount fsopen
fspick get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup
ioperm iopl kcmp kexec_file_load kexec_load keyctl listmount listns
lookup_dcookie lsm_set_self_attr mbind migrate_pages modify_ldt mount
mount_setattr move_mount move_pages name_to_handle_at nfsservctl
open_by_handle_at open_tree open_tree_attr perf_event_open pidfd_getfd pivot_root
process_madvise process_vm_readv process_vm_writev ptrace quotactl quotactl_fd
reboot request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname
setns settimeofday statmount swapoff swapon syslog umount2 unshare uselib
userfaultfd ustat vhangup`

// namespaceFlags are the flags of clone(2) that make a namespace.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Values of personality(2) that change nothing that matters for security.
var personalities = [...]uint64{0x0, 0x0008, 0x20000, 0x20008, 0xffffffff}

// Families of sockets that an ordinary program uses.
var families = [...]uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// Default is the hardened profile of `brig spec`, for an architecture (a GOARCH):
// what it does not allow is denied, and system calls of other architectures kill.
func Default(arch string) *specs.LinuxSeccomp {
	eperm, enosys := uint(unix.EPERM), uint(unix.ENOSYS)
	p := &specs.LinuxSeccomp{
		DefaultAction:   specs.ActErrno,
		DefaultErrnoRet: &eperm,
		Architectures:   []specs.Arch{specs.ArchX86_64},
		Flags:           []specs.LinuxSeccompFlag{},
	}
	if arch == "arm64" {
		p.Architectures[0] = specs.ArchAARCH64
	}
	p.Syscalls = []specs.LinuxSyscall{
		{Names: namesOf(arch, allowed), Action: specs.ActAllow},
		{Names: namesOf(arch, denied), Action: specs.ActErrno, ErrnoRet: &eperm},
		// The flags of clone3 lie in memory, where a filter cannot look; C
		// libraries fall back to clone.
		{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: &enosys},
		{Names: []string{"clone"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: namespaceFlags, ValueTwo: 0, Op: specs.OpMaskedEqual},
		}},
	}
	for _, v := range personalities {
		p.Syscalls = append(p.Syscalls, equal("personality", v))
	}
	for _, f := range families {
		p.Syscalls = append(p.Syscalls, equal("socket", f))
	}
	p.Syscalls = append(p.Syscalls, ioctls()...)
	return p
}

func namesOf(arch, list string) []string {
	var names []string
	for _, name := range strings.Fields(list) {
		if _, ok := SyscallNumber(arch, name); ok {
			names = append(names, name)
		}
	}
	return names
}

func equal(name string, value uint64) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Value: value, Op: specs.OpEqualTo}}}
}

// ioctls allows every request but TIOCSTI and TIOCLINUX, with which a process can
// type into the terminal of its caller (CVE-2016-10124). The kernel looks at the
// lower half of the argument only, so a comparison of all of it could be got
// around (CVE-2019-10063): each rule looks at bits of that half in which the two
// are alike, and allows what differs there; the last ones allow what is alike in
// all of those and is neither.
func ioctls() []specs.LinuxSyscall {
	rule := func(mask, value uint64) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{"ioctl"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{
			{Index: 1, Value: mask, ValueTwo: value, Op: specs.OpMaskedEqual},
		}}
	}
	const sti, linux, half = uint64(unix.TIOCSTI), uint64(0x541c), uint64(0xffffffff)
	const differ = sti ^ linux
	var rules []specs.LinuxSyscall
	for bit := uint64(1); bit <= half; bit <<= 1 {
		if differ&bit == 0 {
			rules = append(rules, rule(bit, ^sti&bit))
		}
	}
	for combination := differ; ; combination = (combination - 1) & differ {
		if v := sti&^differ | combination; v != sti && v != linux {
			rules = append(rules, rule(half, v))
		}
		if combination == 0 {
			return rules
		}
	}
}
