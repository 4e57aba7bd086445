// Package systemd_test runs brig under a real systemd: the system's for root, and
// that of a user for a user. It is for the test machines (tests/vm), and skips
// elsewhere.
package systemd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// who is the ordinary user of the test machines.
const who = "tester"

// needSystemd skips where systemd is not what runs this machine.
func needSystemd(t *testing.T) {
	t.Helper()
	_, err := os.Stat("/run/systemd/system")
	comm, _ := os.ReadFile("/proc/1/comm")
	switch {
	case err == nil && strings.TrimSpace(string(comm)) == "systemd" && os.Geteuid() == 0:
	case os.Getenv("BRIG_VM") != "":
		t.Fatalf("this test machine runs %q", comm)
	default:
		t.Skip("needs root on a machine that runs systemd (make test-vm)")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got = strings.TrimSuffix(got, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// box is one container.
type box struct {
	t      *testing.T
	id     string
	dir    string
	state  string   // --root, "" for the default
	global []string // flags of brig
	config map[string]any
	user   *user.User // who runs brig, nil for root
	env    []string   // of brig, nil for that of the test
}

var boxes atomic.Int32

const base = `{
	"ociVersion": "1.3.0",
	"process": {"user": {"uid": 0, "gid": 0}, "args": ["true"], "env": ["PATH=/bin"], "cwd": "/",
		"capabilities": {"bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"]}, "noNewPrivileges": true},
	"root": {"path": "rootfs"},
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
	],
	"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}`

// newBox makes a bundle. When the test ends, nothing may be left of it.
func newBox(t *testing.T, patches ...string) *box {
	t.Helper()
	needSystemd(t)
	dir, err := os.MkdirTemp("/var/tmp", "brig-systemd-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	b := &box{t: t, id: fmt.Sprintf("unit%d", boxes.Add(1)), dir: dir, state: dir + "/state", global: []string{"--systemd-cgroup"}}
	must(t, json.Unmarshal([]byte(base), &b.config))
	for _, p := range patches {
		b.patch(p)
	}
	for _, d := range []string{"bin", "proc", "dev", "tmp"} {
		must(t, os.MkdirAll(dir+"/rootfs/"+d, 0o755))
	}
	busybox, err := os.ReadFile("/bin/busybox")
	must(t, err)
	must(t, os.WriteFile(dir+"/rootfs/bin/busybox", busybox, 0o755))
	for _, name := range strings.Fields("sh cat sleep true echo grep id dd mknod mkdir rm ls kill") {
		must(t, os.Symlink("busybox", dir+"/rootfs/bin/"+name))
	}
	must(t, os.MkdirAll(dir+"/state", 0o700))
	t.Cleanup(func() {
		b.brig("delete", "--force", b.id)
		b.left()
		os.RemoveAll(dir)
	})
	return b
}

// as lets an ordinary user run brig.
func (b *box) as(name string) {
	b.t.Helper()
	u, err := user.Lookup(name)
	must(b.t, err)
	b.user = u
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	must(b.t, filepath.WalkDir(b.dir, func(name string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(name, uid, gid)
		}
		return err
	}))
}

// patch merges an object into the config; what is no object takes the place of what
// was there.
func (b *box) patch(text string) {
	b.t.Helper()
	var p map[string]any
	must(b.t, json.Unmarshal([]byte(text), &p))
	merge(b.config, p)
}

func merge(to, from map[string]any) {
	for key, value := range from {
		inner, ok := value.(map[string]any)
		old, was := to[key].(map[string]any)
		if ok && was {
			merge(old, inner)
		} else {
			to[key] = value
		}
	}
}

// command is brig with arguments.
func (b *box) command(args ...string) *exec.Cmd {
	b.t.Helper()
	raw, err := json.Marshal(b.config)
	must(b.t, err)
	must(b.t, os.WriteFile(b.dir+"/config.json", raw, 0o644))
	program, err := filepath.Abs("../../brig")
	must(b.t, err)
	line := append(slices.Clone(b.global), args...)
	if b.state != "" {
		line = append([]string{"--root", b.state}, line...)
	}
	cmd := exec.Command(program, line...)
	cmd.Env = b.env
	if b.user != nil {
		uid, _ := strconv.Atoi(b.user.Uid)
		gid, _ := strconv.Atoi(b.user.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + b.user.HomeDir, "XDG_RUNTIME_DIR=/run/user/" + b.user.Uid}
		cmd.Dir = "/"
	}
	return cmd
}

// brig runs brig, and returns what it says. Its output goes to files: a payload that
// stays would hold the end of a pipe, and nobody would see the other end close.
func (b *box) brig(args ...string) (out, stderr string, code int) {
	b.t.Helper()
	return b.finish(b.command(args...))
}

// finish runs a command to its end.
func (b *box) finish(cmd *exec.Cmd) (out, stderr string, code int) {
	b.t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.CreateTemp(b.t.TempDir(), "output")
		must(b.t, err)
		defer f.Close()
		files[i] = f
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	err := cmd.Run()
	text := func(f *os.File) string {
		raw, err := os.ReadFile(f.Name())
		must(b.t, err)
		return string(raw)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return text(files[0]), text(files[1]), exit.ExitCode()
	}
	must(b.t, err)
	return text(files[0]), text(files[1]), 0
}

func (b *box) ok(args ...string) string {
	b.t.Helper()
	out, stderr, code := b.brig(args...)
	if code != 0 {
		b.t.Fatalf("brig %s: exit %d, %s", strings.Join(args, " "), code, stderr)
	}
	return out
}

// run runs a script as the payload.
func (b *box) run(script string) string {
	b.t.Helper()
	b.config["process"].(map[string]any)["args"] = []any{"sh", "-c", script}
	return b.ok("run", "-b", b.dir, b.id)
}

// start starts a container whose payload sleeps.
func (b *box) start() {
	b.t.Helper()
	b.config["process"].(map[string]any)["args"] = []any{"sleep", "1000"}
	b.ok("create", "-b", b.dir, b.id)
	b.ok("start", b.id)
}

// systemctl asks the systemd that has the container's scope, and has to be answered.
func (b *box) systemctl(args ...string) string {
	b.t.Helper()
	out, err := b.asked(args...)
	if err != nil {
		b.t.Fatalf("systemctl %s: %v, %s", strings.Join(args, " "), err, out)
	}
	return out
}

// asked is systemctl, which may fail.
func (b *box) asked(args ...string) (string, error) {
	cmd := exec.Command("systemctl", args...)
	if b.user != nil {
		cmd = exec.Command("runuser", append([]string{"-u", b.user.Username, "--", "env", "XDG_RUNTIME_DIR=/run/user/" + b.user.Uid, "systemctl", "--user"}, args...)...)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// show is one property of a unit.
func (b *box) show(unit, property string) string {
	b.t.Helper()
	return strings.TrimSpace(b.systemctl("show", "--value", "-p", property, unit))
}

// file reads a file of the container's cgroup.
func (b *box) file(unit, name string) string {
	b.t.Helper()
	raw, err := os.ReadFile("/sys/fs/cgroup" + b.show(unit, "ControlGroup") + "/" + name)
	must(b.t, err)
	return strings.TrimSpace(string(raw))
}

// left complains of units, cgroups, mounts, processes and state that are there.
func (b *box) left() {
	b.t.Helper()
	units, err := b.asked("list-units", "--all", "--no-legend", "--plain", "*"+b.id+".scope")
	// Who has no systemd has no units.
	if none := err != nil && strings.HasPrefix(units, "Failed to connect"); !none && (err != nil || strings.TrimSpace(units) != "") {
		b.t.Errorf("left behind: %s, %v", units, err)
	}
	filepath.WalkDir("/sys/fs/cgroup", func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(name, b.id+".scope") {
			b.t.Errorf("left behind: %s", name)
		}
		return nil
	})
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), b.dir) {
		b.t.Errorf("left behind: a mount below %s, %v", b.dir, err)
	}
	entries, _ := os.ReadDir(b.dir + "/state")
	for _, e := range entries {
		if e.Name() != "@seccomp" {
			b.t.Errorf("left behind: %s", e.Name())
		}
	}
	// The root of a container is "/" to whoever looks; its mount says what of the disk it is.
	tables, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, name := range tables {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), b.dir) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
			b.t.Errorf("left behind: %s, %q", name, command)
		}
	}
}
