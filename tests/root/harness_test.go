package root_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// box is one test's container: a bundle, a state directory and an ID of its own.
type box struct {
	t      *testing.T
	id     string
	dir    string // what all others are below
	bundle string
	rootfs string
	state  string // --root
	config map[string]any
	other  string              // the program, if it is not brig
	env    []string            // of brig
	stdin  string              // of brig
	files  []*os.File          // fds 3 and on of brig
	user   *syscall.Credential // who runs brig, nil for root
	mounts []string            // mountinfo as it was
}

var boxes atomic.Int32

// newBox makes a bundle whose container runs a shell, and checks in the end that
// nothing of it is left.
func newBox(t *testing.T, patches ...string) *box {
	t.Helper()
	needRoot(t)
	base := t.TempDir()
	dir, err := filepath.EvalSymlinks(base)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{
		t: t, id: fmt.Sprintf("box-%04d", boxes.Add(1)), dir: dir,
		bundle: dir + "/bundle", rootfs: dir + "/bundle/rootfs", state: dir + "/state",
	}
	makeRootfs(t, b.rootfs)
	raw, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	b.config = decode(t, string(raw)).(map[string]any)
	for _, p := range patches {
		b.patch(p)
	}
	b.mounts = b.hostMounts()
	t.Cleanup(b.checkNothingLeft)
	return b
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are made")
	}
	if _, err := os.Stat(busybox); err != nil {
		t.Skip("needs busybox-static: " + err.Error())
	}
}

const busybox = "/bin/busybox"

// applets are the names under which busybox is called in the containers.
const applets = "sh cat ls stat readlink id mount umount grep sleep true false echo env pwd touch mkdir head cut sort wc hostname dd " +
	"find test kill ps chmod chown ln rm rmdir tr sed awk seq ipcs ulimit printenv nproc ip mknod sync timeout tail basename cp date"

// makeRootfs makes a root file system of busybox.
func makeRootfs(t *testing.T, dir string) {
	t.Helper()
	for _, d := range [...]string{"bin", "proc", "dev", "sys", "tmp", "home", "etc"} {
		mkdir(t, dir+"/"+d, 0o755)
	}
	must(t, os.Chmod(dir+"/tmp", 0o777|os.ModeSticky))
	raw, err := os.ReadFile(busybox)
	must(t, err)
	must(t, os.WriteFile(dir+"/bin/busybox", raw, 0o755))
	for _, name := range strings.Fields(applets) {
		must(t, os.Symlink("busybox", dir+"/bin/"+name))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(name, 0o755))
	must(t, os.Chmod(name, mode))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(text), 0o644))
}

// hostMount mounts something of the host below the box's directory.
func (b *box) hostMount(source, target, kind string, flags uintptr) {
	b.t.Helper()
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		b.t.Fatalf("mount %s on %s: %v", kind, target, err)
	}
	b.mounts = b.hostMounts()
	b.t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			b.t.Errorf("unmount %s: %v", target, err)
		}
		b.mounts = b.hostMounts()
	})
}

// brig is the program under test.
func brig(t *testing.T) string {
	t.Helper()
	name := os.Getenv("BRIG")
	if name == "" {
		name = "../../brig"
	}
	abs, err := filepath.Abs(name)
	must(t, err)
	if _, err := os.Stat(abs); err != nil {
		t.Fatalf("%v: run `make build`, or name the program in $BRIG", err)
	}
	return abs
}

// result is what a command said.
type result struct {
	out, err string
	code     int
}

// command is brig with the box's state directory.
func (b *box) command(args ...string) *exec.Cmd {
	b.t.Helper()
	program := b.other
	if program == "" {
		program = brig(b.t)
	}
	cmd := exec.Command(program, append([]string{"--root", b.state}, args...)...)
	if b.env != nil {
		cmd.Env = b.env
	}
	cmd.Stdin = strings.NewReader(b.stdin)
	cmd.ExtraFiles = b.files
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.user, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// brig runs one verb to its end.
func (b *box) brig(args ...string) result {
	b.t.Helper()
	return finish(b.t, b.command(args...))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	code, failed := status(cmd.Run())
	must(t, failed)
	return result{out.String(), err.String(), code}
}

// ok runs a verb that has to succeed, and returns what it prints.
func (b *box) ok(args ...string) string {
	b.t.Helper()
	r := b.brig(args...)
	if r.code != 0 {
		b.t.Fatalf("brig %s: exit %d, stderr %q", strings.Join(args, " "), r.code, r.err)
	}
	return r.out
}

// refused runs a verb that has to fail with a text on stderr.
func (b *box) refused(text string, args ...string) {
	b.t.Helper()
	r := b.brig(args...)
	if r.code == 0 || !strings.Contains(r.err, text) {
		b.t.Errorf("brig %s: exit %d, stderr %q, want a refusal with %q", strings.Join(args, " "), r.code, r.err, text)
	}
}

// save writes the config.
func (b *box) save() {
	b.t.Helper()
	raw, err := json.MarshalIndent(b.config, "", "\t")
	must(b.t, err)
	must(b.t, os.WriteFile(b.bundle+"/config.json", raw, 0o644))
}

// args sets the payload.
func (b *box) args(args ...string) {
	b.config["process"].(map[string]any)["args"] = args
}

// run runs a shell script in the container. It has to succeed; what it printed is
// returned without the last newline.
func (b *box) run(script string, flags ...string) string {
	b.t.Helper()
	r := b.try(script, flags...)
	if r.code != 0 || r.err != "" {
		b.t.Fatalf("exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
	}
	return strings.TrimSuffix(r.out, "\n")
}

// try runs a shell script in the container, however it ends.
func (b *box) try(script string, flags ...string) result {
	b.t.Helper()
	b.args("/bin/sh", "-c", script)
	return b.start(flags...)
}

// start runs the container's own payload.
func (b *box) start(flags ...string) result {
	b.t.Helper()
	b.save()
	return b.brig(append(append([]string{"run", "--bundle", b.bundle}, flags...), b.id)...)
}

// create makes the container, and leaves it created.
func (b *box) create(flags ...string) {
	b.t.Helper()
	b.save()
	// Its stdio is /dev/null: the payload would otherwise hold pipes to which
	// the test listens.
	cmd := b.command(append(append([]string{"create", "--bundle", b.bundle}, flags...), b.id)...)
	cmd.Stdin = nil
	stderr, err := os.Create(b.dir + "/create.err")
	must(b.t, err)
	defer stderr.Close()
	cmd.Stderr = stderr
	code, err := status(cmd.Run())
	must(b.t, err)
	if text, _ := os.ReadFile(stderr.Name()); code != 0 {
		b.t.Fatalf("brig create: exit %d, %s", code, text)
	}
}

// equal compares what a container shows with what it should.
func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
