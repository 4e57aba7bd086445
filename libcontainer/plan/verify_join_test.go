package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

const joinAll = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// joinInput is the compiler's input for a process that enters the full container.
func joinInput(t testing.TB, namespaces uint64, edit func(*Input)) *Input {
	return input(t, func(in *Input) {
		userNamespace(in)
		in.Run, in.Cgroup, in.Join = true, true, &Joined{Namespaces: namespaces}
		if edit != nil {
			edit(in)
		}
	})
}

func TestJoinCompiles(t *testing.T) {
	for name, edit := range map[string]func(*Input){
		"full":                nil,
		"no namespace":        func(in *Input) { in.Join.Namespaces = 0 },
		"mount and PID only":  func(in *Input) { in.Join.Namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID },
		"cgroup only":         func(in *Input) { in.Join.Namespaces = unix.CLONE_NEWCGROUP },
		"no cgroup":           func(in *Input) { in.Cgroup = false },
		"rootless":            func(in *Input) { in.Host.Rootless = true },
		"setgroups denied":    func(in *Input) { in.Host.Rootless = true; withoutGroups(in) },
		"preserved fds":       func(in *Input) { in.PreserveFDs = 3 },
		"ids of the root map": func(in *Input) { in.Spec.Mounts[0].Destination, in.Spec.Mounts[0].Options = "/", []string{"idmap"} },
	} {
		if _, err := Join(joinInput(t, joinAll, edit)); err != nil {
			t.Errorf("%s: %s", name, err)
		}
	}
}

