package nsenter

import "golang.org/x/sys/unix"

// every is a program with every instruction, every system call, every kind of
// operand and every format letter. What prints, encodes or decodes instructions
// is tested with it.
func every(b *Builder) {
	fd, child, pidfd := b.Slot("fd"), b.Slot("child"), b.Slot("pidfd")
	buffer := b.Buffer("buffer", 64)
	everyPath(b, fd, buffer)
	everyMount(b, fd, buffer)
	everyIdentity(b, buffer)
	everySocket(b, fd, buffer)
	everyProcess(b, fd, buffer)
	everyScheduling(b)

	b.Step("/linux/namespaces", "control flow")
	parent, done, skip := b.Label(), b.Label(), b.Label()
	b.Fork(child, b.ArgWords(Imm(unix.CLONE_NEWPID|unix.CLONE_PIDFD|unix.CLONE_INTO_CGROUP), Addr(pidfd), Imm(0), Imm(0),
		Imm(uint64(unix.SIGCHLD)), Imm(0), Imm(0), Imm(0), Imm(0), Imm(0), Imm(4)), 88, parent)
	b.Store(buffer+8, 1, Imm(7))
	b.Store(buffer+10, 2, Val(fd))
	b.Store(buffer+12, 4, Addr(buffer))
	b.Store(buffer+16, 8, b.Str("text"))
	b.JumpIf(buffer, 0xff, 7, skip)
	b.JumpUnless(buffer+8, 0xffff, 0x700, skip)
	b.Goto(done)
	b.Bind(skip)
	b.Fail(unix.EINVAL, "what went wrong")
	b.Fail(4095, "an errno without a name")
	b.Bind(parent)
	b.Exit(3)
	b.Bind(done)
	b.Exit(0)
}

func everyPath(b *Builder, fd, buffer int) {
	b.Section("paths")
	b.Step("/root/path", "paths")
	missing, exists := b.Label(), b.Label()
	b.TryTo(fd, []On{{unix.ENOENT, missing}, {unix.EEXIST, exists}}, Openat2, Int(unix.AT_FDCWD), b.Str("a \"quoted\"\\ path\n\t\r\v\f\x01é\x017\x019"),
		b.Words(unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS), Imm(24))
	b.Bind(missing)
	b.CallTo(fd, Openat, Val(fd), b.Str("file"), Imm(unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW))
	b.Bind(exists)
	b.Call(Openat, Val(fd), b.Str("file"), Imm(0))
	b.Call(Openat, Val(fd), b.Str("file"), Imm(unix.O_DIRECTORY|0x40000000))
	b.Call(Mkdirat, Val(fd), b.Str("dir"), Imm(0o755))
	b.Call(Mkdirat, Val(fd), b.Str(""), Imm(0))
	for _, kind := range []uint64{unix.S_IFREG, unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO, 0} {
		b.Call(Mknodat, Val(fd), b.Str("node"), Imm(kind|0o666), Imm(unix.Mkdev(1, 3)))
	}
	b.Call(Symlinkat, b.Str("/proc/self/fd"), Val(fd), b.Str("fd"))
	b.Call(Readlinkat, Val(fd), Null(), Addr(buffer), Imm(64))
	b.Call(Fchmod, Val(fd), Imm(0o1777))
	b.Call(Fchmodat2, Val(fd), b.Str("file"), Imm(0o600), Imm(unix.AT_SYMLINK_NOFOLLOW))
	b.Call(Fchownat, Val(fd), b.Str("file"), Imm(1000), Imm(0xffffffff), Imm(unix.AT_EMPTY_PATH))
	b.Call(Faccessat2, Val(fd), b.Str("file"), Imm(5), Imm(0))
	b.Call(Faccessat2, Val(fd), b.Str("file"), Imm(0), Imm(0))
	b.Call(Statx, Val(fd), b.Str("file"), Imm(unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW), Imm(unix.STATX_TYPE|unix.STATX_INO), Addr(buffer+8))
	b.Call(Fsetxattr, Val(fd), b.Str("security.selinux"), b.Str("label"), Imm(5), Imm(0))
	b.Call(Fstatfs, Val(fd), Addr(buffer))
	b.Call(Fchdir, Val(fd))
	b.Call(Getcwd, Addr(buffer), Imm(64))
}

