package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// suite runs programs of runtime-tools, which lie beside the binary runtimetest
// and the archive of a root file system in dir.
type suite struct {
	dir     string
	out     string // where the output of each program is kept
	timeout time.Duration
}

// runtime is one of those that are compared: a command that takes the verbs.
type runtime struct {
	name, command string
}

// run gives one program one runtime. It leaves no process of the program's behind,
// and no container.
func (s *suite) run(program string, rt runtime) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	temp, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(temp)
	// Root of a user namespace is somebody else here, and enters the bundle.
	if err := os.Chmod(temp, 0o755); err != nil {
		return result{}, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, program))
	cmd.Dir = s.dir // where it looks for runtimetest and the root file system
	cmd.Env = append(os.Environ(), "RUNTIME="+rt.command, "TMPDIR="+temp)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a container may hold its stdout
	err = cmd.Run()
	sweep(rt)

	base := filepath.Join(s.out, rt.name+"-"+program)
	for name, text := range map[string][]byte{base + ".tap": stdout.Bytes(), base + ".err": stderr.Bytes()} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return result{}, err
		}
	}
	r := readTAP(stdout.String())
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.fail(fmt.Sprintf("not done after %v", s.timeout))
	case errors.As(err, &exit):
		r.fail(fmt.Sprintf("%v: %s", err, lastLine(stderr.String())))
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return result{}, err
	}
	return r, nil
}

// lastLine leaves out what a program says last of all, the status of the runtime.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if n := len(lines); n > 1 && strings.HasPrefix(lines[n-1], "exit status") {
		lines = lines[:n-1]
	}
	return lines[len(lines)-1]
}

// sweep deletes what the programs leave behind: those that fail clean up little.
func sweep(rt runtime) {
	out, err := exec.Command(rt.command, "list", "-q").Output()
	if err != nil {
		return
	}
	for _, id := range strings.Fields(string(out)) {
		_ = exec.Command(rt.command, "delete", "--force", id).Run()
	}
}
