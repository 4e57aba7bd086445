package errors_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inState breaks the state directory with f, which finds it made.
func inState(f func(name string) error) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		stateDir(0o700)(t, w)
		if err := f(w.state); err != nil {
			t.Fatal(err)
		}
	}
}

// rootIs takes another directory as the state directory.
func rootIs(name string) func(*testing.T, *world) {
	return func(_ *testing.T, w *world) { w.state = strings.ReplaceAll(name, "DIR", w.dir) }
}

// TestStateDirectory is about --root.
func TestStateDirectory(t *testing.T) {
	foreign := inState(func(n string) error { return os.Chown(n, 1000, 1000) })
	check(t, []row{
		{name: "the root", prepare: rootIs("/"), want: want{op: "Option --root argument should not be set to /"}},
		{name: "the root, spelt otherwise", prepare: rootIs("/usr/../"), want: want{op: "Option --root argument should not be set to /"}},
		{name: "a file", prepare: rootIs("DIR/bundle/config.json"), want: want{op: "open --root", errno: "ENOTDIR"}},
		{name: "below a file", prepare: rootIs("DIR/bundle/config.json/x"), want: want{op: "--root", errno: "ENOTDIR"}},
		{name: "a dangling link", prepare: and(func(t *testing.T, w *world) {
			if err := os.Symlink("none", w.state); err != nil {
				t.Fatal(err)
			}
		}), want: want{op: "--root", errno: "ENOTDIR"}},
		{name: "another user's", prepare: foreign, want: want{op: "belongs to user 1000", errno: "EPERM"}},
		{name: "another user's, by a link", prepare: and(foreign, func(t *testing.T, w *world) {
			if err := os.Symlink("state", w.dir+"/link"); err != nil {
				t.Fatal(err)
			}
			w.state = w.dir + "/link"
		}), want: want{op: "belongs to user 1000", errno: "EPERM"}},
		{name: "writable by the group", prepare: stateDir(0o770), want: want{op: "can be written by others (mode 0770)", errno: "EPERM"}},
		{name: "writable by all", prepare: stateDir(0o777 | os.ModeSticky), want: want{op: "can be written by others (mode 1777)", errno: "EPERM"}},
		{name: "another user's, delete", prepare: foreign, args: []string{"delete", "--force", "errors"}, want: want{op: "belongs to user 1000", errno: "EPERM"}},
		{name: "another user's, list", prepare: foreign, args: []string{"list"}, want: want{op: "belongs to user 1000", errno: "EPERM"}},
		{name: "read-only", prepare: func(t *testing.T, w *world) {
			tmpfs(t, w.state, unix.MS_RDONLY, "mode=0700")
		}, want: want{op: `create the state directory of "errors"`, errno: "EROFS"}},
		{name: "the ID is a file", prepare: inState(func(n string) error { return os.WriteFile(n+"/errors", nil, 0o600) }), want: want{op: "container with given ID already exists: errors"}},
		{name: "the ID is a link", prepare: inState(func(n string) error { return os.Symlink("/tmp", n+"/errors") }), want: want{op: "container with given ID already exists: errors"}},
		{
			name: "the ID is a link, delete", prepare: inState(func(n string) error { return os.Symlink("/tmp", n+"/errors") }),
			args: []string{"delete", "--force", "errors"}, want: want{op: `open the state directory of "errors"`, errno: "ENOTDIR"},
		},
	})
}

// TestFullStateDirectory lets the file system of the state directory run out of
// inodes, one later each time, until a container can be made.
func TestFullStateDirectory(t *testing.T) {
	needRoot(t)
	for _, verb := range [...]string{"create", "run"} {
		made := false
		for inodes := 1; inodes < 20 && !made; inodes++ {
			t.Run(verb+" with "+itoa(inodes), func(t *testing.T) {
				w := newWorld(t)
				w.config(t, &row{})
				tmpfs(t, w.state, 0, "mode=0700,nr_inodes="+itoa(inodes))
				before := look(t)
				out := w.run(t, verb, "--bundle", w.bundle, w.id)
				if made = out.status == 0; made {
					w.run(t, "delete", "--force", w.id)
				} else if text := lastLine(t, out.stderr); !strings.Contains(text, ": ENOSPC: ") {
					t.Errorf("%q does not say ENOSPC", text)
				}
				if got := w.containers(t); len(got) > 0 {
					t.Errorf("the state directory holds %q", got)
				}
				checkLeft(t, before)
			})
		}
		if !made {
			t.Error("20 inodes are not enough")
		}
	}
}

