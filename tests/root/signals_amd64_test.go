package root_test

import (
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
	case status.Signaled() && status.Signal() != sig:
		b.t.Errorf("it died of %s, not of %s, after %s", unix.SignalName(status.Signal()), unix.SignalName(sig), time.Since(begin))
	case !sent && status.ExitStatus() != 0 && !strings.HasPrefix(v.name, "exec"):
		b.t.Errorf("exit %d without a signal: %s", status.ExitStatus(), said)
	case sent && ignored(sig) && status.ExitStatus() != 0:
		b.t.Errorf("%s is not for brig, and it ends with %v: %s", unix.SignalName(sig), status, said)
	}
	b.clean()
	return !sent
}

// ignored says that a signal means nothing to a command of brig and, passed on, nothing
// to a payload either.
func ignored(sig unix.Signal) bool {
	return sig == unix.SIGWINCH || sig == unix.SIGCHLD || sig == unix.SIGCONT
}