// A program that joins makes none of the calls that make a container, whatever the
// config has in it.
func TestJoinChangesNothing(t *testing.T) {
	p, err := Join(joinInput(t, joinAll, nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Instructions {
		switch in := &p.Instructions[i]; {
		case in.Op != nsenter.OpCall:
		case in.Sys == nsenter.Openat, in.Sys == nsenter.OpenTree, in.Sys == nsenter.MoveMount, in.Sys == nsenter.Unshare, in.Sys == nsenter.Mkdirat:
			t.Errorf("%s", p.Line(i))
		}
	}
}

func TestVerifyRefusesToJoinOtherwise(t *testing.T) {
	in := joinInput(t, joinAll, nil)
	p, err := Join(in)
	if err != nil {
		t.Fatal(err)
	}
	opened := func(b *broken) int { return b.call("inside", nsenter.Openat2, 0) }
	for _, v := range [...]struct {
		name, rule string
		change     func(*broken)
	}{
		{"a namespace left out", "rule 9", func(b *broken) {
			b.arg(b.call("join", nsenter.Setns, 0), 1, nsenter.Imm(joinAll&^unix.CLONE_NEWCGROUP&^unix.CLONE_NEWUSER))
		}},
		{"all namespaces left out", "rule 9", func(b *broken) { b.drop(b.call("join", nsenter.Setns, 0)) }},
		{"the cgroup namespace left out", "rule 9", func(b *broken) { b.drop(b.call("session", nsenter.Setns, 0)) }},
		{"any namespace of the fd", "rule 9", func(b *broken) { b.arg(b.call("join", nsenter.Setns, 0), 1, nsenter.Imm(0)) }},
		{"another process", "rule 9", func(b *broken) { b.arg(b.call("join", nsenter.Setns, 0), 0, nsenter.Imm(1)) }},
		{"another one's cgroup namespace", "rule 9", func(b *broken) { b.arg(b.call("session", nsenter.Setns, 0), 0, nsenter.Imm(1)) }},
		{"the cgroup namespace by the pidfd", "rule 9", func(b *broken) { b.arg(b.call("session", nsenter.Setns, 0), 0, nsenter.Imm(uint64(in.initFD()))) }},
		{"a mount", "rule 9", func(b *broken) {
			b.insert(opened(b)+1, nsenter.MoveMount, nsenter.Val(b.Report), b.str(""), nsenter.Val(b.Report), b.str(""), nsenter.Imm(0))
		}},
		{"a directory", "rule 9", func(b *broken) {
			b.insert(opened(b)+1, nsenter.Mkdirat, b.slot("inside", nsenter.Openat2, 0), b.str("x"), nsenter.Imm(0o755))
		}},
		{"a new namespace", "rule 9", func(b *broken) { b.insert(opened(b), nsenter.Unshare, nsenter.Imm(unix.CLONE_NEWNS)) }},
		{"another host name", "rule 9", func(b *broken) { b.insert(opened(b), nsenter.Sethostname, b.str("x"), nsenter.Imm(1)) }},
		{"open that follows magic links", "rule 1", func(b *broken) { b.how("inside", 0, opath, unix.RESOLVE_IN_ROOT) }},
		{"open that may leave the root", "rule 1", func(b *broken) { b.how("inside", 0, opath, unix.RESOLVE_NO_MAGICLINKS) }},
		{"dumpable", "rule 6", func(b *broken) { b.drop(b.call("stage", nsenter.Prctl, 0)) }},
		{"no filter", "rule 6", func(b *broken) { b.drop(b.call("seccomp", nsenter.Seccomp, 0)) }},
		{"no capset", "rule 6", func(b *broken) { b.drop(b.call("capabilities", nsenter.Capset, 0)) }},
		{"fds stay", "rule 6", func(b *broken) { b.drop(b.call("fds", nsenter.CloseRange, 0)) }},
		{"no proof of the working directory", "rule 6", func(b *broken) { b.drop(b.call("cwd", nsenter.Getcwd, 0)) }},
	} {
		b := breakable(t, p)
		v.change(b)
		if err := Verify(b.Program, requirementsOf(in)); err == nil || !strings.Contains(err.Error(), v.rule) {
			t.Errorf("%s: want %s: %v", v.name, v.rule, err)
		}
	}
}

// hookInput is the compiler's input for a hook of the host.
func hookInput(t testing.TB, namespaces uint64) *Input {
	return joinInput(t, namespaces, func(in *Input) {
		in.Filter, in.Hook = nil, &Hook{Path: "/usr/bin/hook", Host: true}
	})
}

func TestVerifyRefusesHooks(t *testing.T) {
	in := hookInput(t, joinAll)
	p, err := Join(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, namespaces := range [...]uint64{0, unix.CLONE_NEWNS, unix.CLONE_NEWCGROUP} {
		if _, err := Join(hookInput(t, namespaces)); err != nil {
			t.Errorf("%#x: %s", namespaces, err)
		}
	}
	for _, v := range [...]struct {
		name, rule string
		change     func(*broken)
	}{
		{"a namespace left out", "rule 9", func(b *broken) { b.drop(b.call("join", nsenter.Setns, 0)) }},
		{"a mount", "rule 9", func(b *broken) {
			b.insert(b.call("fds", nsenter.CloseRange, 0), nsenter.MoveMount, nsenter.Val(b.Report), b.str(""), nsenter.Val(b.Report), b.str(""), nsenter.Imm(0))
		}},
		{"open that follows magic links", "rule 1", func(b *broken) { b.how("bundle", 0, opath, unix.RESOLVE_IN_ROOT) }},
		{"path of the host", "rule 2", func(b *broken) {
			b.insert(b.call("fds", nsenter.CloseRange, 0), nsenter.Openat, nsenter.Int(unix.AT_FDCWD), b.str("/x"), nsenter.Imm(unix.O_CLOEXEC))
		}},
		{"dumpable", "rule 6", func(b *broken) { b.drop(b.call("stage", nsenter.Prctl, 0)) }},
		{"fds stay", "rule 6", func(b *broken) { b.drop(b.call("fds", nsenter.CloseRange, 0)) }},
		{"some fds stay", "rule 6", func(b *broken) { b.arg(b.call("fds", nsenter.CloseRange, 0), 0, nsenter.Imm(9)) }},
		{"not in the bundle", "rule 6", func(b *broken) { b.drop(b.call("bundle", nsenter.Fchdir, 0)) }},
		{"another program", "rule 6", func(b *broken) { b.arg(b.call("exec", nsenter.Execve, 0), 0, b.str("/x")) }},
		{"no program", "rule 6", func(b *broken) { b.drop(b.call("exec", nsenter.Execve, 0)) }},
		{"a call after it", "rule 6", func(b *broken) { b.insert(b.call("exec", nsenter.Execve, 0)+1, nsenter.Setsid) }},
		{"jump over the closing of fds", "rule 7", func(b *broken) {
			i := b.call("fds", nsenter.CloseRange, 0)
			b.insert(i, nsenter.Setsid)
			b.Instructions[i] = nsenter.Instruction{Op: nsenter.OpJump, Dst: nsenter.NoSlot, Target: i + 2}
		}},
	} {
		b := breakable(t, p)
		v.change(b)
		if err := Verify(b.Program, requirementsOf(in)); err == nil || !strings.Contains(err.Error(), v.rule) {
			t.Errorf("%s: want %s: %v", v.name, v.rule, err)
		}
	}
}
