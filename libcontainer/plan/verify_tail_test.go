package plan

import (
	"slices"
	"strings"
	"testing"

	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Configs and facts whose programs pass.
var variants = [...]struct {
	name string
	edit func(*Input)
}{
	{"full", nil},
	{"run", func(in *Input) { in.Run = true }},
	{"cgroup", func(in *Input) { in.Cgroup = true }},
	{"timings", func(in *Input) { in.Timings = true }},
	{"no pivot", func(in *Input) { in.NoPivot = true }},
	{"no keyring", func(in *Input) { in.NoNewKeyring = true }},
	{"preserved fds", func(in *Input) { in.PreserveFDs = 7 }},
	{"listener", listened},
	{"no filter", func(in *Input) { in.Filter = nil }},
	{"new privileges", func(in *Input) { in.Spec.Process.NoNewPrivileges = false }},
	{"no filter, new privileges", func(in *Input) { in.Filter, in.Spec.Process.NoNewPrivileges = nil, false }},
	{"root", func(in *Input) { in.Spec.Process.User = specs.User{} }},
	{"writable", func(in *Input) { in.Spec.Root.Readonly = false }},
	{"no capabilities", func(in *Input) { in.Spec.Process.Capabilities = nil }},
	{"no masks", func(in *Input) { in.Spec.Linux.MaskedPaths, in.Spec.Linux.ReadonlyPaths = nil, nil }},
	{"no mounts", func(in *Input) { in.Spec.Mounts = nil }},
	{"user namespace", userNamespace},
	{"rootless", rootless},
	{"rootless, one id", func(in *Input) { rootless(in); withoutGroups(in) }},
	{"mapped root", func(in *Input) {
		userNamespace(in)
		root := specs.Mount{Destination: "/", Source: "rootfs", Options: []string{"bind", "idmap", "nosuid"}}
		in.Spec.Mounts = append([]specs.Mount{root}, in.Spec.Mounts...)
	}},
	{"shared", func(in *Input) { in.Spec.Linux.RootfsPropagation = "rshared" }},
	{"read-only tmpfs", func(in *Input) { in.Spec.Mounts[1].Options = []string{"ro"} }},
	{"groups of the caller", keptGroups},
	{"bound /dev", func(in *Input) {
		in.Spec.Mounts[1] = specs.Mount{Destination: "/dev", Source: "/dev", Options: []string{"rbind"}}
	}},
}

func withoutGroups(in *Input) {
	in.Host.SetgroupsDenied, in.Spec.Process.User.AdditionalGids = true, nil
}

func keptGroups(in *Input) {
	in.Spec.Annotations = map[string]string{"run.oci.keep_original_groups": "1"}
}

// listened gives the filter a listener.
func listened(in *Input) { in.Filter.Listener, in.Secret = true, seccomp.Secret{1, 2, 3} }

// The listener is handed over by its two calls and no others, and none of them may
// fail or be called without the secret.
func TestVerifyHandover(t *testing.T) {
	for _, c := range [...]struct {
		name, want string
		edit       func(b *broken, send, receive int)
	}{
		{"no sendmsg", "does not hand over", func(b *broken, send, _ int) { b.drop(send) }},
		{"no recvmsg", "not handed over before execve", func(b *broken, _, receive int) { b.drop(receive) }},
		{"no secret", "does not hand over", func(b *broken, send, _ int) { b.arg(send, 4, nsenter.Imm(0)) }},
		{"another socket", "does not hand over", func(b *broken, _, receive int) { b.arg(receive, 0, nsenter.Imm(2)) }},
		{"another call", "does not hand over", func(b *broken, send, _ int) { b.Instructions[send].Sys = nsenter.Write }},
		{"a tolerated error", "rule 7", func(b *broken, send, _ int) {
			b.Instructions[send].On = []nsenter.Branch{{Errno: unix.EBADF, Target: send + 1}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := compile(t, listened)
			b := breakable(t, p)
			c.edit(b, b.call("seccomp", nsenter.Sendmsg, 0), b.call("seccomp", nsenter.Recvmsg, 0))
			if err := Verify(b.Program, r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q: %v", c.want, err)
			}
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			p, r := compile(t, v.edit)
			if err := Verify(p, r); err != nil {
				t.Error(err)
			}
		})
	}
}

// A good program is refused where the config asks for another one.
func TestVerifyHoldsToTheConfig(t *testing.T) {
	for _, c := range [...]struct {
		name, want string
		edit       func(*Input)
		demand     func(*Requirements)
	}{
		{"more fds", "close_range", nil, func(r *Requirements) { r.Control++ }},
		{"another bounding set", "bounding set", nil, func(r *Requirements) { r.Bounding = 0 }},
		{"a wider bounding set", "bounding set", nil, func(r *Requirements) { r.Bounding |= 1 << unix.CAP_SYS_ADMIN }},
		{"no_new_privs", "no no_new_privs", func(in *Input) { in.Spec.Process.NoNewPrivileges = false }, func(r *Requirements) { r.NoNewPrivileges = true }},
		{"a filter", "no seccomp", func(in *Input) { in.Filter = nil }, func(r *Requirements) { r.Seccomp = true }},
		{"a listener", "listener is there and not wanted, or", nil, func(r *Requirements) { r.Listener = true }},
		{"no listener", "listener is there and not wanted", listened, func(r *Requirements) { r.Listener = false }},
		{"another secret", "does not know the secret", listened, func(r *Requirements) { r.Secret[2]++ }},
		{"no filter", "not wanted", nil, func(r *Requirements) { r.Seccomp = false }},
		{"a read-only root", "read-only", func(in *Input) { in.Spec.Root.Readonly = false }, func(r *Requirements) { r.ReadonlyRoot = true }},
		{"groups", "no setgroups", func(in *Input) { rootless(in); withoutGroups(in) }, func(r *Requirements) { r.SetgroupsDenied = false }},
		{"groups of the config", "no setgroups", keptGroups, func(r *Requirements) { r.KeepsGroups = false }},
		{"groups of the caller", "are to stay", nil, func(r *Requirements) { r.KeepsGroups = true }},
		{"pivot_root", "no enter the root", func(in *Input) { in.NoPivot = true }, func(r *Requirements) { r.NoPivot = false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := compile(t, c.edit)
			c.demand(&r)
			if err := Verify(p, r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q: %v", c.want, err)
			}
		})
	}
}

// harmless says why the verifier accepts a program without a call of its tail.
func harmless(b *broken, i int) string {
	in := &b.Instructions[i]
	switch s := b.StepOf(i).Section; {
	case in.Sys == nsenter.Close, in.Sys == nsenter.ClockGettime:
		return "close_range has closed or will close the fd; a time is a time"
	case in.Sys == nsenter.Umount2:
		return "of two, either drops the host's tree; the other is missed by the proof that nothing covers the root"
	case s == "pivot" && in.Sys == nsenter.Fchdir:
		return "setns into a mount namespace changes the directory itself; pivot_root needs it"
	case s == "pivot" && (in.Sys == nsenter.Getpid || in.Sys == nsenter.PidfdOpen):
		return "without the fd, setns fails"
	case s == "lookup", s == "stdio", s == "ready", s == "start", s == "timings":
		return "no confinement: the executable, its stdio, and the talk with brig"
	case s == "keyring", s == "umask", s == "rlimits":
		return "optional in the config, and nothing that other calls rest on"
	case s == "latecwd":
		return "who cannot enter the working directory stays in the root"
	case s == "cwd" && in.Sys == nsenter.Openat2:
		return "without the fd, fchdir fails"
	case in.Sys == nsenter.Prctl && in.Args[0].Value == unix.PR_SET_KEEPCAPS:
		return "without it capset fails; a set flag is cleared by execve"
	case in.Sys == nsenter.Prctl && in.Args[0].Value == unix.PR_SET_DUMPABLE:
		return "the fds of the host are closed by then, and execve decides anew"
	case in.Sys == nsenter.Prctl && in.Args[0].Value == unix.PR_CAPBSET_READ:
		return "the comparison that follows is then with the capability before"
	case in.Sys == nsenter.Prctl && in.Args[0].Value == unix.PR_CAP_AMBIENT:
		return "one ambient capability less"
	case in.Sys == nsenter.Prctl && in.Args[0].Value == unix.PR_CAPBSET_DROP && in.Args[1].Value > lastCap:
		return "no kernel of today has it"
	case s == "pivot" && in.Sys == nsenter.MountSetattr:
		return "the root keeps following the host"
	}
	return ""
}

// Each call from the change of root to execve is needed, or is known not to be.
func TestVerifyMissesNoCallOfTheTail(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			p, r := compile(t, v.edit)
			b := breakable(t, p)
			accepted := 0
			for i := b.call("pivot", nsenter.Fchdir, 0); b.StepOf(i).Section != "report"; i++ {
				if b.Instructions[i].Op != nsenter.OpCall {
					continue
				}
				q := breakable(t, p)
				q.drop(i)
				err, reason := Verify(q.Program, r), harmless(b, i)
				if err == nil && reason == "" {
					t.Errorf("passes without [%s] %s", b.StepOf(i).Section, b.Line(i))
				}
				if err != nil && !strings.Contains(err.Error(), "BUG in brig: verify: ") {
					t.Errorf("without %s: %s", b.Line(i), err)
				}
				if err == nil {
					accepted++
				}
			}
			if accepted == 0 {
				t.Error("nothing is harmless: are calls dropped at all?")
			}
		})
	}
}

// Each drop of a section with what is in it is seen too, but for these.
func TestVerifyMissesNoSectionOfTheTail(t *testing.T) {
	optional := []string{"stdio", "lookup", "ready", "start", "keyring", "umask", "rlimits", "latecwd"}
	p, r := compile(t, nil)
	for _, e := range containerPart[slices.IndexFunc(containerPart[:], func(e emitter) bool { return e.section == "pivot" }):] {
		b := breakable(t, p)
		for i := len(b.Instructions) - 1; i >= 0; i-- {
			if b.StepOf(i).Section == e.section {
				b.drop(i)
			}
		}
		if len(b.Instructions) == len(p.Instructions) {
			continue // nothing of it in this program
		}
		if err := Verify(b.Program, r); (err == nil) != slices.Contains(optional, e.section) {
			t.Errorf("without %q: %v", e.section, err)
		}
	}
}