// TestPidFile is about --pid-file, which is written when all else is done.
func TestPidFile(t *testing.T) {
	pidFile := []string{"--pid-file", "pids/pid"}
	empty := func(t *testing.T, w *world) {
		entries, err := os.ReadDir(w.dir + "/pids")
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		for _, e := range entries {
			if e.Name() != "full" && e.Name() != "pid" {
				t.Errorf("%s is left", e.Name())
			}
		}
	}
	check(t, []row{
		{name: "in a missing directory", flags: pidFile, want: want{op: "create the pid file", errno: "ENOENT"}},
		{name: "below a file", flags: []string{"--pid-file", "bundle/config.json/pid"}, want: want{op: "create the pid file", errno: "ENOTDIR"}},
		{name: "is a directory", flags: pidFile, prepare: func(t *testing.T, w *world) {
			mkdir(t, w.dir+"/pids/pid")
		}, want: want{op: "write the pid file", errno: "EISDIR"}, after: empty},
		{name: "on a read-only file system", flags: pidFile, prepare: func(t *testing.T, w *world) {
			tmpfs(t, w.dir+"/pids", unix.MS_RDONLY, "")
		}, want: want{op: "create the pid file", errno: "EROFS"}},
		{name: "on a full file system", flags: pidFile, prepare: func(t *testing.T, w *world) {
			tmpfs(t, w.dir+"/pids", 0, "size=4096")
			write(t, w.dir+"/pids/full", strings.Repeat("x", 4096), 0o600)
		}, want: want{op: "write the pid file", errno: "ENOSPC"}, after: empty},
	})
}

// existing makes a container with a payload that waits, and takes it through verbs.
func existing(verbs ...string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		write(t, w.rootfs+"/bin/true", string(waitProgram()), 0o755)
		for _, verb := range verbs {
			words := []string{verb, w.id}
			switch verb {
			case "create":
				words = []string{verb, "--bundle", w.bundle, w.id}
			case "kill":
				words = []string{verb, w.id, "KILL"}
			}
			if out := w.run(t, words...); out.status != 0 {
				t.Fatalf("%s: exit status %d: %s", verb, out.status, out.stderr)
			}
			if verb == "kill" {
				w.waitFor(t, "stopped")
			}
		}
		os.Remove(w.log)
		t.Cleanup(func() {
			if out := w.run(t, "delete", "--force", w.id); out.status != 0 {
				t.Errorf("delete --force: exit status %d: %s", out.status, out.stderr)
			}
			if l := look(t); len(l.processes) > 0 || slices.Contains(w.containers(t), w.id) {
				t.Errorf("after delete --force: %q %q", l.processes, w.containers(t))
			}
		})
	}
}

// damaged is a container of brig's, which has a journal, whose file holds something else.
func damaged(file, text string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		write(t, w.state+"/"+w.id+"/journal", "", 0o600)
		holds(file, text)(t, w)
	}
}

// holds is a container whose directory has a file.
func holds(file, text string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		write(t, w.state+"/"+w.id+"/"+file, text, 0o600)
		if err := os.Chmod(w.state, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLifecycle is about verbs that do not fit the state of a container.
func TestLifecycle(t *testing.T) {
	verb := func(words ...string) []string { return words }
	const id = "errors"
	check(t, []row{
		{name: "create once more", prepare: existing("create"), want: want{op: "container with given ID already exists: errors"}},
		{name: "create once more while it runs", prepare: existing("create", "start"), want: want{op: "container with given ID already exists: errors"}},
		{name: "start once more", prepare: existing("create", "start"), args: verb("start", id), want: want{op: "cannot start an already running container: errors"}},
		{name: "start of a stopped one", prepare: existing("create", "kill"), args: verb("start", id), want: want{op: "cannot start a container that has stopped: errors"}},
		{name: "delete of a running one", prepare: existing("create", "start"), args: verb("delete", id), want: want{op: "cannot delete container errors that is not stopped: running"}},
		{name: "kill of a stopped one", prepare: existing("create", "start", "kill"), args: verb("kill", id), want: want{op: "container not running: errors"}},
		{name: "start of a half made one", prepare: damaged("journal", ""), args: verb("start", id), want: want{op: "cannot start a container in the stopped state"}},
		{name: "state.json is no JSON", prepare: damaged("state.json", "{"), args: verb("state", id), want: want{op: `state.json of "errors" is damaged`, errno: "EBADMSG", hint: "brig delete --force"}},
		{name: "state.json is another's", prepare: damaged("state.json", `{"id": "other"}`), args: verb("delete", id), want: want{op: `state.json of "errors" is damaged`, errno: "EBADMSG", hint: "brig delete --force"}},
		{name: "state.json is empty", prepare: damaged("state.json", ""), args: verb("kill", id), want: want{op: `state.json of "errors" is damaged`, errno: "EBADMSG"}},
		{name: "the journal is damaged", prepare: damaged("journal", "mount /etc\n"), args: verb("delete", "--force", id), want: want{op: `journal: "mount /etc"`, errno: "EBADMSG"}},
		{name: "a file that is not brig's", prepare: damaged("other", ""), args: verb("delete", "--force", id), want: want{op: `remove the state directory of "errors"`, errno: "ENOTEMPTY"}},
		{name: "a container of runc", prepare: holds("state.json", runcState), args: verb("state", id), want: want{op: "container errors was not made by brig: another runtime keeps it"}},
		{name: "a container of runc, killed", prepare: holds("state.json", runcState), args: verb("kill", id), want: want{op: "container errors was not made by brig: another runtime keeps it"}},
		{name: "a container of runc, deleted", prepare: holds("state.json", runcState), args: verb("delete", "--force", id), want: want{op: "container errors was not made by brig: another runtime keeps it"}},
		{name: "a container of crun, started", prepare: holds("status", "{}"), args: verb("start", id), want: want{op: "container errors was not made by brig: another runtime keeps it"}},
	})
}

// runcState is how runc begins its own.
const runcState = `{"id": "errors", "init_process_pid": 7, "config": {"rootfs": "/"}}`
