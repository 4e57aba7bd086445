package seccomp

import (
	"errors"

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
	if profile.DefaultAction == "" && len(profile.Syscalls) == 0 {
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
	return f, c.write(key, f)
}

// compile runs libseccomp and puts the stub in front of its filter.
func compile(profile *specs.LinuxSeccomp) (*Filter, error) {
	result, err := runCompiler(profile)
	if err != nil {
		return nil, err
	}
	front, err := stub(profile, result.Unknown)
	if err != nil {
		return nil, err
	}
	f := &Filter{Program: append(front, result.Program...)}
	if len(f.Program) > maxProgram {
		return nil, fault.Configf(pointer, "the filter has %d instructions, more than the kernel's 4096", len(f.Program)/insnSize).
			WithHint("fewer conditions on arguments make it shorter")
	}
	f.Flags, f.Listener = flagsOf(profile)
	return f, nil
}

// flagsOf turns the flags into those of seccomp(2). Without a list speculation is
// allowed, as runc and crun do it: the mitigation costs much and helps little since
// 5.16. TSYNC means nothing in a process with one thread.
func flagsOf(profile *specs.LinuxSeccomp) (flags uint64, listener bool) {
	if profile.Flags == nil {
		flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	for _, f := range profile.Flags {
		bit, _ := flagBit(string(f))
		flags |= bit
	}
	for i := range profile.Syscalls {
		listener = listener || profile.Syscalls[i].Action == specs.ActNotify
	}
	return flags, listener
}

func flagBit(name string) (uint64, bool) {
	switch name {
	case "SECCOMP_FILTER_FLAG_TSYNC":
		return 0, true
	case "SECCOMP_FILTER_FLAG_LOG":
		return unix.SECCOMP_FILTER_FLAG_LOG, true
	case "SECCOMP_FILTER_FLAG_SPEC_ALLOW":
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true
	case "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true
	}
	return 0, false
}

var errNoCache = errors.New("no cache")
