package root_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stepSignals are those that a command may meet at any moment: from a terminal, from a
// service manager, from whoever reads its output.
var stepSignals = []unix.Signal{
	unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE, unix.SIGUSR1, unix.SIGWINCH, unix.SIGCHLD, unix.SIGCONT,
}

// TestSignalBeforeEachCall sends brig a signal before each of its system calls. The
// command succeeds, fails or dies of the signal; none hangs, and nothing is left that
// delete does not remove.
func TestSignalBeforeEachCall(t *testing.T) {
	for _, v := range verbs() {
		switch v.name {
		case "create", "run", "exec", "start", "update", "delete --force":
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				signalled(t, v)
			})
		}
	}
}

func signalled(t *testing.T, v verb) {
	b := sleeper(t)
	if v.patch != "" {
		b.patch(v.patch)
	}
	few := stride(11)
	for n, ended := len(v.name)%few, false; !ended; n += few {
		sig := stepSignals[(n/few)%len(stepSignals)]
		t.Run(fmt.Sprintf("call %d, %s", n, unix.SignalName(sig)), func(t *testing.T) {
			whole := b.t
			b.t = t
			defer func() { b.t = whole }()
			ended = b.signalledAt(v, n, sig)
		})
		if t.Failed() {
			return
		}
	}
}

// signalledAt sends the signal before call n, and says whether the command ended before.
func (b *box) signalledAt(v verb, n int, sig unix.Signal) (ended bool) {
	b.save()
	if v.make != nil {
		v.make(b)
	}
	calls, sent := 0, false
	begin := time.Now()
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if s.part != partBrig || !counted(s) {
			return errnoNone
		}
		if calls++; calls-1 == n {
			sent = true
			must(b.t, unix.Kill(s.tgid, sig))
		}
		return errnoNone
	})
	switch {
	case status.Signaled() && status.Signal() != sig && !diesTwice(status, sig):
		b.t.Errorf("it died of %s, not of %s, after %s", unix.SignalName(status.Signal()), unix.SignalName(sig), time.Since(begin))
	case !sent && status.ExitStatus() != 0 && !strings.HasPrefix(v.name, "exec"):
		b.t.Errorf("exit %d without a signal: %s", status.ExitStatus(), said)
	case sent && ignored(sig) && status.ExitStatus() != 0:
		b.t.Errorf("%s is not for brig, and it ends with %v: %s", unix.SignalName(sig), status, said)
	}
	b.clean()
	return !sent
}

// tooMany payloads left behind are brig's fault. Fewer may be that of the stepping of calls: one
// thread dies of the signal, and it takes so long that another goes on.
const tooMany = 4

// TestTermBeforeEachCall ends a brig that waits for a payload, before each of its system
// calls. Either nothing has come of the payload, or the signal is passed on to it: brig
// does not go and leave it behind.
func TestTermBeforeEachCall(t *testing.T) {
	for _, name := range []string{"exec", "exec with a pid file", "exec with a terminal"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			b.save()
			b.create()
			b.ok("start", b.id)
			args := []string{"exec"}
			v := verb{args: func(*box) []string { return args }}
			switch name {
			case "exec with a pid file":
				args = append(args, "--pid-file", b.dir+"/pid")
			case "exec with a terminal":
				args = append(args, "--tty")
				_, v.terminal = hostTerminal(t)
			}
			// One that heeded SIGHUP would go with the terminal.
			args = append(args, b.id, "/bin/sh", "-c", fmt.Sprintf("trap '' HUP; exec sleep %d", int(lasting/time.Second)))
			few, lost := stride(5), []int{}
			most := tooMany
			if few == 1 {
				most *= 2 // of five times as many calls
			}
			for n, ended := 0, false; !ended && len(lost) < most; n += few {
				left := true
				for try := 0; left && try < tooMany; try++ {
					if ended, left = b.endedAt(n, v); left {
						lost = append(lost, n)
					}
				}
			}
			if len(lost) >= most {
				t.Errorf("the payload is left behind by calls %v", lost)
			}
			b.clean()
		})
	}
}

// TestTermBeforeEachCallOfRun is the same for a run that waits for its payload to execute
// before it waits for its end: no container goes on without the brig that was to end it.
func TestTermBeforeEachCallOfRun(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.args("/bin/sh", "-c", "trap 'exit 3' TERM; i=0; while [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done")
	b.save()
	v := verb{args: func(*box) []string { return []string{"run", "--timings", "--bundle", b.bundle, b.id} }}
	few := stride(5)
	for n, sent := 0, true; sent && !t.Failed(); n += few {
		left := true
		for try := 0; left && try < tooMany; try++ {
			calls := 0
			b.stepped(v, func(s stop) unix.Errno {
				if s.part == partBrig && counted(s) {
					if calls++; calls-1 == n {
						must(t, unix.Kill(s.tgid, unix.SIGTERM))
					}
				}
				return errnoNone
			})
			sent, left = calls > n, false
			for deadline := time.Now().Add(2 * time.Second); b.brig("state", b.id).code == 0 && b.status() == "running"; time.Sleep(2 * time.Millisecond) {
				if left = time.Now().After(deadline); left {
					break
				}
			}
			b.clean()
		}
		if left {
			t.Errorf("call %d: the container is left running", n)
		}
	}
}

// lasting is how long the payload runs that gets no signal.
const lasting = 10 * time.Second

// endedAt sends brig SIGTERM before call n, and looks for what it leaves in the
// container, which it ends. ended says that the payload came to its end before.
func (b *box) endedAt(n int, v verb) (ended, left bool) {
	calls := 0
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if s.part != partBrig || !counted(s) {
			return errnoNone
		}
		if calls++; calls-1 == n {
			must(b.t, unix.Kill(s.tgid, unix.SIGTERM))
		}
		return errnoNone
	})
	if status.Exited() && status.ExitStatus() == 0 {
		return true, false
	}
	passedOn := status.ExitStatus() == 128+int(unix.SIGTERM)
	if !passedOn && !(status.Signaled() && status.Signal() == unix.SIGTERM) && !diesTwice(status, unix.SIGTERM) {
		b.t.Errorf("call %d: brig ended with %v: %s", n, status, said)
	}
	var pids []int
	for deadline := time.Now().Add(lasting / 2); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		must(b.t, json.Unmarshal([]byte(b.ok("ps", "--format", "json", b.id)), &pids))
		if len(pids) == 1 {
			return false, false
		}
	}
	for _, pid := range pids {
		if pid != b.look().Pid {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	return false, true
}

// diesTwice knows a brig whose one thread dies of SIGTERM while another begins to watch
// it, which is long when each call is stepped: the Go runtime (1.26, sigfwdgo after
// enableSignal) then takes its own handler for one of before and calls that until the
// stack is full.
func diesTwice(status unix.WaitStatus, sig unix.Signal) bool {
	return sig == unix.SIGTERM && status.Signaled() && status.Signal() == unix.SIGSEGV
}

// ignored says that a signal means nothing to a command of brig and, passed on, nothing
// to a payload either.
func ignored(sig unix.Signal) bool {
	return sig == unix.SIGWINCH || sig == unix.SIGCHLD || sig == unix.SIGCONT
}