func everyMount(b *Builder, fd, buffer int) {
	b.Section("mounts")
	b.Step("/mounts/3", "mounts")
	b.CallTo(fd, Fsopen, b.Str("tmpfs"), Imm(unix.FSOPEN_CLOEXEC))
	b.Call(Fsconfig, Val(fd), Imm(unix.FSCONFIG_SET_STRING), b.Str("size"), b.Str("64k"), Imm(0))
	b.Call(Fsconfig, Val(fd), Imm(unix.FSCONFIG_SET_FD), b.Str("fd"), Null(), Val(fd))
	b.Call(Fsconfig, Val(fd), Imm(unix.FSCONFIG_CMD_CREATE), Null(), Null(), Imm(0))
	b.Call(Fsmount, Val(fd), Imm(unix.FSMOUNT_CLOEXEC), Imm(unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV))
	b.Call(Fsmount, Val(fd), Imm(0), Imm(0))
	b.CallTo(fd, OpenTree, Val(fd), b.Str(""), Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE))
	for _, set := range []uint64{
		unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOATIME,
		unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME, 0,
	} {
		b.Call(MountSetattr, Val(fd), b.Str(""), Imm(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), b.Words(set, unix.MOUNT_ATTR__ATIME, unix.MS_PRIVATE, 5), Imm(32))
	}
	b.Call(MountSetattr, Val(fd), b.Str(""), Imm(unix.AT_EMPTY_PATH), Null(), Imm(32))
	b.Call(MountSetattr, Val(fd), b.Str(""), Imm(unix.AT_EMPTY_PATH), Addr(buffer), Imm(32))
	b.Call(MoveMount, Val(fd), b.Str(""), Val(fd), b.Str(""), Imm(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
	b.Call(PivotRoot, b.Str("."), b.Str("."))
	b.Call(Umount2, b.Str("."), Imm(unix.MNT_DETACH))
}

func everyIdentity(b *Builder, buffer int) {
	b.Section("user")
	b.Step("/process/user", "identity")
	b.Call(Setgroups, Imm(3), b.Bytes([]byte{1, 0, 0, 0, 0xe8, 3, 0, 0, 0xfe, 0xff, 0, 0}))
	b.Call(Setgroups, Imm(0), Null())
	b.Call(Getgroups, Imm(16), Addr(buffer))
	b.Call(Setresuid, Imm(1000), Imm(1000), Imm(0xffffffff))
	b.Call(Setresgid, Imm(0), Imm(1), Imm(2))
	b.Call(Getresuid, Addr(buffer), Addr(buffer+4), Addr(buffer+8))
	b.Call(Getresgid, Addr(buffer), Addr(buffer+4), Addr(buffer+8))
	header := b.Bytes([]byte{0x22, 5, 8, 0x20, 0, 0, 0, 0})
	b.Call(Capset, header, b.Words(1|3<<32, 1<<8<<32, 0x100))
	b.Call(Capget, header, Addr(buffer))
	b.Call(Prctl, Imm(unix.PR_SET_NO_NEW_PRIVS), Imm(1), Imm(0), Imm(0), Imm(0))
	b.Call(Prctl, Imm(unix.PR_CAP_AMBIENT), Imm(unix.PR_CAP_AMBIENT_RAISE), Imm(10), Imm(0), Imm(0))
	b.Call(Prctl, Imm(unix.PR_CAP_AMBIENT), Imm(unix.PR_CAP_AMBIENT_CLEAR_ALL), Imm(0), Imm(0), Imm(0))
	b.Call(Prctl, Imm(unix.PR_SET_DUMPABLE), Imm(0))
	b.Call(Prctl, Imm(unix.PR_SET_KEEPCAPS), Imm(1))
	b.Call(Prctl, Imm(unix.PR_CAPBSET_DROP), Imm(unix.CAP_SETUID))
	b.Call(Prctl, Imm(unix.PR_CAPBSET_READ), Imm(unix.CAP_SYS_ADMIN))
	b.Call(Prctl, Imm(unix.PR_SET_NAME), b.Str("brig"))
	b.Call(Capset, header, b.Words(0, 0, 0))
	b.Call(Prlimit64, Imm(0), Imm(unix.RLIMIT_NOFILE), b.Words(1024, unix.RLIM_INFINITY), Null())
	b.Call(Umask, Imm(0o22))
	b.Call(Keyctl, Imm(unix.KEYCTL_JOIN_SESSION_KEYRING), b.Str("_ses.id"), Imm(0), Imm(0), Imm(0))
}

func everySocket(b *Builder, fd, buffer int) {
	b.Section("start")
	b.Step("", "sockets and pipes")
	b.CallTo(fd, Accept4, Val(fd), Null(), Null(), Imm(unix.SOCK_CLOEXEC))
	b.Call(Accept4, Val(fd), Null(), Null(), Imm(0))
	b.Call(Sendmsg, Val(fd), Addr(buffer), Imm(unix.MSG_NOSIGNAL))
	b.Call(Recvmsg, Val(fd), Addr(buffer), Imm(unix.MSG_CMSG_CLOEXEC))
	b.Call(Sendfile, Val(fd), Imm(3), Null(), Imm(0x7ffff000))
	b.Call(Read, Imm(0), Addr(buffer), Imm(64))
	b.Call(Write, Imm(1), b.Str("some bytes"), Imm(10))
	b.Call(Write, Imm(1), Null(), Imm(0))
	b.Call(Write, Imm(1), Addr(buffer+1), Imm(4))
	b.Call(Pipe2, Addr(buffer), Imm(unix.O_CLOEXEC))
	b.Call(Dup3, Val(fd), Imm(9), Imm(unix.O_CLOEXEC))
	b.Call(Close, Int(-1))
	b.Call(CloseRange, Imm(3), Imm(0xffffffff), Imm(unix.CLOSE_RANGE_UNSHARE|unix.CLOSE_RANGE_CLOEXEC))
	b.Call(Ioctl, Val(fd), Imm(unix.TIOCSCTTY), Imm(0))
	b.Call(ClockGettime, Imm(unix.CLOCK_MONOTONIC), Addr(buffer))
	b.Call(ClockGettime, Imm(unix.CLOCK_REALTIME), Addr(buffer))
}

func everyProcess(b *Builder, fd, buffer int) {
	b.Section("process")
	b.Step("/process/args", "the payload")
	b.Call(Unshare, Imm(unix.CLONE_NEWNS|unix.CLONE_NEWUSER))
	b.Call(Setns, Val(fd), Imm(unix.CLONE_NEWNET))
	b.Call(Setns, Val(fd), Imm(0))
	b.CallTo(fd, Clone3, b.Words(unix.CLONE_PARENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), Imm(88))
	b.CallTo(fd, PidfdOpen, Imm(1), Imm(0))
	b.CallTo(buffer, Getpid)
	b.Call(Setsid)
	b.Call(Chroot, b.Str("."))
	b.Call(Sethostname, b.Str("host"), Imm(4))
	b.Call(Setdomainname, b.Str("domain"), Imm(6))
	filter := b.Bytes([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f})
	b.Call(Seccomp, Imm(unix.SECCOMP_SET_MODE_FILTER), Imm(unix.SECCOMP_FILTER_FLAG_LOG), b.ArgWords(Imm(1), filter))
	b.Call(Execve, b.Str("/bin/sh"), b.Strings([]string{"sh", "-c", "echo \x7f"}), b.Strings(nil))
}

func everyScheduling(b *Builder) {
	b.Section("scheduling")
	b.Step("/process/scheduler", "how it runs")
	b.Call(Personality, Imm(0))
	b.Call(Personality, Imm(8))
	b.Call(SchedSetaffinity, Imm(0), Imm(8), b.Words(5))
	nice := uint64(0xffffffec)
	for policy := range uint64(7) {
		b.Call(SchedSetattr, Imm(0), b.Words(56|policy<<32, 1<<policy, nice|3<<32, 1000, 2000, 3000, 0), Imm(0))
	}
	b.Call(SchedSetattr, Imm(0), b.Words(56, 0, 0, 0, 0, 0, 5|1024<<32), Imm(0))
	for class := range uint64(4) {
		b.Call(IoprioSet, Imm(1), Imm(0), Imm(class<<13|class))
	}
	for mode := range uint64(6) {
		b.Call(SetMempolicy, Imm(mode|1<<(13+mode%3)), b.Words(1, 0, 1<<63), Imm(3*64+1))
	}
	b.Call(SetMempolicy, Imm(0), Null(), Imm(0))
	b.Call(SetMempolicy, Imm(2), b.Words(5), Imm(65))
}
