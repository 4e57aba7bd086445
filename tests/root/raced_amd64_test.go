package root_test

import (
	"fmt"
	"os"
	"slices"
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
	tgid   int // whose call it was: it is undone before that process's next one
}

// before is called at each stop.
func (r *racer) before(b *box, s stop) {
	if r.undo != nil && s.tgid == r.tgid {
		r.undo()
		r.undo = nil
	}
	if s.part != partInit && s.part != partStage {
		return
	}
	c := b.understood(s)
	for i, p := range pathsOf[s.nr] {
		dir, ok := from(s, p[0], c.names[i].path)
		if !ok {
			continue
		}
		for _, name := range strings.Split(strings.Trim(c.names[i].path, "/"), "/") {
			var st unix.Stat_t
			if unix.Stat(dir, &st) != nil || st.Dev != r.dev || name == "." || name == ".." || name == "" {
				break
			}
			if r.seen++; r.seen-1 == r.call {
				r.tgid = s.tgid
				r.exchange(dir, name)
				r.did = fmt.Sprintf("%s %q at %q", nameOf(s.nr), c.names[i].path, name)
			}
			dir += "/" + name
		}
	}
}

// from is the directory that a path is resolved from, if whoever owns the image could
// change what is in there: those of the host are not his.
func from(s stop, operand int, path string) (string, bool) {
	var root, host unix.Stat_t
	entered := unix.Stat(fmt.Sprintf("/proc/%d/root", s.tgid), &root) == nil && unix.Stat("/", &host) == nil &&
		(root.Dev != host.Dev || root.Ino != host.Ino)
	switch {
	case path == "", s.part == partStage && !entered:
		return "", false
	case strings.HasPrefix(path, "/"):
		return fmt.Sprintf("/proc/%d/root", s.tgid), entered
	case operand < 0 || int32(s.args[operand]) == unix.AT_FDCWD:
		return fmt.Sprintf("/proc/%d/cwd", s.tgid), true
	}
	return fmt.Sprintf("/proc/%d/fd/%d", s.tgid, int32(s.args[operand])), true
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

// racedCommand is one during which names are exchanged.
type racedCommand struct {
	name  string
	patch string
	// make brings the container into the state that the command finds. The payload of
	// create writes into out.
	make  func(b *box, out *os.File)
	args  []string
	waits bool // init, which has been created, goes on with the command
}

func racedCommands() []racedCommand {
	sleeps := func(b *box, out *os.File) {
		b.args("/bin/sleep", "1000")
		b.createWith(out)
		b.ok("start", b.id)
	}
	return []racedCommand{
		{name: "run", args: []string{"run", "--bundle", "BUNDLE", "ID"}},
		{
			name: "start", patch: `{"hooks":{"startContainer":[{"path":"/bin/true"}]}}`,
			make: (*box).createWith, args: []string{"start", "ID"}, waits: true,
		},
		{name: "exec", make: sleeps, args: []string{"exec", "--cwd", "/home/cwd", "ID", "/bin/sh", "-c", racedProbe}},
		{
			name: "exec of another user", make: sleeps,
			args: []string{"exec", "--user", "1000:1000", "--cwd", "/", "ID", "bin/sh", "-c", racedProbe},
		},
	}
}

// TestRacedExchange exchanges, in each run of a command, one name of the root file system
// at one moment: just before a call that names it. The payload runs and nothing of the
// host is seen or changed, or brig says what is wrong and leaves nothing.
func TestRacedExchange(t *testing.T) {
	needRoot(t)
	for _, v := range racedCommands() {
		t.Run(v.name, func(t *testing.T) {
			var started, refused atomic.Int32
			total := v.raced(t, race{call: -1}, &started, &refused)
			if started.Load() != 1 {
				t.Fatal("it does not even start without an exchange")
			}
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
						v.raced(t, r, &started, &refused)
					})
				}
			})
			t.Logf("%d names, %d exchanges: %d started, %d refused", total, started.Load()+refused.Load(), started.Load(), refused.Load())
			if refused.Load() == 0 {
				t.Error("none was refused")
			}
		})
	}
}

// createWith creates a container whose payload writes into a file.
func (b *box) createWith(out *os.File) {
	b.t.Helper()
	b.save()
	cmd := b.command("create", "--bundle", b.bundle, b.id)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, out
	must(b.t, cmd.Run())
}

// raced runs one command, and returns how many names there were.
func (v racedCommand) raced(t *testing.T, race race, started, refused *atomic.Int32) int {
	dir := canary(t)
	b := hostile{place: "/home/nothing", thing: len(hostileThings) - 1, dev: true}.prepare(t, dir)
	b.args("/bin/sh", "-c", racedProbe)
	if v.patch != "" {
		b.patch(v.patch)
	}
	b.save()
	was := fingerprint(t, dir)
	info, err := os.Stat(b.rootfs)
	must(t, err)
	r := racer{race: race, t: t, dev: info.Sys().(*syscall.Stat_t).Dev, canary: dir}
	out, err := os.OpenFile(b.dir+"/out", os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer out.Close()
	code := v.steps(b, out, &r)
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
	hostile{}.judgeRefusal(t, result{said, "", code})
	return r.seen
}

// steps runs the command to its end, and removes the container, if there is still one.
func (v racedCommand) steps(b *box, out *os.File, r *racer) int {
	var inits []int
	if v.make != nil {
		v.make(b, out)
		defer b.clean()
	}
	if v.waits {
		inits = []int{b.look().Pid}
	}
	args := slices.Clone(v.args)
	for i := range args {
		args[i] = strings.NewReplacer("BUNDLE", b.bundle, "ID", b.id).Replace(args[i])
	}
	cmd := b.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, out
	status, err := step(b.t, cmd, func(s stop) unix.Errno {
		r.before(b, s)
		return errnoNone
	}, inits...)
	must(b.t, err)
	if v.waits && status.ExitStatus() == 0 {
		b.wait() // else the hook has failed, and the container is gone
	}
	return status.ExitStatus()
}
