package nsenter

import (
	"fmt"
	"strings"
	"syscall"

	"brig/libcontainer/fault"
)

// Fault turns a frame of the stage into a sentence about the config: the step's
// pointer and name, the call that failed, its errno, and a hint where one helps.
func (p *Program) Fault(m Message) *fault.Error {
	if m.Index < 0 || m.Index >= len(p.Instructions) {
		return fault.Bugf("the stage reports errno %d of instruction %d of %d", m.Errno, m.Index, len(p.Instructions))
	}
	step := p.StepOf(m.Index)
	return &fault.Error{
		Class:   classOf(step, m.Errno),
		Pointer: step.Pointer,
		Op:      p.operation(m.Index),
		Err:     m.Errno,
		Hint:    hint(step, p.Instructions[m.Index].Sys, m.Errno),
	}
}

// operation names what failed: the step, and the call with the names in it.
func (p *Program) operation(i int) string {
	in := &p.Instructions[i]
	step := p.StepOf(i)
	if in.Op == OpFail {
		return in.Reason
	}
	names := make([]string, 0, 2)
	format := sysTable[in.Sys].format
	for k := 0; k < len(format); k++ {
		if letter := format[k]; (letter == 's' || letter == 'S') && in.Args[k].Kind == DataAddr {
			if text := p.text(in.Args[k].Value); text != "" {
				names = append(names, quote(text))
			}
		}
	}
	call := strings.Join(append([]string{in.Sys.String()}, names...), " ")
	if step.Name == "" {
		return call
	}
	return fmt.Sprintf("%s: %s", step.Name, call)
}

// classOf tells a mistake in the config from a refusal of the host. A name that
// does not fit what is there is the config's; all else is the host's.
func classOf(step Step, errno syscall.Errno) fault.Class {
	if step.Pointer == "" {
		return fault.Host
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.EINVAL, syscall.ENAMETOOLONG,
		syscall.EEXIST, syscall.EXDEV, syscall.ENODEV, syscall.ENOTBLK, syscall.ERANGE, syscall.EACCES:
		return fault.Config
	}
	return fault.Host
}

// hint says what an errno of a call means where the kernel's own words do not.
func hint(step Step, sys Sys, errno syscall.Errno) string {
	switch {
	case sys == Openat2 && errno == syscall.ELOOP:
		return "a symbolic link stands where brig follows none, or a chain of links has no end"
	case sys == MoveMount && errno == syscall.ENOTDIR:
		return "a directory cannot be mounted on a file, nor a file on a directory"
	case sys == MoveMount && errno == syscall.EINVAL:
		// mount(2) fails with ENOTDIR, and docker looks for those words.
		return "not a directory: a directory cannot be mounted on a file, nor a file on a directory"
	case sys == MountSetattr && errno == syscall.EINVAL && strings.HasPrefix(step.Name, "map the ids"):
		return "does the file system support id-mapped mounts? tmpfs does since Linux 6.3, NFS and FUSE mostly not"
	case sys == Clone3 && errno == syscall.EPERM:
		return "does this host forbid user namespaces, or does brig run in a chroot, in which the kernel makes none?"
	case sys == Clone3 && errno == syscall.EAGAIN:
		return "pids.max of the cgroup, RLIMIT_NPROC or the number of namespaces is reached"
	case sys == Clone3 && errno == syscall.ENOSPC:
		return "a limit of user.max_*_namespaces is reached"
	case sys == Seccomp && errno == syscall.Errno(524):
		return "the memory for compiled filters is used up: see net.core.bpf_jit_limit"
	case (sys == Fsconfig || sys == Fsmount) && errno == syscall.EPERM:
		return "in a user namespace the kernel mounts proc and sysfs only where the host's own are fully visible"
	case sys == Prlimit64 && errno == syscall.EPERM:
		return "raising a hard limit needs CAP_SYS_RESOURCE"
	case sys == SchedSetattr && errno == syscall.EPERM:
		return "a real-time policy, or a nice value below that of brig, needs CAP_SYS_NICE on the host, which no user namespace gives; SCHED_DEADLINE also needs all CPUs"
	case sys == SchedSetattr && errno == syscall.EBUSY:
		return "the CPUs have no such share of their time left for SCHED_DEADLINE: see kernel.sched_rt_runtime_us"
	case sys == IoprioSet && errno == syscall.EPERM:
		return "IOPRIO_CLASS_RT needs CAP_SYS_NICE on the host, which no user namespace gives"
	case sys == SetMempolicy && errno == syscall.EINVAL:
		return "are the nodes online, and in the cpuset of the cgroup? MPOL_PREFERRED_MANY is of Linux 5.15, MPOL_WEIGHTED_INTERLEAVE of 6.9"
	case errno == syscall.ENOSYS:
		return "this kernel is too old: brig needs Linux 5.14"
	}
	return ""
}
