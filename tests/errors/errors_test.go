package errors_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// row is one thing that goes wrong.
type row struct {
	name    string
	patch   string                       // JSON merge patch over testdata/config.json
	raw     string                       // in place of the config, if not empty
	prepare func(t *testing.T, w *world) // breaks what is not the config
	verb    string                       // "" for create and then run; "start" for start after create
	args    []string                     // in place of the verb and its arguments
	flags   []string                     // of create and run, beyond --bundle
	want    want
	after   func(t *testing.T, w *world) // checks more
}

// want is what brig says: the one line of an error by its parts.
type want struct {
	pointer string
	op      string // what was tried, or a part of it
	errno   string // "" when the kernel refused nothing
	hint    string
	noLog   bool // the log itself is what is wrong
}

// world is what a row can break.
type world struct {
	dir, bundle, rootfs string
	state               string // --root
	log                 string
	id                  string
	global              []string // flags before the verb, in place of --log and --log-format when not nil
	role                string   // the wrapper that executes brig, "" for none
	wrapArgs            []string
}

// brig is the program under test.
func brig(t *testing.T) string {
	t.Helper()
	name := os.Getenv("BRIG")
	if name == "" {
		name = "../../brig"
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abs); err != nil {
		t.Fatalf("%v: run `make build`, or name the program in $BRIG", err)
	}
	return abs
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are made")
	}
}

// outcome is how brig ended.
type outcome struct {
	status int
	stderr string
}

// run executes brig with arguments after the global flags.
func (w *world) run(t *testing.T, args ...string) outcome {
	t.Helper()
	global := w.global
	if global == nil {
		global = []string{"--log", w.log, "--log-format", "json"}
	}
	line := slices.Concat([]string{"--root", w.state}, global, args)
	cmd := exec.Command(brig(t), line...)
	if w.role != "" {
		cmd = exec.Command("/proc/self/exe", slices.Concat(w.wrapArgs, []string{brig(t)}, line)...)
		cmd.Env = append(os.Environ(), roleVariable+"="+w.role)
	}
	// No pipe: a container that outlives its maker holds stderr open.
	stderr, err := os.Create(w.dir + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	cmd.Dir = w.dir
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), string(text)}
}

// arguments are what a verb takes in this world.
func (w *world) arguments(verb string, r *row) []string {
	switch {
	case r.args != nil:
		return r.args
	case verb == "start":
		return []string{"start", w.id}
	}
	return slices.Concat([]string{verb, "--bundle", w.bundle}, r.flags, []string{w.id})
}

// TestTheBaseWorks is what makes the tables mean something: without a fault the
// same config runs.
func TestTheBaseWorks(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	w.config(t, &row{})
	if out := w.run(t, "run", "--bundle", w.bundle, w.id); out.status != 0 || out.stderr != "" {
		t.Fatalf("exit status %d: %s", out.status, out.stderr)
	}
}

// check runs a table.
func check(t *testing.T, table []row) {
	needRoot(t)
	for i := range table {
		r := &table[i]
		t.Run(r.name, func(t *testing.T) {
			verbs := []string{r.verb}
			if r.verb == "" {
				verbs = []string{"create", "run"}
			}
			if r.args != nil {
				verbs = []string{"args"}
			}
			for _, verb := range verbs {
				t.Run(verb, func(t *testing.T) { checkRow(t, r, verb) })
			}
		})
	}
}

func checkRow(t *testing.T, r *row, verb string) {
	w := newWorld(t)
	w.config(t, r)
	if r.prepare != nil {
		r.prepare(t, w)
	}
	before := look(t)
	if verb == "start" {
		if out := w.run(t, "create", "--bundle", w.bundle, w.id); out.status != 0 {
			t.Fatalf("create: exit status %d: %s", out.status, out.stderr)
		}
		os.Remove(w.log)
	}
	known := w.containers(t)
	out := w.run(t, w.arguments(verb, r)...)
	if out.status == 0 {
		w.role = ""
		w.run(t, "delete", "--force", w.id) // lest it stand in the way of the next row
		t.Fatal("exit status 0")
	}
	if out.status != 1 {
		t.Errorf("exit status %d, want 1", out.status)
	}
	text := lastLine(t, out.stderr)
	checkText(t, text, r.want)
	if !r.want.noLog {
		w.checkLog(t, text)
	}
	if verb == "start" {
		w.checkFailedStart(t)
	} else if got := w.containers(t); !slices.Equal(got, known) {
		t.Errorf("the state directory holds %q, and held %q", got, known)
	}
	checkLeft(t, before)
	if r.after != nil {
		r.after(t, w)
	}
}

