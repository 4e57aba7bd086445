package root_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInitDiesUnderEachCall kills the container's init, by its own or the OOM killer's
// hand as it were, before each system call of a command that works on it. The command
// succeeds or says why not, and never waits for ever.
func TestInitDiesUnderEachCall(t *testing.T) {
	var died, succeeded atomic.Int32
	t.Run("commands", func(t *testing.T) {
		for _, v := range verbs() {
			switch v.name {
			case "start", "exec", "exec, detached", "pause", "resume", "update", "kill", "delete --force":
				t.Run(v.name, func(t *testing.T) {
					t.Parallel()
					few := stride(9)
					b := sleeper(t)
					for n, ended := len(v.name)%few, false; !ended; n += few {
						t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
							whole := b.t
							b.t = t
							defer func() { b.t = whole }()
							var ok bool
							if ok, ended = b.diesAt(v, n); ok {
								succeeded.Add(1)
							} else {
								died.Add(1)
							}
						})
					}
				})
			}
		}
	})
	t.Logf("%d commands succeeded, %d failed", succeeded.Load(), died.Load())
	if succeeded.Load() == 0 || died.Load() == 0 {
		t.Error("one of the two never happened")
	}
}

// diesAt kills init before call n, and says whether the command succeeded and whether it
// ended before that call.
func (b *box) diesAt(v verb, n int) (ok, ended bool) {
	b.save()
	v.make(b)
	init := b.look().Pid
	calls := 0
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if s.part == partPayload || !counted(s) {
			return errnoNone
		}
		if calls++; calls-1 == n {
			if err := unix.Kill(init, unix.SIGKILL); !errors.Is(err, unix.ESRCH) { // delete kills it too
				must(b.t, err)
			}
		}
		return errnoNone
	})
	foreground := v.name == "exec" && status.ExitStatus() == 128+int(unix.SIGKILL)
	if strings.Contains(said, "BUG") || strings.Contains(said, "goroutine") || status.ExitStatus() != 0 && !foreground && !strings.Contains(said, "brig: ") {
		b.t.Errorf("call %d: exit %v, %s", n, status, said)
	}
	if calls <= n && status.ExitStatus() != 0 {
		b.t.Errorf("init lives, and it fails: %s", said)
	}
	b.clean()
	return status.ExitStatus() == 0, calls <= n
}
