package errors_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCommandLine is about what is typed.
func TestCommandLine(t *testing.T) {
	line := func(words ...string) []string { return words }
	check(t, []row{
		{name: "unknown command", args: line("frobnicate"), want: want{op: `no such command: "frobnicate"`}},
		{name: "unknown flag", args: line("create", "--frob", "x"), want: want{op: "flag provided but not defined: -frob"}},
		{name: "flag without its value", args: line("create", "--bundle"), want: want{op: "flag needs an argument"}},
		{name: "flag that wants a number", args: line("create", "--preserve-fds", "many", "x"), want: want{op: `invalid value "many" for flag -preserve-fds`}},
		{name: "create without ID", args: line("create"), want: want{op: "brig create takes one argument, the container's ID, and got 0"}},
		{name: "create with two IDs", args: line("create", "a", "b"), want: want{op: "takes one argument, the container's ID, and got 2"}},
		{name: "run without ID", args: line("run"), want: want{op: "brig run takes the container's ID"}},
		{name: "run of a root without a command", args: line("run", "--rootfs", "bundle/rootfs", "x"), want: want{op: "with --rootfs a command after it"}},
		{name: "run of a root and a bundle", args: line("run", "--rootfs", "bundle/rootfs", "--bundle", "bundle", "x", "/bin/true"), want: want{op: "--rootfs comes in place of --bundle"}},
		{name: "start without ID", args: line("start"), want: want{op: "brig start takes one argument"}},
		{name: "state without ID", args: line("state"), want: want{op: "brig state takes one argument"}},
		{name: "delete without ID", args: line("delete", "--force"), want: want{op: "brig delete takes one argument"}},
		{name: "kill without ID", args: line("kill"), want: want{op: "brig kill takes the container's ID and a signal"}},
		{name: "kill with an unknown signal", args: line("kill", "x", "SIGFROB"), want: want{op: `unknown signal "SIGFROB"`}},
		{name: "kill with signal 65", args: line("kill", "x", "65"), want: want{op: `unknown signal "65"`}},
		{name: "list with an argument", args: line("list", "x"), want: want{op: "brig list takes no argument, and got 1"}},
		{name: "list in an unknown format", args: line("list", "--format", "xml"), prepare: stateDir(0o700), want: want{op: "invalid format option: xml"}},
		{name: "terminal", flags: line("--console-socket", "x"), want: want{pointer: "/process/terminal", op: "cannot use console socket"}},
		{name: "preserved fds", flags: line("--preserve-fds", "1"), want: want{op: "unable to stat preserved-fd 0 (of 1)", errno: "EBADF"}},
		{name: "start of nothing", args: line("start", "none"), want: want{op: "container does not exist: none"}},
		{name: "state of nothing", args: line("state", "none"), want: want{op: "container does not exist: none"}},
		{name: "kill of nothing", args: line("kill", "none"), want: want{op: "container does not exist: none"}},
		{name: "delete of nothing", args: line("delete", "none"), prepare: stateDir(0o700), want: want{op: "container does not exist: none"}},
		{name: "plan of nothing", args: line("plan", "--bundle", "none"), want: want{op: "open the config", errno: "ENOENT"}},
		{name: "bundle missing", args: line("create", "--bundle", "none", "x"), want: want{op: "none/config.json", errno: "ENOENT"}},
		{name: "bundle is a file", args: line("create", "--bundle", "bundle/config.json", "x"), want: want{op: "open the config", errno: "ENOTDIR"}},
		{name: "config elsewhere", flags: line("--config", "none.json"), want: want{op: "open the config /", errno: "ENOENT"}},
	})
}

// TestID is about names of containers, which become names of directories.
func TestID(t *testing.T) {
	var table []row
	for _, c := range [...][3]string{
		{"empty", "", "container id cannot be empty"},
		{"slash", "a/b", "invalid container ID format"},
		{"absolute", "/etc", "invalid container ID format"},
		{"dot", ".", "invalid container ID format"},
		{"dots", "..", "invalid container ID format"},
		{"up", "../state", "invalid container ID format"},
		{"newline", "a\nb", `invalid container ID format: "a\nb"`},
		{"space", "a b", "invalid container ID format"},
		{"colon", "a:b", "invalid container ID format"},
		{"the cache of filters", "@seccomp", "invalid container ID format"},
		{"no ASCII", "ä", "invalid container ID format"},
		{"longer than a file name", long(256), "256 characters are more than 255"},
		{"2000 characters", long(2000), "2000 characters are more than 255"},
	} {
		prepare := func(_ *testing.T, w *world) { w.id = c[1] }
		for _, verb := range [...]string{"", "start"} {
			r := row{name: c[0], prepare: prepare, verb: verb, want: want{op: c[2]}}
			if verb == "start" {
				r.name, r.verb, r.args = c[0]+", delete", "", []string{"delete", "--force", c[1]}
			}
			table = append(table, r)
		}
	}
	check(t, table)
}

// TestLogFlags is about the flags of the log itself.
func TestLogFlags(t *testing.T) {
	log := func(words ...string) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) {
			w.global = nil
			for _, word := range words {
				w.global = append(w.global, strings.ReplaceAll(word, "DIR", w.dir))
			}
		}
	}
	check(t, []row{
		{name: "in a missing directory", prepare: log("--log", "DIR/none/log"), want: want{op: "open the log", errno: "ENOENT", noLog: true}},
		{name: "is a directory", prepare: log("--log", "DIR"), want: want{op: "open the log", errno: "EISDIR", noLog: true}},
		{name: "is a fifo that nobody reads", prepare: func(t *testing.T, w *world) {
			if err := unix.Mkfifo(w.dir+"/fifo", 0o600); err != nil {
				t.Fatal(err)
			}
			w.global = []string{"--log", w.dir + "/fifo"}
		}, want: want{op: "open the log", errno: "ENXIO", noLog: true}},
		{name: "in an unknown format", prepare: log("--log", "DIR/log", "--log-format", "xml"), want: want{op: "invalid log-format: xml", noLog: true}},
		{name: "rootless", prepare: log("--rootless", "maybe"), want: want{op: "invalid --rootless: maybe", noLog: true}},
		{name: "unknown global flag", prepare: log("--frob"), want: want{op: "flag provided but not defined: -frob", noLog: true}},
	})
}

// TestTextLog: without --log-format the record is one line of text.
func TestTextLog(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	w.config(t, &row{raw: "{}"})
	w.global = []string{"--log", w.log}
	out := w.run(t, "create", "--bundle", w.bundle, w.id)
	raw, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	text := lastLine(t, out.stderr)
	if !strings.Contains(string(raw), ` level=error msg="`+strings.ReplaceAll(text, `"`, `\"`)+"\"\n") || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("the log: %q\nstderr: %q", raw, text)
	}
}

// TestTheLogIsNeverCut: engines pass one file to many commands.
func TestTheLogIsNeverCut(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	w.run(t, "state", "none")
	w.run(t, "state", "nothing")
	raw, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "not exist: none") || !strings.Contains(lines[1], "not exist: nothing") {
		t.Errorf("the log: %q", raw)
	}
}

// stateDir makes the state directory with a mode.
func stateDir(mode os.FileMode) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		mkdir(t, w.state)
		if err := os.Chmod(w.state, mode); err != nil {
			t.Fatal(err)
		}
	}
}
