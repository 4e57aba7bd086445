package seccomp

import (
	"testing"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct{ profile, want string }{
		{`{}`, `/linux/seccomp/defaultAction: unknown action ""`},
		{`{"defaultAction": "ALLOW"}`, `/linux/seccomp/defaultAction: unknown action "ALLOW"`},
		{`{"defaultAction": "SCMP_ACT_NOTIFY"}`, `/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY cannot be used as default action`},
		{
			`{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}`,
			`/linux/seccomp/defaultErrnoRet: an errno with the action SCMP_ACT_ALLOW, which returns none`,
		},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}`, `/linux/seccomp/defaultErrnoRet: 4095 is no errno`},
		{`{"defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65536}`, `/linux/seccomp/defaultErrnoRet: 65536 is no errno`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "amd64"]}`, `/linux/seccomp/architectures/1: unknown architecture "amd64"`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}`, `/linux/seccomp/flags/0: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}`, `/linux/seccomp/listenerMetadata: metadata without a listenerPath`},
		{rules(`{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}`), `/linux/seccomp/syscalls/0/action: SCMP_ACT_NOTIFY without a listenerPath`},
		{
			`{"listenerPath": "/x", "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_NOTIFY"}]}`,
			`/linux/seccomp/syscalls/0/action: SCMP_ACT_NOTIFY cannot be used for the write syscall`,
		},
		{rules(`{"names": ["read"], "action": "SCMP_ACT_KILL"}, {"names": [], "action": "SCMP_ACT_KILL"}`), `/linux/seccomp/syscalls/1/names: a rule without names`},
		{rules(`{"names": ["read", ""], "action": "SCMP_ACT_KILL"}`), `/linux/seccomp/syscalls/0/names/1: an empty name`},
		{rules(`{"names": ["read\u0000x"], "action": "SCMP_ACT_KILL"}`), `/linux/seccomp/syscalls/0/names/0: the name "read\x00x" has a NUL`},
		{rules(`{"names": ["read"], "action": ""}`), `/linux/seccomp/syscalls/0/action: unknown action ""`},
		{rules(`{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000}`), `/linux/seccomp/syscalls/0/errnoRet: 5000 is no errno`},
		{
			rules(`{"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 0}`),
			`/linux/seccomp/syscalls/0/errnoRet: an errno with the action SCMP_ACT_KILL, which returns none`,
		},
		{
			rules(`{"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}`),
			`/linux/seccomp/syscalls/0/args/0/index: a system call has no argument 6`,
		},
		{
			rules(`{"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 5, "value": 1, "op": "=="}]}`),
			`/linux/seccomp/syscalls/0/args/0/op: unknown operator "=="`,
		},
		{
			`{"architectures": ["x"], "syscalls": [{}]}`,
			`/linux/seccomp/defaultAction: unknown action ""; /linux/seccomp/architectures/0: unknown architecture "x"; ` +
				`/linux/seccomp/syscalls/0/names: a rule without names; /linux/seccomp/syscalls/0/action: unknown action ""`,
		},
	} {
		got := Validate(profileOf(t, c.profile))
		if got.Error() != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.profile, got.Error(), c.want)
		}
		if fault.ClassOf(got) != fault.Config {
			t.Errorf("%s: the fault is of class %s", c.profile, fault.ClassOf(got))
		}
	}
}

func rules(list string) string {
	return `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [` + list + `]}`
}

func TestValidateTakesSoundProfiles(t *testing.T) {
	for _, p := range []*specs.LinuxSeccomp{
		nil, Default("amd64"), Default("arm64"), docker(t),
		profileOf(t, `{"defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65535, "listenerPath": "/x", "listenerMetadata": "y"}`),
	} {
		if l := Validate(p); len(l) > 0 {
			t.Error(l)
		}
	}
	p := docker(t)
	if n := testing.AllocsPerRun(10, func() { Validate(p); ValidateExecve(p) }); n > 0 {
		t.Errorf("a sound profile costs %v allocations", n)
	}
}

