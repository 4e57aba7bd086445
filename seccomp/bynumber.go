package seccomp

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// byNumber decides on the system calls of these names. The number of the call is in
// the accumulator, and stays there for what it does not decide.
func byNumber(p *specs.LinuxSeccomp, k abi, names []string) (out fragment) {
	base := uint32(0)
	if k.x32 {
		base = x32Bit
	}
	lowest := ^uint32(0)
	for i, name := range names {
		nr, ok := SyscallNumber(k.arch, name)
		if !ok || slices.Contains(names[:i], name) {
			continue
		}
		lowest = min(lowest, base+uint32(nr))
		body := decision(p, k, name)
		if body.count() <= 0xff {
			out.emit(opJeq, 0, uint8(body.count()), base+uint32(nr))
		} else {
			out.emit(opJeq, 1, 0, base+uint32(nr))
			out.emit(opJa, 0, 0, body.count())
		}
		out = append(out, body...)
	}
	if len(out) == 0 {
		return nil
	}
	// Most are newer than nearly all that a program calls.
	var all fragment
	all.emit(opJge, 1, 0, lowest)
	all.emit(opJa, 0, 0, out.count())
	return append(all, out...)
}

// decision tries the rules for one system call as libseccomp does: one without
// conditions before the others, and those in the order of the profile.
func decision(p *specs.LinuxSeccomp, k abi, name string) (out fragment) {
	byDefault := actionCode(p.DefaultAction, p.DefaultErrnoRet)
	for i := range p.Syscalls {
		r := &p.Syscalls[i]
		do := actionCode(r.Action, r.ErrnoRet)
		if do == byDefault || !slices.Contains(r.Names, name) {
			continue
		}
		if len(r.Args) == 0 {
			out = nil
			out.emit(opRet, 0, 0, do)
			return out
		}
		for _, conditions := range alternatives(r.Args) {
			out = append(out, conjunction(conditions, k, do)...)
		}
	}
	out.emit(opRet, 0, 0, byDefault)
	return out
}

// alternatives are lists of conditions of which one has to hold. A rule that
// compares an argument twice is one for each condition, as under runc, since
// libseccomp cannot compare it twice in one.
func alternatives(args []specs.LinuxSeccompArg) [][]specs.LinuxSeccompArg {
	seen := uint8(0)
	for _, a := range args {
		if seen&(1<<a.Index) != 0 {
			each := make([][]specs.LinuxSeccompArg, len(args))
			for i := range args {
				each[i] = args[i : i+1]
			}
			return each
		}
		seen |= 1 << a.Index
	}
	return [][]specs.LinuxSeccompArg{args}
}

// conjunction returns an action if all conditions hold, and runs on otherwise. It
// is built from its end, so that each condition knows how far to jump.
func conjunction(args []specs.LinuxSeccompArg, k abi, do uint32) (tail fragment) {
	tail.emit(opRet, 0, 0, do)
	for i := len(args) - 1; i >= 0; i-- {
		c := condition{args[i], uint8(tail.count())}
		if k.narrow() {
			tail = append(c.narrow(), tail...)
		} else {
			tail = append(c.wide(), tail...)
		}
	}
	return tail
}

// condition runs on when it holds, and skips tail instructions more when not.
type condition struct {
	specs.LinuxSeccompArg
	tail uint8
}

// narrow compares the lower half of the argument, which on the machines that brig
// is for is the first one.
func (c condition) narrow() (out fragment) {
	out.emit(opLoad, 0, 0, dataArgs+8*uint32(c.Index))
	v := uint32(c.Value)
	switch c.Op {
	case specs.OpMaskedEqual:
		out.emit(opAnd, 0, 0, v)
		out.emit(opJeq, 0, c.tail, uint32(c.ValueTwo)&v)
	case specs.OpEqualTo:
		out.emit(opJeq, 0, c.tail, v)
	case specs.OpNotEqual:
		out.emit(opJeq, c.tail, 0, v)
	case specs.OpGreaterThan:
		out.emit(opJgt, 0, c.tail, v)
	case specs.OpGreaterEqual:
		out.emit(opJge, 0, c.tail, v)
	case specs.OpLessThan:
		out.emit(opJge, c.tail, 0, v)
	case specs.OpLessEqual:
		out.emit(opJgt, c.tail, 0, v)
	}
	return out
}

// wide decides by the upper half where it can, and by the lower one where the upper
// ones are equal.
func (c condition) wide() (out fragment) {
	lower := c.narrow()
	n := uint8(lower.count())
	out.emit(opLoad, 0, 0, dataArgs+8*uint32(c.Index)+4)
	v := uint32(c.Value >> 32)
	switch c.Op {
	case specs.OpMaskedEqual:
		out.emit(opAnd, 0, 0, v)
		out.emit(opJeq, 0, n+c.tail, uint32(c.ValueTwo>>32)&v)
	case specs.OpEqualTo:
		out.emit(opJeq, 0, n+c.tail, v)
	case specs.OpNotEqual:
		out.emit(opJeq, 0, n, v)
	case specs.OpGreaterThan, specs.OpGreaterEqual:
		out.emit(opJgt, n+1, 0, v)
		out.emit(opJeq, 0, n+c.tail, v)
	case specs.OpLessThan, specs.OpLessEqual:
		out.emit(opJgt, n+1+c.tail, 0, v)
		out.emit(opJeq, 0, n, v)
	}
	return append(out, lower...)
}

// actionCode is the return value of a filter for an action.
func actionCode(a specs.LinuxSeccompAction, errno *uint) uint32 {
	data := uint32(unix.EPERM)
	if errno != nil {
		data = uint32(*errno) & retData
	}
	switch a {
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW
	}
	return unix.SECCOMP_RET_KILL_THREAD
}
