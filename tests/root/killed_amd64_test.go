package root_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// verb is a command whose every system call is stopped at.
type verb struct {
	name  string
	patch string
	// make brings the container into the state that the command finds; nil for one
	// that makes it.
	make func(b *box)
	args func(b *box) []string
	// ordinary says that the user is.
	ordinary bool
	// terminal is that of its caller, or nil.
	terminal *os.File
	// after says what has to hold of a container that was there before.
	after func(b *box)
}

func verbs() []verb {
	created := func(b *box) { b.create() }
	running := func(b *box) { b.create(); b.ok("start", b.id) }
	works := func(b *box) { b.ok("exec", b.id, "/bin/true") }
	with := func(args ...string) func(b *box) []string {
		return func(b *box) []string {
			list := make([]string, 0, len(args))
			for _, arg := range args {
				list = append(list, strings.NewReplacer("ID", b.id, "BUNDLE", b.bundle).Replace(arg))
			}
			return list
		}
	}
	create := with("create", "--bundle", "BUNDLE", "ID")
	return []verb{
		{name: "create", args: create},
		{name: "create in a user namespace", patch: delegated, args: create},
		{name: "create with hooks, sysctls and a filter", patch: withEverything, args: create},
		{name: "run", patch: `{"process":{"args":["/bin/true"]}}`, args: with("run", "--bundle", "BUNDLE", "ID")},
		{name: "start", make: created, args: with("start", "ID")},
		{name: "exec", make: running, args: with("exec", "ID", "/bin/true"), after: works},
		{name: "exec, detached", make: running, args: with("exec", "--detach", "ID", "/bin/sleep", "1000"), after: works},
		{name: "pause", make: running, args: with("pause", "ID"), after: func(b *box) {
			if b.status() == "paused" {
				b.ok("resume", b.id)
			}
			works(b)
		}},
		{
			name: "resume", make: func(b *box) { running(b); b.ok("pause", b.id) }, args: with("resume", "ID"),
			after: func(b *box) {
				if b.status() == "paused" {
					b.ok("resume", b.id)
				}
				works(b)
			},
		},
		{name: "update", make: running, args: with("update", "--blkio-weight", "0", "ID"), after: works},
		{name: "kill", make: running, args: with("kill", "ID", "USR1"), after: func(*box) {}},
		{name: "delete", make: func(b *box) { running(b); b.ok("kill", b.id, "KILL"); b.wait() }, args: with("delete", "ID")},
		{name: "delete --force", make: running, args: with("delete", "--force", "ID")},
	}
}

// ordinaryVerbs are those of an ordinary user's container, whose init hands its namespaces
// over for hooks.
func ordinaryVerbs() []verb {
	return []verb{
		{
			name: "create of an ordinary user", ordinary: true, patch: `{"hooks":{"createContainer":[{"path":"/bin/true"}]}}`,
			args: func(b *box) []string { return []string{"create", "--bundle", b.bundle, b.id} },
		},
		{
			name: "start of an ordinary user", ordinary: true, patch: `{"hooks":{"startContainer":[{"path":"/bin/true"}]}}`,
			make: func(b *box) { b.create() }, args: func(b *box) []string { return []string{"start", b.id} },
		},
	}
}

// withEverything are the parts of a config that have steps of their own in brig.
const withEverything = `{"hooks":{"createRuntime":[{"path":"/bin/true"}],"createContainer":[{"path":"/bin/true"}]},
	"process":{"rlimits":[{"type":"RLIMIT_NOFILE","soft":64,"hard":128}],"oomScoreAdj":7},
	"linux":{"sysctl":{"net.ipv4.ip_forward":"1"},"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_ERRNO"}]}}}`

// stride is how many calls are passed by from one that is stopped at to the next:
// `make faults` stops at each. An emulated machine, which takes a dozen times as long,
// looks only whether another kernel has other answers.
func stride(few int) int {
	switch {
	case os.Getenv("BRIG_FAULTS") == "all":
		return 1
	case os.Getenv("BRIG_VM") != "":
		return 20 * few
	}
	return few
}

// TestKilledBeforeEachCall kills brig before each of its system calls, and deletes
// what is there then.
func TestKilledBeforeEachCall(t *testing.T) {
	for _, v := range append(verbs(), ordinaryVerbs()...) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			killed(t, v, func(p part) bool { return p == partBrig })
		})
	}
}

// TestStageKilledBeforeEachCall kills the processes of the stage, or a hook, in the
// place of brig.
func TestStageKilledBeforeEachCall(t *testing.T) {
	for _, v := range append(verbs(), ordinaryVerbs()...) {
		switch v.name {
		case "create", "create in a user namespace", "run", "exec", "exec, detached", "create of an ordinary user", "start of an ordinary user":
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				killed(t, v, func(p part) bool { return p != partBrig && p != partPayload })
			})
		}
	}
}

