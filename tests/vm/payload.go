package vm

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Prologue defines how a suite is run: suite DIR USER PATTERN [NAME] runs the program of
// a package as a user, with its log and its exit status under NAME. The log comes back
// whole, and on the console shows what tests say, and each as it ends with its seconds: when a
// machine takes too long, nothing else comes back. The log is a file and no pipe, which
// a process that a test left behind would keep open for ever.
const Prologue = `export BRIG_VM=1 TMPDIR=/var/tmp
cd /job
uname -r >out/kernel
cat /sys/fs/cgroup/cgroup.controllers >out/controllers
suite() {
	name=$(echo "${4:-$1-$2}" | tr / -)
	echo "suite $name at $(cut -d' ' -f1 /proc/uptime)" >/dev/ttyS0
	as= from=$(cut -d. -f1 /proc/uptime)
	[ "$2" = root ] || as="runuser -u $2 -- env HOME=/home/$2 XDG_RUNTIME_DIR=/run/user/$(id -u "$2")"
	: >"out/$name.log"
	tail -n +1 -f "out/$name.log" | grep -a --line-buffered -e "${SHOW:-^.\?--- }" -e '--- FAIL' -e '_test\.go:[0-9]*: ' >/dev/ttyS0 &
	(cd "$1" && $as "./${1##*/}.test" -test.v=test2json -test.timeout=${SUITE_TIMEOUT:-40m} -test.run "$3") >>"out/$name.log" 2>&1
	echo $? >"out/$name.status"
	echo $(($(cut -d. -f1 /proc/uptime) - from)) >"out/$name.seconds"
	sleep 1 # the last lines are on their way
	pkill -f "^tail .* out/$name.log$"
}
`

// Payload is a tar that a machine gets.
type Payload struct {
	root string // of the tree
	file *os.File
	tar  *tar.Writer
}

// NewPayload begins a payload.
func NewPayload(t *testing.T, root, name string) *Payload {
	t.Helper()
	file, err := os.Create(name)
	must(t, err)
	return &Payload{root: root, file: file, tar: tar.NewWriter(file)}
}

// Close ends it; a disk has whole sectors.
func (p *Payload) Close(t *testing.T) {
	t.Helper()
	must(t, p.tar.Close())
	info, err := p.file.Stat()
	must(t, err)
	must(t, p.file.Truncate((info.Size()+511)/512*512))
	must(t, p.file.Close())
}

// Add puts a file into it.
func (p *Payload) Add(t *testing.T, from, to string) {
	t.Helper()
	file, err := os.Open(from)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	must(t, p.tar.WriteHeader(&tar.Header{Name: to, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}))
	_, err = io.Copy(p.tar, file)
	must(t, err)
}

// AddTree puts the files below a directory of the tree into it, under the same names;
// there may be none.
func (p *Payload) AddTree(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(p.root, dir), func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			to, err := filepath.Rel(p.root, name)
			must(t, err)
			p.Add(t, name, to)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// Build builds a package for the machine, without libc: it has another one.
func (p *Payload) Build(t *testing.T, pkg, out string, verb ...string) {
	t.Helper()
	cmd := exec.Command("go", append(verb, "-o", out, pkg)...)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s %s: %v\n%s", strings.Join(verb, " "), pkg, err, text)
	}
}

// Listed are the tests that a program has to bring a result of. Before a machine
// boots, each program is asked for them.
func Listed(t *testing.T, program, run string) []string {
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

// Quote is a word of the shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
