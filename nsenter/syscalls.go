package nsenter

// Sys names a system call that a program may contain. What is not in this table
// cannot be encoded, whatever the compiler does.
type Sys uint16

// The system calls of brig's programs.
const (
	Accept4 Sys = iota
	Capget
	Capset
	Chroot
	ClockGettime
	Clone3
	Close
	CloseRange
	Dup3
	Execve
	Faccessat2
	Fchdir
	Fchmod
	Fchmodat2
	Fchownat
	Fsconfig
	Fsetxattr
	Fsmount
	Fsopen
	Fstatfs
	Getcwd
	Getgroups
	Getpid
	Getresgid
	Getresuid
	Ioctl
	IoprioSet
	Keyctl
	Mkdirat
	Mknodat
	MountSetattr
	MoveMount
	OpenTree
	Openat
	Openat2
	Personality
	PidfdOpen
	Pipe2
	PivotRoot
	Prctl
	Prlimit64
	Read
	Readlinkat
	Recvmsg
	SchedSetaffinity
	SchedSetattr
	Seccomp
	Sendfile
	Sendmsg
	SetMempolicy
	Setdomainname
	Setgroups
	Sethostname
	Setns
	Setresgid
	Setresuid
	Setsid
	Statx
	Symlinkat
	Umask
	Umount2
	Unshare
	Write
	sysLast
)

// sysEntry is a row of the system call table. format has one letter an argument,
// explained at formatArg.
type sysEntry struct {
	name   string
	amd64  uint16
	arm64  uint16
	format string
}

var sysTable = [sysLast]sysEntry{
	Accept4:          {"accept4", 288, 242, "fppK"},
	Capget:           {"capget", 125, 90, "hp"},
	Capset:           {"capset", 126, 91, "hC"},
	Chroot:           {"chroot", 161, 51, "s"},
	ClockGettime:     {"clock_gettime", 228, 113, "kp"},
	Clone3:           {"clone3", 435, 435, "cu"},
	Close:            {"close", 3, 57, "f"},
	CloseRange:       {"close_range", 436, 436, "uur"},
	Dup3:             {"dup3", 292, 24, "ffD"},
	Execve:           {"execve", 59, 221, "svv"},
	Faccessat2:       {"faccessat2", 439, 439, "fsAa"},
	Fchdir:           {"fchdir", 81, 50, "f"},
	Fchmod:           {"fchmod", 91, 52, "fm"},
	Fchmodat2:        {"fchmodat2", 452, 452, "fsma"},
	Fchownat:         {"fchownat", 260, 54, "fsUUa"},
	Fsconfig:         {"fsconfig", 431, 431, "fFSsf"},
	Fsetxattr:        {"fsetxattr", 190, 7, "fszux"},
	Fsmount:          {"fsmount", 432, 432, "fjb"},
	Fsopen:           {"fsopen", 430, 430, "sJ"},
	Fstatfs:          {"fstatfs", 138, 44, "fp"},
	Getcwd:           {"getcwd", 79, 17, "pu"},
	Getgroups:        {"getgroups", 115, 158, "up"},
	Getpid:           {"getpid", 39, 172, ""},
	Getresgid:        {"getresgid", 120, 150, "ppp"},
	Getresuid:        {"getresuid", 118, 148, "ppp"},
	Ioctl:            {"ioctl", 16, 29, "fIu"},
	IoprioSet:        {"ioprio_set", 251, 30, "wui"},
	Keyctl:           {"keyctl", 250, 219, "qsxxx"},
	Mkdirat:          {"mkdirat", 258, 34, "fsm"},
	Mknodat:          {"mknodat", 259, 33, "fsMd"},
	MountSetattr:     {"mount_setattr", 442, 442, "fstBu"},
	MoveMount:        {"move_mount", 429, 429, "fsfsV"},
	OpenTree:         {"open_tree", 428, 428, "fst"},
	Openat:           {"openat", 257, 56, "fsOm"},
	Openat2:          {"openat2", 437, 437, "fsou"},
	Personality:      {"personality", 135, 92, "y"},
	PidfdOpen:        {"pidfd_open", 434, 434, "uu"},
	Pipe2:            {"pipe2", 293, 59, "pD"},
	PivotRoot:        {"pivot_root", 155, 41, "ss"},
	Prctl:            {"prctl", 157, 167, "PNNuu"},
	Prlimit64:        {"prlimit64", 302, 261, "uRLp"},
	Read:             {"read", 0, 63, "fpu"},
	Readlinkat:       {"readlinkat", 267, 78, "fspu"},
	Recvmsg:          {"recvmsg", 47, 212, "fpQ"},
	SchedSetaffinity: {"sched_setaffinity", 203, 122, "uuZ"},
	SchedSetattr:     {"sched_setattr", 314, 274, "uYu"},
	Seccomp:          {"seccomp", 317, 277, "ElH"},
	Sendfile:         {"sendfile", 40, 71, "ffpu"},
	Sendmsg:          {"sendmsg", 46, 211, "fpQ"},
	SetMempolicy:     {"set_mempolicy", 238, 237, "eGu"},
	Setdomainname:    {"setdomainname", 171, 162, "su"},
	Setgroups:        {"setgroups", 116, 159, "ug"},
	Sethostname:      {"sethostname", 170, 161, "su"},
	Setns:            {"setns", 308, 268, "fn"},
	Setresgid:        {"setresgid", 119, 149, "UUU"},
	Setresuid:        {"setresuid", 117, 147, "UUU"},
	Setsid:           {"setsid", 112, 157, ""},
	Statx:            {"statx", 332, 291, "fsTXp"},
	Symlinkat:        {"symlinkat", 266, 36, "sfs"},
	Umask:            {"umask", 95, 166, "m"},
	Umount2:          {"umount2", 166, 39, "sW"},
	Unshare:          {"unshare", 272, 97, "n"},
	Write:            {"write", 1, 64, "fzu"},
}

// String returns the name of the system call.
func (s Sys) String() string {
	if s < sysLast {
		return sysTable[s].name
	}
	return "invalid"
}

// number returns the system call's number on an architecture.
func (s Sys) number(arch string) uint16 {
	if arch == "arm64" {
		return sysTable[s].arm64
	}
	return sysTable[s].amd64
}

// sysOf is the inverse of number.
func sysOf(arch string, nr uint16) (Sys, bool) {
	for s := Sys(0); s < sysLast; s++ {
		if s.number(arch) == nr {
			return s, true
		}
	}
	return 0, false
}
