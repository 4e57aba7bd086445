package nsenter

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// formatArg prints operand i of a call. The letters of sysTable:
//
//	f fd or AT_FDCWD     s string          v array of strings   p address or NULL
//	u number             U id, -1 is none  m mode, octal        M mode with type
//	o open_how           O open flags      a AT_ flags          t open_tree flags
//	T statx AT_ flags    B mount_attr      V move_mount flags   b MOUNT_ATTR_ flags
//	j FSMOUNT_ flags     J FSOPEN_ flags   F fsconfig command   S fsconfig value
//	c clone_args         n CLONE_ flags    X statx mask         A access mode
//	P prctl option       R rlimit name     L struct rlimit      W umount flags
//	E seccomp operation  l filter flags    H sock_fprog         q keyctl operation
//	g gid list           h cap header      C cap data           z bytes to write
//	K accept4 flags      k clock           r close_range flags  d device number
//	I ioctl request      Q message flags   x hex number         N prctl argument
//	D O_ flags of an fd, not of a file          Y sched_attr    y execution domain
//	e memory policy      G mask of nodes        w IOPRIO_WHO_   i I/O priority
//	Z set of CPUs
func (p *Program) formatArg(in *Instruction, i int, letter byte) string {
	a := in.Args[i]
	if a.Kind == SlotValue || a.Kind == Scratch {
		return p.scratchName(a.Value)
	}
	if s, ok := formatFlags(letter, a.Value); ok && a.Kind == Immediate {
		return s
	}
	switch letter {
	case 's':
		return p.formatString(a)
	case 'v':
		return p.formatStrings(a)
	case 'o':
		return fmt.Sprintf("{flags=%s, resolve=%s}", formatOpen(p.Pointed(a, 0)), bits(p.Pointed(a, 2), resolveFlags[:], "0"))
	case 'B':
		return p.formatMountAttr(a)
	case 'c':
		return p.formatCloneArgs(a)
	case 'L':
		return fmt.Sprintf("{rlim_cur=%s, rlim_max=%s}", formatLimit(p.Pointed(a, 0)), formatLimit(p.Pointed(a, 1)))
	case 'g':
		return p.formatGids(a, in.Args[i-1].Value)
	case 'h':
		return "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}"
	case 'C':
		return p.formatCaps(a)
	case 'H':
		return fmt.Sprintf("{len=%d, filter=%#x}", p.Pointed(a, 0)&0xffff, p.Pointed(a, 1))
	case 'Y':
		return p.formatSchedAttr(a)
	case 'G':
		return p.formatNodes(a, in.Args[i+1])
	case 'Z':
		return p.formatCPUs(a, in.Args[i-1])
	case 'z':
		return p.formatBytes(a, in.Args[i+1])
	case 'S':
		return p.formatString(a)
	case 'N':
		return p.formatPrctl(in, i)
	}
	if a.Kind == DataAddr {
		return fmt.Sprintf("%#x", p.DataBase+a.Value)
	}
	return strconv.FormatInt(int64(a.Value), 10)
}

// formatFlags prints the operands that are numbers or sets of flags.
func formatFlags(letter byte, v uint64) (string, bool) {
	switch letter {
	case 'f':
		if int64(v) == unix.AT_FDCWD {
			return "AT_FDCWD", true
		}
	case 'p', 'z', 'v', 'L', 'g', 'B', 'H':
		if v == 0 {
			return "NULL", true
		}
	case 'u', 'U':
		if v == 0xffffffff && letter == 'U' {
			return "-1", true
		}
		return strconv.FormatUint(v, 10), true
	case 'm':
		return formatMode(v), true
	case 'M':
		return formatType(v), true
	case 'O':
		return formatOpen(v), true
	case 'D':
		return bits(v, openFlags[:], "0"), true
	case 'a':
		return bits(v, atFlags[:], "0"), true
	case 'T':
		return "AT_STATX_SYNC_AS_STAT" + strings.TrimSuffix("|"+bits(v, atFlags[:], ""), "|"), true
	case 't':
		return bits(v, openTreeFlags[:], "0"), true
	case 'V':
		return bits(v, moveMountFlags[:], "0"), true
	case 'b':
		return attrs(v), true
	case 'j':
		return bits(v, fsmountFlags[:], "0"), true
	case 'J':
		return bits(v, fsopenFlags[:], "0"), true
	case 'n':
		return bits(v, cloneFlags[:], "0"), true
	case 'X':
		return bits(v, statxMasks[:], "0"), true
	case 'A':
		return bits(v, accessModes[:], "F_OK"), true
	case 'W':
		return bits(v, umountFlags[:], "0"), true
	case 'r':
		return bits(v, closeRangeFlags[:], "0"), true
	case 'l':
		return bits(v, seccompFlags[:], "0"), true
	case 'x':
		return hex(v), true
	case 'd':
		return "makedev(" + hex(uint64(unix.Major(v))) + ", " + hex(uint64(unix.Minor(v))) + ")", true
	}
	return formatEnum(letter, v)
}

