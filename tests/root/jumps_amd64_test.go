package root_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// jump sets the clock of the machine by so much.
func jump(t *testing.T, by time.Duration) {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_REALTIME, &now))
	to := unix.NsecToTimespec(now.Nano() + int64(by))
	must(t, unix.ClockSettime(unix.CLOCK_REALTIME, &to))
}

// TestClockJumps sets the clock of the machine a year ahead or back before a system call
// of brig. Nothing that waits may wait for longer or give up, and a container is the same
// one before and after.
func TestClockJumps(t *testing.T) {
	needRoot(t)
	if os.Getenv("BRIG_VM") == "" {
		t.Skip("needs a machine whose clock is nobody's (make test-vm)")
	}
	const year = 365 * 24 * time.Hour
	patient := `{"hooks":{"createRuntime":[{"path":"/bin/sh","args":["sh","-c","sleep 0.1"],"timeout":60}],"poststop":[{"path":"/bin/true","timeout":60}]}}`
	for _, v := range verbs() {
		t.Run(v.name, func(t *testing.T) {
			b := sleeper(t, patient)
			if v.patch != "" {
				b.patch(v.patch)
			}
			few := stride(2)
			for n, ended := len(v.name)%few, false; !ended; n += few {
				by := year
				if n/few%2 == 1 {
					by = -year
				}
				t.Run(fmt.Sprintf("call %d by %s", n, by), func(t *testing.T) {
					whole := b.t
					b.t = t
					defer func() { b.t = whole }()
					ended = b.jumps(v, n, by)
				})
			}
		})
	}
}

// jumps sets the clock before call n, and back again afterwards. It says whether the
// command ended before that call.
func (b *box) jumps(v verb, n int, by time.Duration) (ended bool) {
	b.save()
	if v.make != nil {
		v.make(b)
	}
	defer b.clean()
	calls := 0
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if s.part == partBrig && counted(s) {
			if calls++; calls-1 == n {
				jump(b.t, by)
			}
		}
		return errnoNone
	})
	if status.ExitStatus() != 0 {
		b.t.Errorf("call %d: exit %d, %s", n, status.ExitStatus(), said)
	}
	if v.after != nil {
		v.after(b)
	}
	if calls <= n {
		return true
	}
	jump(b.t, -by)
	if v.after != nil {
		v.after(b)
	}
	return false
}
