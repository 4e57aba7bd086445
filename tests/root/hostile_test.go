package root_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Places of a root file system that brig has something to do with.
var hostilePlaces = []string{"/proc", "/sys", "/dev", "/dev/pts", "/dev/null", "/dev/console", "/dev/ptmx", "/etc", "/tmp", "/home/cwd"}

// hostileThings are what somebody who owns the image puts there: make puts it at a
// place, with the canary of the host to lead to.
var hostileThings = []struct {
	name string
	make func(name, canary string) error
}{
	{"absolute link", func(name, canary string) error { return os.Symlink(canary, name) }},
	{"link upwards", func(name, canary string) error { return os.Symlink(strings.Repeat("../", 30)+canary[1:], name) }},
	{"magic link", func(name, canary string) error { return os.Symlink("/proc/self/root"+canary, name) }},
	{"dangling link", func(name, _ string) error { return os.Symlink("/no/where", name) }},
	{"loop of links", func(name, _ string) error { return os.Symlink(filepath.Base(name), name) }},
	{"file", func(name, _ string) error { return os.WriteFile(name, []byte("hostile\n"), 0o666) }},
	{"FIFO", func(name, _ string) error { return unix.Mkfifo(name, 0o666) }},
	{"socket", func(name, _ string) error { return unix.Mknod(name, unix.S_IFSOCK|0o666, 0) }},
	{"device of memory", func(name, _ string) error { return unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))) }},
	{"nothing", func(string, string) error { return nil }},
}

// hostileProbe says from inside what holds of a container that started.
const hostileProbe = `
[ -d PLACE ] && ls PLACE/ && cat PLACE/secret; [ -f PLACE ] && cat PLACE
[ -d /proc/1 ] && echo is proc
[ "$(head -c 1 /proc/kcore | wc -c)" = 0 ] && echo is masked
( echo evil >/proc/sys/kernel/hostname ) || echo is read-only
[ -d /sys/kernel ] && ! touch /sys/x && echo is sys
[ "$(stat -c %t:%T /dev/null)" = 1:3 ] && echo is null
[ "$(head -c 1 /dev/zero | wc -c)" = 1 ] && echo is zero
case $(readlink /proc/self/cwd) in PLACECWD) echo is there;; esac
cut -d' ' -f4-5 /proc/self/mountinfo
echo the end`

// canary is a tree of the host that no container has to do with.
func canary(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	dir += "/canary"
	for _, name := range []string{"secret", "null", "console", "ptmx", "sub/file", "kernel/x", "self/attr/exec", "sys/kernel/hostname"} {
		write(t, dir+"/"+name, "the secret of the host\n")
	}
	must(t, os.Symlink("secret", dir+"/link"))
	must(t, unix.Mkfifo(dir+"/fifo", 0o600))
	return dir
}

// fingerprint is all that can be seen of a tree, by path: content, owner, mode, inode
// and times of change.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&out, "%s %d %o %d:%d %d %d %v %v", name, st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim, st.Ctim)
		if info.Mode().IsRegular() {
			raw, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " %x", sha256.Sum256(raw))
		}
		fmt.Fprintln(&out)
		return nil
	}))
	return out.String()
}

// hostile is one combination.
type hostile struct {
	place              string
	thing              int
	readonly, tty, dev bool // the root read-only, a terminal, /dev mounted
}

// hostiles are all of them.
func hostiles() (list []hostile) {
	for _, place := range hostilePlaces {
		for thing := range hostileThings {
			for flags := range 8 {
				list = append(list, hostile{place, thing, flags&1 != 0, flags&2 != 0, flags&4 != 0})
			}
		}
	}
	return list
}

func (h hostile) String() string {
	return fmt.Sprintf("%s is %s, read-only %t, terminal %t, dev mounted %t", h.place, hostileThings[h.thing].name, h.readonly, h.tty, h.dev)
}

// TestHostileRoots starts containers of root file systems in which something is what it
// should not be. A container starts and all holds that holds of each, or brig says what
// is wrong and leaves nothing. Nothing of the host is read or changed either way.
func TestHostileRoots(t *testing.T) {
	needRoot(t)
	var started, refused atomic.Int32
	few := stride(9)
	t.Run("combinations", func(t *testing.T) {
		for i, h := range hostiles() {
			if i%few != 0 {
				continue
			}
			t.Run(h.String(), func(t *testing.T) {
				t.Parallel()
				if h.starts(t) {
					started.Add(1)
				} else {
					refused.Add(1)
				}
			})
		}
	})
	t.Logf("%d combinations: %d started, %d refused", started.Load()+refused.Load(), started.Load(), refused.Load())
	if started.Load() == 0 || refused.Load() == 0 {
		t.Error("one of the two never happened")
	}
}

// prepare makes the bundle.
func (h hostile) prepare(t *testing.T, canary string) *box {
	b := newBox(t, `{"process":{"cwd":"/home/cwd"}}`)
	if !h.dev {
		b.config["mounts"] = decode(t, `[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/sys","type":"sysfs","source":"sysfs","options":["ro"]}]`)
	}
	b.mount("/etc/hosts", "bind", b.source()+"/file", "bind")
	b.mount("/tmp/inner", "tmpfs", "tmpfs")
	b.patch(fmt.Sprintf(`{"root":{"readonly":%t},"process":{"terminal":%t}}`, h.readonly, h.tty))
	for _, dir := range []string{"/home/cwd", "/dev/pts", "/tmp/inner"} {
		mkdir(t, b.rootfs+dir, 0o755)
	}
	write(t, b.rootfs+"/etc/hosts", "")
	must(t, os.RemoveAll(b.rootfs+h.place))
	must(t, hostileThings[h.thing].make(b.rootfs+h.place, canary))
	return b
}

// starts says whether the container started, and looks at it.
func (h hostile) starts(t *testing.T) bool {
	dir := canary(t)
	b := h.prepare(t, dir)
	was := fingerprint(t, dir)
	b.args("/bin/sh", "-c", strings.NewReplacer("PLACECWD", "/home/cwd", "PLACE", h.place).Replace(hostileProbe))
	b.save()
	args := []string{"run", "--bundle", b.bundle, b.id}
	var r result
	if h.tty {
		r.out, r.code = b.onTerminal(nil, args...)
	} else {
		r = b.brig(args...)
	}
	if is := fingerprint(t, dir); is != was {
		t.Errorf("the host's files were\n%s\nand are\n%s", was, is)
	}
	if strings.Contains(r.out+r.err, "secret of the host") {
		t.Errorf("the payload reads a file of the host: %s", r.out)
	}
	if !strings.Contains(r.out, "the end") {
		h.judgeRefusal(t, r)
		return false
	}
	for _, fact := range []string{"is proc", "is masked", "is read-only", "is sys", "is null", "is zero", "is there"} {
		if !strings.Contains(r.out, fact+"\n") {
			t.Errorf("%q does not hold:\n%s%s", fact, r.out, r.err)
		}
	}
	if strings.Contains(r.out, "canary") {
		t.Errorf("the canary is mounted:\n%s", r.out)
	}
	return true
}

// judgeRefusal wants an error with a name or an errno, and no bug.
func (h hostile) judgeRefusal(t *testing.T, r result) {
	t.Helper()
	said := r.out + r.err
	if r.code == 0 || !strings.Contains(said, "brig: ") || strings.Contains(said, "BUG") || strings.Contains(said, "goroutine") {
		t.Errorf("exit %d, %q", r.code, said)
	}
}