// A fault of the profile that only libseccomp finds is one of the config, too.
func TestCompilerFaults(t *testing.T) {
	many := `{"names": ["prctl"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]}`
	p := profileOf(t, rules(many))
	for i := range 5000 {
		r := p.Syscalls[0]
		r.Args = []specs.LinuxSeccompArg{{Index: 0, Value: uint64(i), Op: specs.OpEqualTo}}
		p.Syscalls = append(p.Syscalls, r)
	}
	for _, c := range []struct {
		profile *specs.LinuxSeccomp
		pointer string
	}{
		{profileOf(t, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_S390X"]}`), "/linux/seccomp/architectures/1"},
		{p, "/linux/seccomp"},
	} {
		f, err := Cache{}.Load(c.profile)
		e, ok := err.(*fault.Error)
		if !ok || f != nil || e.Class != fault.Config || e.Pointer != c.pointer {
			t.Errorf("%s: got %v", c.pointer, err)
		} else {
			t.Log(e)
		}
	}
	if _, err := (Cache{}).Load(&specs.LinuxSeccomp{DefaultAction: "x"}); fault.ClassOf(err) != fault.Config {
		t.Errorf("got %v", err)
	}
}

func TestLoadWithoutProfile(t *testing.T) {
	for _, p := range []*specs.LinuxSeccomp{nil, {}, {Architectures: []specs.Arch{specs.ArchX86}}} {
		if f, err := (Cache{}).Load(p); f != nil || err != nil {
			t.Errorf("%+v: got %v %v", p, f, err)
		}
	}
}

// A profile that kills at execve lets no payload start.
func TestValidateExecve(t *testing.T) {
	for _, c := range []struct{ profile, want string }{
		{`{"defaultAction": "SCMP_ACT_KILL"}`, `/linux/seccomp/defaultAction: the action SCMP_ACT_KILL for execve would kill init before there is a payload`},
		{
			`{"defaultAction": "SCMP_ACT_TRAP", "syscalls": [{"names": ["execveat"], "action": "SCMP_ACT_ALLOW"}, {"names": ["execve"], "action": "SCMP_ACT_KILL",
				"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`,
			`/linux/seccomp/defaultAction: the action SCMP_ACT_TRAP for execve would kill init before there is a payload`,
		},
		{
			rules(`{"names": ["read"], "action": "SCMP_ACT_KILL"}, {"names": ["read", "execve"], "action": "SCMP_ACT_KILL_PROCESS"}`),
			`/linux/seccomp/syscalls/1/action: the action SCMP_ACT_KILL_PROCESS for execve would kill init before there is a payload`,
		},
		{
			`{"defaultAction": "SCMP_ACT_KILL_THREAD", "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_KILL_THREAD"}]}`,
			`/linux/seccomp/syscalls/0/action: the action SCMP_ACT_KILL_THREAD for execve would kill init before there is a payload`,
		},
	} {
		p := profileOf(t, c.profile)
		if l := Validate(p); len(l) > 0 {
			t.Error(l)
		}
		if f := ValidateExecve(p); f == nil || f.Error() != c.want || fault.ClassOf(f) != fault.Config {
			t.Errorf("%s: %v", c.profile, f)
		}
	}
}

// What lets execve through in some case may let this one through.
func TestValidateTakesExecve(t *testing.T) {
	for _, profile := range []string{
		`{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"names": ["read", "execve"], "action": "SCMP_ACT_ALLOW"}]}`,
		`{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NE"}]}]}`,
		`{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_ERRNO"}]}`,
		rules(`{"names": ["execve"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}`),
		rules(`{"names": ["execveat"], "action": "SCMP_ACT_KILL"}`),
		`{"defaultAction": "SCMP_ACT_ERRNO"}`,
	} {
		if l := ValidateExecve(profileOf(t, profile)); l != nil {
			t.Errorf("%s: %v", profile, l)
		}
	}
}
