package cgroups

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"brig/libcontainer/fault"
)

// hierarchy opens the real one, and names a group below which a test works. All
// that is in it goes with the test.
func hierarchy(t testing.TB) (*Root, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	r, err := FindRoot()
	if err != nil {
		t.Skip(err)
	}
	base := fmt.Sprintf("/brig-test-%d-%s", os.Getpid(), strings.Map(func(c rune) rune {
		if c == '/' || c == ' ' {
			return '_'
		}
		return c
	}, t.Name()))
	t.Cleanup(func() {
		if err := r.Remove(base); err != nil {
			t.Error(err)
		}
		r.Close()
	})
	return r, base
}

// create makes a group for a test.
func create(t testing.TB, r *Root, path string, writes ...Write) *Group {
	t.Helper()
	g, err := r.Create(path, writes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// onDisk is where a group lies.
func (r *Root) onDisk(path, file string) string { return filepath.Join(r.mount, path, file) }

func exists(r *Root, path string) bool {
	_, err := os.Stat(r.onDisk(path, ""))
	return err == nil
}

func content(t testing.TB, r *Root, path, file string) string {
	t.Helper()
	raw, err := os.ReadFile(r.onDisk(path, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// process is a shell in a group that runs a script.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t testing.TB, g *Group, script string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("/bin/sh", append([]string{"-c", script, "sh"}, args...)...)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD(), Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

// line reads what the script says next.
func (p *process) line(t testing.TB) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

func (p *process) say(t testing.TB, s string) {
	t.Helper()
	if _, err := io.WriteString(p.in, s+"\n"); err != nil {
		t.Fatal(err)
	}
}

// killed waits for the end, which has to be SIGKILL.
func (p *process) killed(t testing.TB) {
	t.Helper()
	p.cmd.Wait()
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGKILL {
		t.Errorf("the process ended with %v", p.cmd.ProcessState)
	}
}

// fake is a group over a plain directory, for what the kernel never answers.
func fake(t *testing.T, files map[string]string) *Group {
	t.Helper()
	r := fakeRoot(t, t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.mount, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Group{fd: r.fd, path: "/fake", patience: time.Millisecond}
}

func fakeRoot(t *testing.T, dir string) *Root {
	t.Helper()
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return &Root{fd: fd, mount: dir, patience: time.Millisecond}
}

// wantFault checks the class, the pointer, a part of the line, and the errno.
func wantFault(t testing.TB, err error, class fault.Class, pointer, part string, errno syscall.Errno) {
	t.Helper()
	var f *fault.Error
	switch {
	case !errors.As(err, &f):
		t.Errorf("%v is no fault", err)
	case f.Class != class || f.Pointer != pointer || !strings.Contains(err.Error(), part):
		t.Errorf("%v: %v; want %v: %s: …%s…", f.Class, err, class, pointer, part)
	case errno == 0 && f.Err != nil, errno != 0 && !errors.Is(err, errno):
		t.Errorf("%v: the cause is %v, want %v", err, f.Err, errno)
	case strings.ContainsRune(err.Error(), '\n'):
		t.Errorf("%q has more than a line", err)
	}
}