// formatEnum prints the operands that are one of a few values.
func formatEnum(letter byte, v uint64) (string, bool) {
	switch letter {
	case 'F':
		if v < uint64(len(fsconfigCommands)) {
			return fsconfigCommands[v], true
		}
	case 'R':
		if v < uint64(len(rlimitNames)) {
			return rlimitNames[v], true
		}
	case 'P':
		return prctlName(v), true
	case 'E':
		if v == unix.SECCOMP_SET_MODE_FILTER {
			return "SECCOMP_SET_MODE_FILTER", true
		}
	case 'q':
		if v == unix.KEYCTL_JOIN_SESSION_KEYRING {
			return "KEYCTL_JOIN_SESSION_KEYRING", true
		}
	case 'I':
		switch v {
		case unix.TIOCSCTTY:
			return "TIOCSCTTY", true
		case unix.TIOCSPTLCK:
			return "TIOCSPTLCK", true
		case unix.TIOCGPTPEER:
			return "TIOCGPTPEER", true
		case unix.TIOCSWINSZ:
			return "TIOCSWINSZ", true
		}
	case 'K':
		if v == unix.SOCK_CLOEXEC {
			return "SOCK_CLOEXEC", true
		}
	case 'k':
		if v == unix.CLOCK_MONOTONIC {
			return "CLOCK_MONOTONIC", true
		}
		if v == unix.CLOCK_REALTIME {
			return "CLOCK_REALTIME", true
		}
	case 'w':
		if v == 1 {
			return "IOPRIO_WHO_PROCESS", true
		}
	case 'i':
		return formatIOPriority(v)
	case 'e':
		return formatMemoryPolicy(v)
	case 'y':
		return formatPersonality(v)
	case 'Q':
		return bits(v, []flag{{unix.MSG_NOSIGNAL, "MSG_NOSIGNAL"}, {unix.MSG_CMSG_CLOEXEC, "MSG_CMSG_CLOEXEC"}}, "0"), true
	}
	return "", false
}

// hex prints a number as C does with %#x: without 0x before a zero.
func hex(v uint64) string {
	if v == 0 {
		return "0"
	}
	return "0x" + strconv.FormatUint(v, 16)
}

func prctlName(v uint64) string {
	switch v {
	case unix.PR_SET_DUMPABLE:
		return "PR_SET_DUMPABLE"
	case unix.PR_SET_KEEPCAPS:
		return "PR_SET_KEEPCAPS"
	case unix.PR_CAPBSET_DROP:
		return "PR_CAPBSET_DROP"
	case unix.PR_CAPBSET_READ:
		return "PR_CAPBSET_READ"
	case unix.PR_SET_NO_NEW_PRIVS:
		return "PR_SET_NO_NEW_PRIVS"
	case unix.PR_CAP_AMBIENT:
		return "PR_CAP_AMBIENT"
	case unix.PR_SET_NAME:
		return "PR_SET_NAME"
	}
	return strconv.FormatUint(v, 10)
}

// formatPrctl prints the second and third operand of prctl.
func (p *Program) formatPrctl(in *Instruction, i int) string {
	a := in.Args[i]
	switch in.Args[0].Value {
	case unix.PR_SET_NAME:
		return p.formatString(a)
	case unix.PR_SET_DUMPABLE:
		if a.Value == 0 {
			return "SUID_DUMP_DISABLE"
		}
	case unix.PR_CAPBSET_DROP, unix.PR_CAPBSET_READ:
		return capName(a.Value)
	case unix.PR_CAP_AMBIENT:
		switch {
		case i == 1 && a.Value == unix.PR_CAP_AMBIENT_RAISE:
			return "PR_CAP_AMBIENT_RAISE"
		case i == 1 && a.Value == unix.PR_CAP_AMBIENT_CLEAR_ALL:
			return "PR_CAP_AMBIENT_CLEAR_ALL"
		case i == 2 && in.Args[1].Value == unix.PR_CAP_AMBIENT_RAISE:
			return capName(a.Value)
		}
	}
	return strconv.FormatUint(a.Value, 10)
}

