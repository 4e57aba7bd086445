package vm

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// top is the root of the tree.
const top = "../.."

// suite is a package whose tests run in the machine, as root and some as an
// ordinary user.
type suite struct {
	dir  string // below the root of the tree
	user string // who runs it
}

var suites = []suite{
	{dir: "libcontainer/spec", user: "tester"},
	{dir: "cgroups", user: "tester"},
	{dir: "tests/root", user: "root"},
	{dir: "tests/errors", user: "root"},
	{dir: "cgroups", user: "root"},
	{dir: "libcontainer", user: "root"},
	{dir: "tests/systemd", user: "root"},
}

// name is that of the suite's log, and stands before the names of its tests.
func (s suite) name() string { return strings.ReplaceAll(s.dir, "/", "-") + "-" + s.user }

func (s suite) program() string { return filepath.Base(s.dir) + ".test" }

// prologue defines how a suite is run: its log comes back whole, and what failed shows
// on the console. The log is a file and no pipe, which a process that a test left
// behind would keep open for ever.
const prologue = `export BRIG_VM=1 TMPDIR=/var/tmp BRIG_NOTIFY=/job/notify
cd /job
uname -r >out/kernel
cat /sys/fs/cgroup/cgroup.controllers >out/controllers
suite() {
	echo "suite $1 of $2 at $(cut -d' ' -f1 /proc/uptime)" >/dev/ttyS0
	name=$(echo "$1-$2" | tr / -)
	as=
	[ "$2" = root ] || as="runuser -u $2 -- env HOME=/home/$2 XDG_RUNTIME_DIR=/run/user/$(id -u "$2")"
	(cd "$1" && $as "./${1##*/}.test" -test.v=test2json -test.timeout=15m -test.run "$3") >"out/$name.log" 2>&1
	echo $? >"out/$name.status"
	grep -a -e '--- FAIL' "out/$name.log" >/dev/ttyS0
}
`

// script runs every suite that has a test to run, and leaves a log and an exit status
// of each. Whatever a suite does, the next one runs.
func script(run string, want map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "export BRIG_CYCLES=%s\n", quote(os.Getenv("BRIG_CYCLES")))
	b.WriteString(prologue)
	for _, s := range suites {
		if len(want[s.name()]) > 0 {
			fmt.Fprintf(&b, "suite %s %s %s\n", s.dir, s.user, quote(run))
		}
	}
	return b.String()
}

// quote is a word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// listed are the tests that a program has to bring a result of.
func listed(t *testing.T, program, run string) []string {
	t.Helper()
	first, _, _ := strings.Cut(run, "/") // -test.list knows no subtests
	if first == "" {
		first = "."
	}
	cmd := exec.Command(program, "-test.list", first)
	cmd.Dir = filepath.Dir(program)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s -test.list: %v\n%s", filepath.Base(program), err, out)
	}
	var names []string
	for name := range strings.FieldsSeq(string(out)) {
		// An example without output does not run, nor does a benchmark.
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") {
			names = append(names, name)
		}
	}
	return names
}

// pack writes the tar that the machine gets: brig, the tests as programs, and what
// they read. It returns the tests that each suite has to bring a result of.
func pack(t *testing.T, name, run string) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(name)
	must(t, err)
	defer file.Close()
	w := tar.NewWriter(file)
	add(t, w, top+"/brig", "brig")
	build(t, "./tests/root/notify", dir+"/notify", "build")
	add(t, w, dir+"/notify", "notify")
	want, tests := map[string][]string{}, map[string][]string{}
	for _, s := range suites {
		if _, done := tests[s.dir]; !done {
			program := filepath.Join(dir, s.program())
			build(t, "./"+s.dir, program, "test", "-c")
			tests[s.dir] = listed(t, program, run)
			add(t, w, program, s.dir+"/"+s.program())
			addTree(t, w, s.dir+"/testdata")
		}
		want[s.name()] = tests[s.dir]
	}
	must(t, os.WriteFile(dir+"/run", []byte(script(run, want)), 0o644))
	add(t, w, dir+"/run", "run")
	must(t, w.Close())
	return want
}

// build builds a package for the machine, without libc: it has another one.
func build(t *testing.T, pkg, out string, verb ...string) {
	t.Helper()
	cmd := exec.Command("go", append(verb, "-tags", "urfave_cli_no_docs,osusergo,netgo", "-o", out, pkg)...)
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s %s: %v\n%s", strings.Join(verb, " "), pkg, err, text)
	}
}

func add(t *testing.T, w *tar.Writer, from, to string) {
	t.Helper()
	file, err := os.Open(from)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	must(t, w.WriteHeader(&tar.Header{Name: to, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}))
	_, err = io.Copy(w, file)
	must(t, err)
}

func addTree(t *testing.T, w *tar.Writer, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(top, dir), func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			to, err := filepath.Rel(top, name)
			must(t, err)
			add(t, w, name, to)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
