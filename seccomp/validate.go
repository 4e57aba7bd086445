package seccomp

import (
	"slices"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Validate checks a profile against the spec, and reports all faults.
func Validate(p *specs.LinuxSeccomp) fault.List {
	var l fault.List
	add := func(e *fault.Error) { l = append(l, e) }
	if !knownAction(p.DefaultAction) {
		add(fault.Configf(pointer+"/defaultAction", "unknown action %q", p.DefaultAction))
	}
	if p.DefaultAction == specs.ActNotify {
		add(fault.Configf(pointer+"/defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action"))
	}
	checkErrno(&l, pointer+"/defaultErrnoRet", p.DefaultAction, p.DefaultErrnoRet)
	for i, a := range p.Architectures {
		if !knownArch(a) {
			add(fault.Configf(fault.Pointer(pointer, "architectures", i), "unknown architecture %q", a))
		}
	}
	for i, f := range p.Flags {
		if _, ok := flagBit(string(f)); !ok {
			add(fault.Configf(fault.Pointer(pointer, "flags", i), "unknown flag %q", f))
		}
	}
	if p.ListenerMetadata != "" && p.ListenerPath == "" {
		add(fault.Configf(pointer+"/listenerMetadata", "metadata without a listenerPath"))
	}
	for i := range p.Syscalls {
		checkRule(&l, fault.Pointer(pointer, "syscalls", i), &p.Syscalls[i])
	}
	return l
}

func checkRule(l *fault.List, at string, r *specs.LinuxSyscall) {
	if len(r.Names) == 0 {
		*l = append(*l, fault.Configf(at+"/names", "a rule without names"))
	}
	if !knownAction(r.Action) {
		*l = append(*l, fault.Configf(at+"/action", "unknown action %q", r.Action))
	}
	if r.Action == specs.ActNotify && slices.Contains(r.Names, "write") {
		*l = append(*l, fault.Configf(at+"/action", "SCMP_ACT_NOTIFY cannot be used for the write syscall"))
	}
	for i, name := range r.Names {
		if name == "" {
			*l = append(*l, fault.Configf(fault.Pointer(at, "names", i), "an empty name"))
		}
	}
	checkErrno(l, at+"/errnoRet", r.Action, r.ErrnoRet)
	for i, a := range r.Args {
		if a.Index > 5 {
			*l = append(*l, fault.Configf(fault.Pointer(at, "args", i, "index"), "a system call has no argument %d", a.Index))
		}
		if !knownOperator(a.Op) {
			*l = append(*l, fault.Configf(fault.Pointer(at, "args", i, "op"), "unknown operator %q", a.Op))
		}
	}
}

// maxErrno is MAX_ERRNO; the kernel cuts off what is above it.
const maxErrno = 4095

func checkErrno(l *fault.List, at string, action specs.LinuxSeccompAction, errno *uint) {
	if errno == nil {
		return
	}
	if action != specs.ActErrno && action != specs.ActTrace {
		*l = append(*l, fault.Configf(at, "an errno with the action %s, which returns none", action))
	} else if *errno > maxErrno {
		*l = append(*l, fault.Configf(at, "%d is no errno", *errno))
	}
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

// knownArch are those that libseccomp 2.5 has.
func knownArch(a specs.Arch) bool {
	switch a {
	case specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64, specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32,
		specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X,
		specs.ArchRISCV64, specs.ArchPARISC, specs.ArchPARISC64:
		return true
	}
	return false
}
