package root_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dumpConfinement is a payload that writes down what it may do.
const dumpConfinement = `exec >/tmp/dump 2>&1
grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|SigCgt)' /proc/self/status
cut -d' ' -f4- /proc/self/mountinfo
cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup /proc/self/uid_map /proc/self/gid_map
for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/1/fd/$fd ] && echo fd $fd; done
for name in /proc/kcore /proc/keys; do head -c 9 $name; echo " $name $?"; done
ls /sys/firmware
for name in /proc/sys/kernel/hostname /proc/bus/x /sys/x; do echo >$name; done
cat /proc/sys/net/ipv4/ip_forward
hostname; pwd; id
chown 5 /bin; mknod /tmp/node c 1 3; acct
ls -lR /dev | tr -s ' ' | cut -d' ' -f1-6,10-
echo the end
`

// TestEachCallFailsOnce lets each system call of brig and of the stage fail with each
// errno that it can fail with. A command then says what failed, and leaves nothing
// behind; or it succeeds, and the payload is confined as always.
func TestEachCallFailsOnce(t *testing.T) {
	for _, v := range verbs() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			t.Run("brig", func(t *testing.T) { fails(t, v, func(p part) bool { return p == partBrig }) })
			t.Run("stage", func(t *testing.T) {
				fails(t, v, func(p part) bool { return p == partSpawn || p == partStage || p == partInit })
			})
		})
	}
}

func fails(t *testing.T, v verb, which func(part) bool) {
	t.Helper()
	b := newBox(t)
	b.args("/bin/sh", "-c", dumpConfinement+"sleep 1000")
	if v.name == "run" {
		b.args("/bin/sh", "-c", dumpConfinement)
	} else if v.patch != "" {
		b.patch(v.patch)
	}
	b.save()
	none := b.failsAt(v, -1, 0, which)
	if none.status.ExitStatus() != 0 {
		t.Fatalf("it fails without a failing call: %s", none.said)
	}
	few := stride(16)
	for n := len(v.name) % few; n < none.calls+few; n += few {
		more := true
		for k := 0; more && k < mostErrnos; k++ {
			t.Run(fmt.Sprintf("call %d, errno %d", n, k), func(t *testing.T) {
				whole := b.t
				b.t = t
				defer func() { b.t = whole }()
				got := b.failsAt(v, n, k, which)
				if more = got.errno != errnoNone; more {
					b.judge(v, got, none)
				}
			})
		}
	}
}

// mostErrnos bounds how many errnos one call has in failings.
const mostErrnos = 8

// outcome is what became of a command one of whose calls failed.
type outcome struct {
	calls  int
	call   stop
	errno  unix.Errno // errnoNone if nothing failed
	status unix.WaitStatus
	said   string
	dump   string // what the payload wrote
	gone   bool   // init ended before it was started
	left   []string
}

// failsAt lets call n fail with its errno number k.
func (b *box) failsAt(v verb, n, k int, which func(part) bool) (got outcome) {
	b.t.Helper()
	os.Remove(b.rootfs + "/tmp/dump")
	if v.make != nil {
		v.make(b)
	}
	unlisted := map[uint64]bool{}
	got.status, got.said = b.stepped(v, func(s stop) unix.Errno {
		if !which(s.part) || !counted(s) {
			return errnoNone
		}
		f, known := failings[s.nr]
		if !known {
			unlisted[s.nr] = true
		}
		got.calls++
		if got.calls-1 != n || k >= len(f.errnos) {
			return errnoNone
		}
		got.call, got.errno = s, f.errnos[k]
		return got.errno
	})
	if len(unlisted) > 0 {
		b.t.Fatalf("failings has no errnos of the system calls %v", unlisted)
	}
	if got.status.ExitStatus() == 0 && v.make == nil {
		b.dumped(v, &got)
	}
	if v.after != nil {
		v.after(b)
	}
	if v.make == nil && got.status.ExitStatus() != 0 {
		got.left = b.remains(2 * time.Second)
	}
	if b.clean(); b.t.Failed() {
		b.t.Logf("%s fails with %s: exit %d, %s", nameOf(got.call.nr), unix.ErrnoName(got.errno), got.status.ExitStatus(), got.said)
	}
	return got
}

var numbers = regexp.MustCompile(`(master|shared):\d+|\d\d:\d\d`)

// dumped is what the payload of a started container wrote. Nobody hears of a call of
// init that failed when create had ended: start then finds a container that has stopped.
func (b *box) dumped(v verb, got *outcome) {
	b.t.Helper()
	if v.name != "run" {
		if r := b.brig("start", b.id); r.code != 0 && strings.Contains(r.err, "cannot start a container ") && got.call.part == partInit {
			got.gone = true
			return
		} else if r.code != 0 {
			b.t.Fatalf("start: exit %d, %s", r.code, r.err)
		}
		b.until("it is written down", func() bool {
			raw, err := os.ReadFile(b.rootfs + "/tmp/dump")
			return err == nil && strings.HasSuffix(string(raw), "the end\n")
		})
	}
	got.dump = numbers.ReplaceAllString(strings.ReplaceAll(reads(b.t, b.rootfs+"/tmp/dump"), b.id, "ID"), "$1")
}

// judge says whether an outcome is a legal one.
func (b *box) judge(v verb, got, none outcome) {
	b.t.Helper()
	what := fmt.Sprintf("%s of part %d fails with %s", nameOf(got.call.nr), got.call.part, unix.ErrnoName(got.errno))
	// What a run has to remove at its end stays, if it cannot, until somebody can. And
	// where the ID's own directory is not there, though it was just made, it is somebody
	// else's by now.
	stays := v.name == "run" || got.call.nr == unix.SYS_UNLINKAT || told(got) && got.errno == unix.ENOENT
	if len(got.left) > 0 && !stays {
		b.t.Errorf("%s: left behind %s after %s", what, got.left, got.said)
	}
	if told(got) {
		return
	}
	switch code := got.status.ExitStatus(); {
	case strings.Contains(got.said, "BUG") || strings.Contains(got.said, "panic") || strings.Contains(got.said, "goroutine"):
		b.t.Errorf("%s: %s", what, got.said)
	case code == 0 && got.dump != none.dump && !got.gone:
		b.t.Errorf("%s: it starts, and for the payload that makes\n%s", what, difference(none.dump, got.dump))
	case code != 0 && !strings.Contains(got.said, unix.ErrnoName(got.errno)):
		b.t.Errorf("%s: exit %d, %s", what, code, got.said)
	}
}

// words are the errors that engines know, without an errno, and what brings them about:
// something is not there any more.
var words = map[unix.Errno][]string{
	unix.ENOENT: {
		"container does not exist: ", "container not running: ", "container not paused: ", " has no cgroup, ",
		"cannot exec in a container in the stopped state: ", "cannot exec in a stopped container: ", "cannot start a container that has stopped",
		"cannot start a container in the stopped state: ",
	},
	unix.ESRCH: {"container not running: ", "cannot exec in a stopped container: ", "cannot start a container that has stopped"},
}

func told(got outcome) bool {
	return slices.ContainsFunc(words[got.errno], func(text string) bool { return strings.Contains(got.said, text) })
}

// difference are the lines of one text that the other has not.
func difference(was, is string) string {
	var out strings.Builder
	for line := range strings.Lines(was) {
		if !strings.Contains(is, line) {
			out.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(is) {
		if !strings.Contains(was, line) {
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}