// checkFailedStart: the container stays, stopped, until it is deleted.
func (w *world) checkFailedStart(t *testing.T) {
	t.Helper()
	if out := w.run(t, "delete", w.id); out.status != 0 {
		t.Errorf("delete after the failed start: exit status %d: %s", out.status, out.stderr)
	}
	if got := w.containers(t); len(got) > 0 {
		t.Errorf("after delete the state directory holds %q", got)
	}
}

// lastLine is the error that brig prints last, without the name of the program.
func lastLine(t *testing.T, stderr string) string {
	t.Helper()
	if !strings.HasSuffix(stderr, "\n") {
		t.Fatalf("stderr does not end with a line: %q", stderr)
	}
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, "brig: warning: ") {
			t.Errorf("stderr has the line %q before the error", line)
		}
	}
	text, ok := strings.CutPrefix(lines[len(lines)-1], "brig: ")
	if !ok || strings.HasPrefix(text, "BUG") {
		t.Fatalf("stderr ends with %q", lines[len(lines)-1])
	}
	return text
}

func checkText(t *testing.T, text string, w want) {
	t.Helper()
	if w.pointer != "" && !strings.HasPrefix(text, w.pointer+": ") {
		t.Errorf("%q does not start with the pointer %s", text, w.pointer)
	}
	if !strings.Contains(text, w.op) {
		t.Errorf("%q does not say %q", text, w.op)
	}
	if w.errno != "" && !strings.Contains(text, ": "+w.errno+": ") {
		t.Errorf("%q does not say %s", text, w.errno)
	}
	if w.errno == "" {
		if name := errnoIn(text); name != "" {
			t.Errorf("%q says %s, which this row does not expect", text, name)
		}
	}
	if w.hint != "" && !strings.Contains(text[strings.LastIndexByte(text, '(')+1:], w.hint) {
		t.Errorf("%q does not hint %q", text, w.hint)
	}
	if t.Failed() || testing.Verbose() {
		t.Log(text)
	}
}

// errnoIn finds the name of an errno, which stands between colons.
func errnoIn(text string) string {
	for _, part := range strings.Split(text, ": ") {
		if len(part) > 2 && part[0] == 'E' && strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
			return part
		}
	}
	return ""
}

// checkLog: one record, with the text of the error.
func (w *world) checkLog(t *testing.T, text string) {
	t.Helper()
	raw, err := os.ReadFile(w.log)
	if err != nil {
		t.Error(err)
		return
	}
	if n := bytes.Count(raw, []byte("\n")); n != 1 || raw[len(raw)-1] != '\n' {
		t.Fatalf("the log has %d lines: %s", n, raw)
	}
	var record map[string]string
	if err := json.Unmarshal(raw, &record); err != nil {
		t.Fatalf("%v in the log: %s", err, raw)
	}
	if record["level"] != "error" || record["msg"] != text || len(record) != 3 {
		t.Errorf("the log says %q, stderr %q", record, text)
	}
	if at, err := time.Parse(time.RFC3339, record["time"]); err != nil || time.Since(at) > time.Hour {
		t.Errorf("the time in the log: %q %v", record["time"], err)
	}
}

// waitFor waits until the container has a status.
func (w *world) waitFor(t *testing.T, status string) {
	t.Helper()
	for range 1000 {
		out, err := exec.Command(brig(t), "--root", w.state, "state", w.id).Output()
		if err == nil && bytes.Contains(out, []byte(`"status": "`+status+`"`)) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s is not %s", w.id, status)
}

// containers are the entries of the state directory, but for the cache of filters.
func (w *world) containers(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(w.state)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "@seccomp" {
			names = append(names, e.Name())
		}
	}
	return names
}

// checkLeft compares the host with what it was. A killed process may take a
// moment to be gone; nothing else may.
func checkLeft(t *testing.T, before left) {
	t.Helper()
	now := look(t)
	for tries := 0; !slices.Equal(now.processes, before.processes) && tries < 1000; tries++ {
		time.Sleep(time.Millisecond)
		now = look(t)
	}
	for _, c := range [...]struct {
		what          string
		now, expected []string
	}{
		{"mounts", now.mounts, before.mounts},
		{"cgroups", now.groups, before.groups},
		{"processes", now.processes, before.processes},
		{"memfds", now.memfds, before.memfds},
	} {
		if !slices.Equal(c.now, c.expected) {
			t.Errorf("%s are left:\n%s\nbefore:\n%s", c.what, strings.Join(c.now, "\n"), strings.Join(c.expected, "\n"))
		}
	}
}
