package libcontainer

import (
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"syscall"
	"time"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The kinds of hooks, as the config spells them.
const (
	prestart        = "prestart"
	createRuntime   = "createRuntime"
	createContainer = "createContainer"
	startContainer  = "startContainer"
	poststart       = "poststart"
	poststop        = "poststop"
)

// hook is a specs.Hook whose JSON tells one without env from one with none.
type hook struct {
	Path    string   `json:"path"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Timeout *int     `json:"timeout,omitempty"`
}

// keptHooks are those that verbs after create run. They are kept in the record:
// the config may have changed by then.
type keptHooks struct {
	StartContainer []hook `json:"startContainer,omitempty"`
	Poststart      []hook `json:"poststart,omitempty"`
	Poststop       []hook `json:"poststop,omitempty"`
	// Handed says that init hands over its namespaces for those of startContainer.
	Handed bool `json:"handed,omitempty"`
}

// hasHooks says whether there is any hook, so that a start without pays nothing.
func hasHooks(h *specs.Hooks) bool {
	//lint:ignore SA1019 deprecated, but engines still write it
	return h != nil && len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer)+len(h.StartContainer)+len(h.Poststart)+len(h.Poststop) > 0
}

// keep encodes the hooks that later verbs run, nil for none.
func keep(h *specs.Hooks, handed bool) json.RawMessage {
	if h == nil || len(h.StartContainer)+len(h.Poststart)+len(h.Poststop) == 0 {
		return nil
	}
	raw, err := json.Marshal(keptHooks{hooksOf(h.StartContainer), hooksOf(h.Poststart), hooksOf(h.Poststop), handed && len(h.StartContainer) > 0})
	if err != nil {
		return nil // there is nothing in them that has no JSON
	}
	return raw
}

func hooksOf(list []specs.Hook) []hook {
	out := make([]hook, 0, len(list))
	for _, h := range list {
		out = append(out, hook(h))
	}
	return out
}

// kept decodes the hooks of the record.
func (rec *record) kept() (keptHooks, error) {
	var k keptHooks
	if len(rec.Hooks) == 0 {
		return k, nil
	}
	if err := spec.Decode(rec.Hooks, &k); err != nil {
		return keptHooks{}, fault.Hostf("", unix.EBADMSG, "the hooks in state.json of %q are damaged", rec.ID)
	}
	return k, nil
}

// runHooks runs hooks one after the other, until one fails.
func (rec *record) runHooks(kind, status string, list []hook) error {
	for i := range list {
		if err := rec.runHook(kind, status, i, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// poststop runs the hooks of a container that is gone. A hook that fails is no
// reason to leave out the next.
func (r *Runtime) poststop(rec *record) {
	if rec == nil {
		return
	}
	kept, err := rec.kept()
	if err != nil {
		r.warn([]string{err.Error()})
	}
	for i := range kept.Poststop {
		if err := rec.runHook(poststop, Stopped, i, &kept.Poststop[i]); err != nil {
			r.warn([]string{err.Error()})
		}
	}
}

// hookFault is the error of a hook, as engines know it.
func hookFault(kind string, i int, err error, format string, args ...any) *fault.Error {
	e := fault.Hostf(fault.Pointer("/hooks", kind, i), err, format, args...)
	e.Op = "error running " + kind + " hook #" + itoa(i) + ": " + e.Op
	return e
}

// runHook runs one hook in the host's namespaces.
func (rec *record) runHook(kind, status string, i int, h *hook) error {
	if err := unix.Access(rec.Bundle, unix.X_OK); err != nil {
		return hookFault(kind, i, err, "enter the bundle %s", rec.Bundle)
	}
	return h.call(kind, i, rec.hookState(status, rec.Pid), func(c *hookChild, files [3]int) error {
		if err := c.execute(h, rec.Bundle, files); err != nil {
			return hookFault(kind, i, err, "execute %s", h.Path)
		}
		return nil
	})
}

// call runs a hook to its end. It reads the state on its stdin, and what it writes
// goes into the error if it fails.
func (h *hook) call(kind string, i int, state []byte, start func(c *hookChild, files [3]int) error) error {
	// The hook ends with the thread that made it, and so with a brig that is killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	deadline := h.deadline()
	c := &hookChild{pidfd: -1, out: output{fd: -1}, err: output{fd: -1}}
	defer c.close()
	files, err := c.open(state)
	if err != nil {
		return hookFault(kind, i, err, "make its stdin, stdout and stderr")
	}
	err = start(c, files)
	for _, fd := range files {
		unix.Close(fd)
	}
	if err != nil {
		return err
	}
	outcome, err := c.wait(deadline)
	if err != nil {
		return hookFault(kind, i, err, "wait for %s", h.Path)
	}
	if outcome == "timeout" {
		outcome = "hook ran past specified timeout of " + itoa(*h.Timeout) + ".0s"
	}
	if outcome != "" {
		return hookFault(kind, i, nil, "%s, stdout: %s, stderr: %s", outcome, c.out.text(), c.err.text())
	}
	return nil
}

// stateFD is a sealed file with the state. A hook that does not read it, or only
// half of it, meets no pipe that breaks, and brig none that is full.
func stateFD(state []byte) (int, error) {
	fd, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	if err = writeAll(fd, state); err == nil {
		_, err = unix.Seek(fd, 0, unix.SEEK_SET)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// hookChild is a hook that runs, the leader of its process group.
type hookChild struct {
	pid, pidfd int
	out, err   output
}

// open makes what the hook has as stdio.
func (c *hookChild) open(state []byte) (files [3]int, err error) {
	if files[0], err = stateFD(state); err != nil {
		return files, err
	}
	if files[1], err = c.out.open(); err != nil {
		unix.Close(files[0])
		return files, err
	}
	if files[2], err = c.err.open(); err != nil {
		unix.Close(files[0])
		unix.Close(files[1])
	}
	return files, err
}

// argv is what the hook is called with.
func (h *hook) argv() []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}

// execute executes the hook as the leader of a process group, with nothing open but
// stdio: not even what the caller of brig has left open.
func (c *hookChild) execute(h *hook, dir string, files [3]int) error {
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	env := h.Env
	if env == nil {
		env = syscall.Environ()
	}
	var err error
	c.pid, err = syscall.ForkExec(h.Path, h.argv(), &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{uintptr(files[0]), uintptr(files[1]), uintptr(files[2])},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, PidFD: &c.pidfd},
	})
	return err
}

func (c *hookChild) close() {
	for _, fd := range [...]int{c.out.fd, c.err.fd, c.pidfd} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// deadline is when the hook has to be done, zero for never.
func (h *hook) deadline() time.Time {
	if h.Timeout == nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(min(*h.Timeout, math.MaxInt32)) * time.Second)
}

// wait reads what the hook says until it ends, and says how it ended: nothing for
// success. What a child of the hook says after that, nobody waits for.
func (c *hookChild) wait(deadline time.Time) (string, error) {
	late := false
	for {
		fds := []unix.PollFd{{Fd: int32(c.pidfd), Events: unix.POLLIN}, c.out.poll(), c.err.poll()}
		timeout := -1
		if !deadline.IsZero() && !late {
			timeout = int(min(max(time.Until(deadline).Milliseconds()+1, 0), math.MaxInt32))
		}
		n, err := unix.Poll(fds, timeout)
		if err != nil && !errors.Is(err, unix.EINTR) {
			unix.Kill(-c.pid, unix.SIGKILL)
			reap(c.pid)
			return "", err
		}
		if n > 0 {
			c.out.read()
			c.err.read()
		}
		if n > 0 && fds[0].Revents != 0 {
			return c.status(late), nil
		}
		if timeout >= 0 && !time.Now().Before(deadline) {
			late = true
			unix.Kill(-c.pid, unix.SIGKILL)
		}
	}
}

// status reaps the hook. It is not reaped before, so that its number is its own
// while it may be killed.
func (c *hookChild) status(late bool) string {
	var status unix.WaitStatus
	_, err := unix.Wait4(c.pid, &status, 0, nil)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Wait4(c.pid, &status, 0, nil)
	}
	switch {
	case late:
		return "timeout"
	case err != nil:
		return err.Error()
	case status.Signaled():
		return "signal: " + status.Signal().String()
	case status.ExitStatus() != 0:
		return "exit status " + itoa(status.ExitStatus())
	}
	return ""
}
