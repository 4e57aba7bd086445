package seccomp

import (
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Validate checks a profile against the spec, and reports all faults. A sound
// profile costs no allocation: it is checked at every start.
func Validate(p *specs.LinuxSeccomp) fault.List {
	var l fault.List
	if p == nil {
		return nil
	}
	if !knownAction(p.DefaultAction) {
		l = append(l, fault.Configf(pointer+"/defaultAction", "unknown action %q", p.DefaultAction))
	}
	if p.DefaultAction == specs.ActNotify {
		l = append(l, fault.Configf(pointer+"/defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action"))
	}
	if !validErrno(p.DefaultAction, p.DefaultErrnoRet) {
		l = append(l, errnoFault(pointer+"/defaultErrnoRet", p.DefaultAction, *p.DefaultErrnoRet))
	}
	for i, a := range p.Architectures {
		if !knownArch(a) {
			l = append(l, fault.Configf(at("architectures", i), "unknown architecture %q", a))
		}
	}
	for i, f := range p.Flags {
		if _, ok := flagBit(f); !ok {
			l = append(l, fault.Configf(at("flags", i), "unknown flag %q", f))
		}
	}
	l = checkListener(l, p)
	for i := range p.Syscalls {
		l = checkRule(l, i, &p.Syscalls[i])
	}
	return l
}

// ValidateExecve refuses a sound profile under which no payload can start: the filter is loaded
// before execve, and kills there. Whoever waits for the start can not always tell that
// from a payload that was killed, since somebody else may have reaped it.
func ValidateExecve(p *specs.LinuxSeccomp) *fault.Error {
	names := func(r *specs.LinuxSyscall) bool { return slices.Contains(r.Names, "execve") }
	killer := slices.IndexFunc(p.Syscalls, func(r specs.LinuxSyscall) bool { return kills(r.Action) && len(r.Args) == 0 && names(&r) })
	if killer < 0 && !kills(p.DefaultAction) {
		return nil
	}
	// A rule with conditions on the arguments may hold for this execve.
	if slices.ContainsFunc(p.Syscalls, func(r specs.LinuxSyscall) bool { return !kills(r.Action) && names(&r) }) {
		return nil
	}
	field, action := pointer+"/defaultAction", p.DefaultAction
	if killer >= 0 {
		field, action = at("syscalls", killer, "action"), p.Syscalls[killer].Action
	}
	return fault.Configf(field, "the action %s for execve would kill init before there is a payload", action)
}

// kills says that who makes the call is no more.
func kills(a specs.LinuxSeccompAction) bool {
	return a == specs.ActKill || a == specs.ActKillProcess || a == specs.ActKillThread || a == specs.ActTrap
}

// at is the pointer of a field of the profile.
func at(segments ...any) string { return fault.Pointer(pointer, segments...) }

// checkListener refuses notifications that nobody gets: the system calls would
// fail with ENOSYS. A path that no action needs is left alone.
func checkListener(l fault.List, p *specs.LinuxSeccomp) fault.List {
	if p.ListenerPath == "" && p.ListenerMetadata != "" {
		l = append(l, fault.Configf(pointer+"/listenerMetadata", "metadata without a listenerPath"))
	}
	notifies := false
	for i := range p.Syscalls {
		if p.Syscalls[i].Action != specs.ActNotify {
			continue
		}
		notifies = true
		if p.ListenerPath == "" {
			l = append(l, fault.Configf(at("syscalls", i, "action"), "SCMP_ACT_NOTIFY without a listenerPath"))
		}
	}
	if notifies && p.ListenerPath != "" {
		l = checkListenerPath(l, p.ListenerPath)
	}
	return l
}

// checkListenerPath wants a path that means the same socket to create and to
// start, wherever they are called.
func checkListenerPath(l fault.List, name string) fault.List {
	switch {
	case name[0] != '/':
		l = append(l, fault.Configf(pointer+"/listenerPath", "%q is not an absolute path", name))
	case strings.IndexByte(name, 0) >= 0:
		l = append(l, fault.Configf(pointer+"/listenerPath", "a NUL byte in a string"))
	}
	return l
}

func checkRule(l fault.List, i int, r *specs.LinuxSyscall) fault.List {
	if len(r.Names) == 0 {
		l = append(l, fault.Configf(at("syscalls", i, "names"), "a rule without names"))
	}
	if !knownAction(r.Action) {
		l = append(l, fault.Configf(at("syscalls", i, "action"), "unknown action %q", r.Action))
	}
	// Whoever listens would have to write the answer.
	if r.Action == specs.ActNotify && slices.Contains(r.Names, "write") {
		l = append(l, fault.Configf(at("syscalls", i, "action"), "SCMP_ACT_NOTIFY cannot be used for the write syscall"))
	}
	for n, name := range r.Names {
		if name == "" {
			l = append(l, fault.Configf(at("syscalls", i, "names", n), "an empty name"))
		} else if strings.IndexByte(name, 0) >= 0 { // libseccomp would read up to it
			l = append(l, fault.Configf(at("syscalls", i, "names", n), "the name %q has a NUL", name))
		}
	}
	if !validErrno(r.Action, r.ErrnoRet) {
		l = append(l, errnoFault(at("syscalls", i, "errnoRet"), r.Action, *r.ErrnoRet))
	}
	for n := range r.Args {
		a := &r.Args[n]
		if a.Index > 5 {
			l = append(l, fault.Configf(at("syscalls", i, "args", n, "index"), "a system call has no argument %d", a.Index))
		}
		if !knownOperator(a.Op) {
			l = append(l, fault.Configf(at("syscalls", i, "args", n, "op"), "unknown operator %q", a.Op))
		}
	}
	return l
}

// The kernel cuts an errno off at MAX_ERRNO, where libseccomp already refuses it;
// a tracer gets all of 16 bits.
const (
	maxErrno   = 4094
	maxMessage = 0xffff
)

func validErrno(action specs.LinuxSeccompAction, errno *uint) bool {
	switch {
	case errno == nil:
		return true
	case action == specs.ActErrno:
		return *errno <= maxErrno
	case action == specs.ActTrace:
		return *errno <= maxMessage
	}
	return false
}

func errnoFault(pointer string, action specs.LinuxSeccompAction, errno uint) *fault.Error {
	if action != specs.ActErrno && action != specs.ActTrace {
		return fault.Configf(pointer, "an errno with the action %s, which returns none", action)
	}
	return fault.Configf(pointer, "%d is no errno", errno)
}

func knownAction(a specs.LinuxSeccompAction) bool {
	switch a {
	case specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace, specs.ActAllow, specs.ActLog, specs.ActNotify:
		return true
	}
	return false
}

func knownOperator(o specs.LinuxSeccompOperator) bool {
	switch o {
	case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		return true
	}
	return false
}

// knownArch are those of the spec. What libseccomp or the machine does not have
// is refused by the compiler.
func knownArch(a specs.Arch) bool {
	switch a {
	case specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64, specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32,
		specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X,
		specs.ArchRISCV64, specs.ArchPARISC, specs.ArchPARISC64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB:
		return true
	}
	return false
}