// shown is how many operands of a call mean something.
func (in *Instruction) shown() int {
	all := len(sysTable[in.Sys].format)
	switch in.Sys {
	case Prctl:
		if option := in.Args[0].Value; option != unix.PR_SET_NO_NEW_PRIVS && option != unix.PR_CAP_AMBIENT {
			return 2
		}
	case Keyctl:
		if in.Args[0].Value == unix.KEYCTL_JOIN_SESSION_KEYRING {
			return 2
		}
	case Openat:
		if in.Args[2].Value&unix.O_CREAT == 0 {
			return all - 1
		}
	case Mknodat:
		if kind := in.Args[2].Value & unix.S_IFMT; kind != unix.S_IFCHR && kind != unix.S_IFBLK {
			return all - 1
		}
	}
	return all
}

func formatOpen(v uint64) string {
	if v&unix.O_ACCMODE == 0 {
		if v == 0 {
			return "O_RDONLY"
		}
		return "O_RDONLY|" + bits(v, openFlags[:], "")
	}
	return bits(v, openFlags[:], "")
}

func formatMode(v uint64) string { return fmt.Sprintf("%#03o", v) }

func formatType(v uint64) string {
	mode := formatMode(v &^ unix.S_IFMT)
	switch v & unix.S_IFMT {
	case unix.S_IFREG:
		return "S_IFREG|" + mode
	case unix.S_IFCHR:
		return "S_IFCHR|" + mode
	case unix.S_IFBLK:
		return "S_IFBLK|" + mode
	case unix.S_IFIFO:
		return "S_IFIFO|" + mode
	}
	return mode
}

func formatLimit(v uint64) string {
	if v == unix.RLIM_INFINITY {
		return "RLIM64_INFINITY"
	}
	return strconv.FormatUint(v, 10)
}

func (p *Program) formatString(a Arg) string {
	if a.Kind == DataAddr {
		return quote(p.text(a.Value))
	}
	return "NULL"
}

func (p *Program) formatStrings(a Arg) string {
	var list []string
	for i := 0; ; i++ {
		address := p.Pointed(a, i)
		if address == 0 {
			return "[" + strings.Join(list, ", ") + "]"
		}
		list = append(list, p.stringAt(address))
	}
}

func (p *Program) formatMountAttr(a Arg) string {
	return fmt.Sprintf("{attr_set=%s, attr_clr=%s, propagation=%s, userns_fd=%d}", attrs(p.Pointed(a, 0)), attrs(p.Pointed(a, 1)),
		bits(p.Pointed(a, 2), propagations[:], "0"), p.Pointed(a, 3))
}

func (p *Program) formatCloneArgs(a Arg) string {
	flags := p.Pointed(a, 0)
	s := "{flags=" + bits(flags, cloneFlags[:], "0")
	if flags&unix.CLONE_PIDFD != 0 {
		s += ", pidfd=" + p.scratchName(p.Pointed(a, 1)-ScratchBase)
	}
	signal := "0"
	if n := p.Pointed(a, 4); n != 0 {
		signal = unix.SignalName(unix.Signal(n))
	}
	s += ", exit_signal=" + signal + ", stack=NULL, stack_size=0"
	if flags&unix.CLONE_INTO_CGROUP != 0 {
		s += fmt.Sprintf(", cgroup=%d", p.Pointed(a, 10))
	}
	return s + "}"
}

func (p *Program) formatGids(a Arg, n uint64) string {
	if a.Kind != DataAddr {
		return "NULL"
	}
	if n > (uint64(len(p.Data))-a.Value)/4 {
		return p.operand(a)
	}
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.FormatUint(uint64(binary.LittleEndian.Uint32(p.Data[a.Value+4*uint64(i):])), 10)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// formatCaps prints the two struct __user_cap_data_struct as three sets.
func (p *Program) formatCaps(a Arg) string {
	var w [6]uint64
	for i := range w {
		w[i] = p.Pointed(a, i/2) >> (32 * (i % 2)) & 0xffffffff
	}
	return fmt.Sprintf("{effective=%s, permitted=%s, inheritable=%s}", capSet(w[0]|w[3]<<32), capSet(w[1]|w[4]<<32), capSet(w[2]|w[5]<<32))
}

func (p *Program) formatBytes(a, n Arg) string {
	if a.Kind != DataAddr || n.Kind != Immediate || n.Value > uint64(len(p.Data))-a.Value {
		return p.operand(a)
	}
	return quote(string(p.Data[a.Value : a.Value+n.Value]))
}
