package seccomp

import (
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Filter is a compiled profile.
type Filter struct {
	Program  []byte // struct sock_filter for struct sock_filter, in native byte order
	Flags    uint64 // SECCOMP_FILTER_FLAG_ for seccomp(2)
	Listener bool   // an action asks for a listener
}

// pointer of the profile in a config.
const pointer = "/linux/seccomp"

// maxProgram is BPF_MAXINSNS in bytes.
const maxProgram = 4096 * insnSize

// Load compiles a profile, or finds it in the cache. A profile without default
// action and rules is none, as under runc: nil without an error.
func (c Cache) Load(profile *specs.LinuxSeccomp) (*Filter, error) {
	if profile == nil || profile.DefaultAction == "" && len(profile.Syscalls) == 0 {
		return nil, nil
	}
	if faults := Validate(profile); len(faults) > 0 {
		return nil, faults
	}
	key := c.key(profile)
	if f, err := c.read(key); err == nil {
		return f, nil
	}
	f, err := compile(profile)
	if err != nil {
		return nil, err
	}
	// Without room for the cache the container starts all the same, only later.
	_ = c.write(key, f)
	return f, nil
}

// compile makes the filter of a profile, as short as it can.
func compile(profile *specs.LinuxSeccomp) (*Filter, error) {
	long, err := generate(profile)
	if err != nil {
		return nil, err
	}
	f := &Filter{}
	if f.Program, err = shorten(long); err != nil {
		return nil, err
	}
	f.Flags, f.Listener = flagsOf(profile)
	size := len(f.Program)
	if f.Listener {
		size += handoverSize
	}
	if size > maxProgram {
		return nil, fault.Configf(pointer, "the filter has %d instructions, more than the kernel's 4096", size/insnSize).
			WithHint("fewer conditions on arguments make it shorter")
	}
	return f, nil
}

// generate runs libseccomp and puts the stub in front of its filter.
func generate(profile *specs.LinuxSeccomp) ([]byte, error) {
	result, err := runCompiler(*embeddedProgram().packed, profile)
	if err != nil {
		return nil, err
	}
	return append(stub(profile, append(result.Unknown, overlaps(profile)...)), result.Program...), nil
}

// flagsOf turns the flags into those of seccomp(2). Without a list speculation is
// allowed, as runc and crun do it: the mitigation costs much and helps little since
// 5.16. TSYNC means nothing in a process with one thread. The kernel takes
// WAIT_KILLABLE_RECV only together with a listener; without one it means nothing.
func flagsOf(profile *specs.LinuxSeccomp) (flags uint64, listener bool) {
	if profile.Flags == nil {
		flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	for _, f := range profile.Flags {
		bit, _ := flagBit(f)
		flags |= bit
	}
	for i := range profile.Syscalls {
		listener = listener || profile.Syscalls[i].Action == specs.ActNotify
	}
	if !listener {
		flags &^= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	return flags, listener
}

func flagBit(flag specs.LinuxSeccompFlag) (uint64, bool) {
	switch flag {
	case "SECCOMP_FILTER_FLAG_TSYNC":
		return 0, true
	case specs.LinuxSeccompFlagLog:
		return unix.SECCOMP_FILTER_FLAG_LOG, true
	case specs.LinuxSeccompFlagSpecAllow:
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true
	case specs.LinuxSeccompFlagWaitKillableRecv:
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true
	}
	return 0, false
}
