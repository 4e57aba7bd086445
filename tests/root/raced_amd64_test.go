package root_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// race is one exchange: of the component of a path that a call of init names, just
// before that call, and back again after it or not.
type race struct {
	call  int // among the components of all calls
	thing int // of hostileThings
	back  bool
}

// racer exchanges what lies in a root file system while init looks for it.
type racer struct {
	race
	t      *testing.T
	dev    uint64 // of the root file system
	canary string
	seen   int
	did    string // what was exchanged
	undo   func()
}

// before is called at each stop.
func (r *racer) before(s stop, c spoken) {
	if r.undo != nil {
		r.undo()
		r.undo = nil
	}
	if s.part != partInit {
		return
	}
	for i, p := range pathsOf[s.nr] {
		if p[0] < 0 || c.names[i].path == "" || strings.HasPrefix(c.names[i].path, "/") {
			continue
		}
		dir := fmt.Sprintf("/proc/%d/fd/%d", s.tgid, int32(s.args[p[0]]))
		if int32(s.args[p[0]]) == unix.AT_FDCWD {
			dir = fmt.Sprintf("/proc/%d/cwd", s.tgid)
		}
		for _, name := range strings.Split(c.names[i].path, "/") {
			var st unix.Stat_t
			if unix.Stat(dir, &st) != nil || st.Dev != r.dev || name == "." || name == ".." || name == "" {
				break
			}
			if r.seen++; r.seen-1 == r.call {
				r.exchange(dir, name)
				r.did = fmt.Sprintf("%s %q at %q", nameOf(s.nr), c.names[i].path, name)
			}
			dir += "/" + name
		}
	}
}

// exchange puts the thing where a name is, and keeps what was there beside it. What
// brig has just made, or is about to make, is the attacker's as well as anything else.
func (r *racer) exchange(dir, name string) {
	at, aside := dir+"/"+name, dir+"/."+name+".was"
	was := os.Rename(at, aside) == nil
	must(r.t, hostileThings[r.thing].make(at, r.canary))
	if !r.back {
		return
	}
	dirfd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(r.t, err)
	r.undo = func() {
		defer unix.Close(dirfd)
		here := fmt.Sprintf("/proc/self/fd/%d/", dirfd)
		os.Rename(here+name, here+"."+name+".hostile")
		if was {
			os.Rename(here+"."+name+".was", here+name)
		}
	}
}

// racedProbe says what a container sees, wherever its mounts have come to lie.
const racedProbe = `
cat /*/secret /*/*/secret /.*/secret
while read -r _ _ _ _ at _ rest; do
	case "$rest" in *"- proc "*) [ "$at" = /proc ] && [ "$(head -c 1 "$at/kcore" | wc -c)" = 0 ] && echo "is masked $at";; esac
done </proc/self/mountinfo
( echo evil >/proc/sys/kernel/hostname ) || echo is read-only
cut -d' ' -f4-5 /proc/self/mountinfo
echo the end`

// TestRacedExchange exchanges, in each run, one name of the root file system at one
// moment: just before a call that names it. The container starts and nothing of the host
// is seen or changed, or brig says what is wrong and leaves nothing.
func TestRacedExchange(t *testing.T) {
	needRoot(t)
	var started, refused atomic.Int32
	total := raced(t, race{call: -1}, &started, &refused)
	few := stride(29)
	started.Store(0)
	t.Run("exchanges", func(t *testing.T) {
		for i := range total * len(hostileThings) * 2 {
			if i%few != 0 {
				continue
			}
			r := race{i / len(hostileThings) / 2, i / 2 % len(hostileThings), i%2 != 0}
			t.Run(fmt.Sprintf("name %d becomes %s, back %t", r.call, hostileThings[r.thing].name, r.back), func(t *testing.T) {
				t.Parallel()
				raced(t, r, &started, &refused)
			})
		}
	})
	t.Logf("%d names, %d exchanges: %d started, %d refused", total, started.Load()+refused.Load(), started.Load(), refused.Load())
	if started.Load() == 0 || refused.Load() == 0 {
		t.Error("one of the two never happened")
	}
}

// raced runs one container, and returns how many names there were.
func raced(t *testing.T, race race, started, refused *atomic.Int32) int {
	dir := canary(t)
	b := hostile{place: "/home/nothing", thing: len(hostileThings) - 1, dev: true}.prepare(t, dir)
	b.args("/bin/sh", "-c", racedProbe)
	b.save()
	was := fingerprint(t, dir)
	info, err := os.Stat(b.rootfs)
	must(t, err)
	r := racer{race: race, t: t, dev: info.Sys().(*syscall.Stat_t).Dev, canary: dir}
	cmd := b.command("run", "--bundle", b.bundle, b.id)
	out, err := os.Create(b.dir + "/out")
	must(t, err)
	defer out.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, out
	status, err := step(t, cmd, func(s stop) unix.Errno {
		if s.part == partInit {
			r.before(s, b.understood(s))
		}
		return errnoNone
	})
	must(t, err)
	said := reads(t, out.Name())
	if is := fingerprint(t, dir); is != was {
		t.Errorf("%s: the host's files were\n%s\nand are\n%s", r.did, was, is)
	}
	if strings.Contains(said, "secret of the host") || strings.Contains(said, "canary") {
		t.Errorf("%s: the container has something of the host: %s", r.did, said)
	}
	if strings.Contains(said, "the end") {
		started.Add(1)
		for _, fact := range []string{"is masked /proc", "is read-only"} {
			if !strings.Contains(said, fact+"\n") {
				t.Errorf("%s: %q does not hold:\n%s", r.did, fact, said)
			}
		}
		return r.seen
	}
	refused.Add(1)
	hostile{}.judgeRefusal(t, result{said, "", status.ExitStatus()})
	return r.seen
}