func killed(t *testing.T, v verb, which func(part) bool) {
	t.Helper()
	b := sleeper(t)
	if v.ordinary {
		b = ordinary(t)
		b.args("/bin/sleep", "1000")
	}
	if v.patch != "" {
		b.patch(v.patch)
	}
	few := stride(5)
	n := len(v.name) % few // each verb begins elsewhere
	last := 0
	for ended := false; !ended; n += few {
		t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
			whole := b.t
			b.t = t
			defer func() { b.t = whole }()
			last, ended = b.killedAt(v, n, which)
		})
		if t.Failed() {
			return
		}
	}
	if last < 10 {
		t.Errorf("the command made %d calls", last)
	}
}

// killedAt kills before call n. It returns how many calls the command came to, and
// whether it ended before it came to call n.
func (b *box) killedAt(v verb, n int, which func(part) bool) (calls int, ended bool) {
	b.save()
	if v.make != nil {
		v.make(b)
	}
	var victim stop
	ended = true
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if !which(s.part) || !counted(s) {
			return errnoNone
		}
		if calls == n {
			victim, ended = s, false
			unix.Kill(s.tgid, unix.SIGKILL)
		}
		calls++
		return errnoNone
	})
	if strings.Contains(said, "BUG") || strings.Contains(said, "panic") {
		b.t.Errorf("killed before %s: %s", nameOf(victim.nr), said)
	}
	if v.after != nil {
		v.after(b)
	}
	if v.make == nil && victim.part != partBrig && !ended && status.ExitStatus() != 0 {
		// brig lived to see it, and nobody has to clean up. After the last word of init
		// its death is that of the payload.
		if status.ExitStatus() != 137 && !strings.Contains(said, "brig: ") {
			b.t.Errorf("stage killed before %s: exit %d without an error: %s", nameOf(victim.nr), status.ExitStatus(), said)
		}
		b.until("nothing is left", func() bool { return len(b.left()) == 0 })
	}
	b.clean()
	return calls, ended
}

// stepped runs a command that stops before each system call, and returns its status and
// what it wrote to stderr.
func (b *box) stepped(v verb, before func(s stop) unix.Errno) (unix.WaitStatus, string) {
	b.t.Helper()
	cmd := b.command(v.args(b)...)
	cmd.Stdin = nil
	stderr, err := os.CreateTemp(b.dir, "stderr")
	must(b.t, err)
	defer stderr.Close()
	defer os.Remove(stderr.Name())
	cmd.Stderr = stderr
	if v.terminal != nil {
		cmd.Stdin, cmd.Stdout = v.terminal, v.terminal
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	}
	status, err := step(b.t, cmd, before)
	must(b.t, err)
	// The file's offset is that of the command.
	said, err := io.ReadAll(io.NewSectionReader(stderr, 0, 1<<20))
	must(b.t, err)
	return status, string(said)
}

// The first process of the stage is killed when it has made init and has not said so.
// Init then waits for brig with the other end of brig's socket in its hand.
func TestStageKilledBeforeItSpeaks(t *testing.T) {
	for _, v := range verbs() {
		if v.name != "create" && v.name != "exec" {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			b.save()
			if v.make != nil {
				v.make(b)
			}
			cmd := b.command(v.args(b)...)
			cmd.Stdin = nil
			killed := false
			status, err := step(t, cmd, func(s stop) unix.Errno {
				if s.part == partStage && s.nr == unix.SYS_SENDMSG {
					killed = true
					unix.Kill(s.tgid, unix.SIGKILL)
				}
				return errnoNone
			})
			must(t, err)
			if !killed || status.ExitStatus() <= 0 {
				t.Errorf("killed: %v, exit %d", killed, status.ExitStatus())
			}
			b.clean()
		})
	}
}

// The stage forks the process that enters a container, and is killed before it can say
// which that is. The process of a hook keeps init from its end until it is reaped.
func TestKilledBeforeItSaysWho(t *testing.T) {
	t.Run("createContainer hook", func(t *testing.T) {
		b := sleeper(t, `{"hooks":{"createContainer":[{"path":"/bin/true"}]}}`)
		b.save()
		b.killsMute(2, "create", "--bundle", b.bundle, b.id)
	})
	for _, detach := range []string{"--detach=false", "--detach"} {
		t.Run("exec "+detach, func(t *testing.T) {
			b := sleeper(t)
			b.save()
			b.create()
			b.ok("start", b.id)
			b.killsMute(1, "exec", detach, b.id, "/bin/touch", "/tmp/ran")
			if b.exists("/tmp/ran") {
				t.Error("the process went on")
			}
			b.ok("exec", b.id, "/bin/true")
			b.clean()
		})
	}
}

// killsMute kills the stage as it sends its message number n, that of its child's pid.
func (b *box) killsMute(n int, args ...string) {
	b.t.Helper()
	said := 0
	status, err := step(b.t, b.command(args...), func(s stop) unix.Errno {
		if s.part == partStage && s.nr == unix.SYS_SENDMSG {
			if said++; said == n {
				must(b.t, unix.Kill(s.tgid, unix.SIGKILL))
			}
		}
		return errnoNone
	})
	must(b.t, err)
	if said != n || status.ExitStatus() == 0 {
		b.t.Errorf("%d messages, exit %d", said, status.ExitStatus())
	}
}
