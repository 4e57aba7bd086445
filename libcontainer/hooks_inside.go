package libcontainer

import (
	"strconv"
	"strings"
	"syscall"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// startHooks runs the hooks of a container that is all set up, inside it. They enter
// it by the program of exec, and so are confined as the payload.
func (r *Runtime) startHooks(rec *record, from handles) error {
	kept, err := rec.kept()
	if err != nil {
		return err
	}
	for i := range kept.StartContainer {
		h := &kept.StartContainer[i]
		if err := r.runInside(startContainer, i, h, rec, from, func(j *joining) error { return j.joinAsPayload(r, h) }); err != nil {
			return err
		}
	}
	return nil
}

// createContainerHooks runs the programs of the host that find the container's
// namespaces and mounts, and the host's files around them.
func (r *Runtime) createContainerHooks(rec *record, in *plan.Input, from handles) error {
	list := hooksOf(in.Spec.Hooks.CreateContainer)
	for i := range list {
		h := &list[i]
		if err := r.runInside(createContainer, i, h, rec, from, func(j *joining) error { return j.joinAsHost(in, h) }); err != nil {
			return err
		}
	}
	return nil
}

// joinAsHost makes the hook a process in the namespaces of a container that has not
// got its root yet.
func (j *joining) joinAsHost(create *plan.Input, h *hook) error {
	s := *create.Spec
	p := *s.Process
	p.Args, s.Process = h.argv(), &p
	env := h.Env
	if env == nil {
		env = syscall.Environ()
	}
	in := &plan.Input{
		ID: create.ID, Spec: &s, Bundle: create.Bundle, Rootfs: create.Rootfs, Host: create.Host, Run: true,
		Join: &plan.Joined{}, Hook: &plan.Hook{Path: h.Path, Env: env, Host: true},
	}
	var err error
	if j.init, err = openInit(j.o.ID, j.rec.identity()); err != nil {
		return err
	}
	if err := j.facts(in); err != nil {
		return err
	}
	if err := j.enterCgroup(in); err != nil {
		return err
	}
	if j.program, err = plan.Join(in); err != nil {
		return err
	}
	return j.enter(in)
}

// runInside runs a hook that join lets enter the container.
func (r *Runtime) runInside(kind string, i int, h *hook, rec *record, from handles, join func(j *joining) error) error {
	pid, err := innerPid(rec.Pid)
	if err != nil {
		return hookFault(kind, i, err, "find the pid that init has in the container")
	}
	status := Creating
	if kind == startContainer {
		status = Created
	}
	return h.call(kind, i, rec.hookState(status, pid), func(c *hookChild, files [3]int) error {
		j := &joining{o: &ExecOptions{ID: rec.ID, Detach: true, Stdio: files}, rec: rec, handles: from, init: -1, cgroupNS: -1, root: -1, pidfd: -1}
		defer j.close()
		if err := join(j); err != nil {
			return wrapped(kind, i, err)
		}
		c.pid, c.pidfd, j.pidfd = j.pid, j.pidfd, -1
		return nil
	})
}

// wrapped says of an error on the way into the container which hook it was about.
func wrapped(kind string, i int, err error) error {
	if f, ok := err.(*fault.Error); ok {
		inner := *f
		inner.Pointer, inner.Err = "", nil
		return hookFault(kind, i, f.Err, "%s", inner.Error())
	}
	return hookFault(kind, i, err, "find init")
}

// joinAsPayload makes the hook a process of the container.
func (j *joining) joinAsPayload(r *Runtime, h *hook) error {
	j.o.Process = func(base *specs.Process) (*specs.Process, error) {
		p := *base
		p.Args, p.Terminal, p.ConsoleSize = h.argv(), false, nil
		return &p, nil
	}
	quiet := *r
	quiet.Warn = nil
	var err error
	if j.init, err = openInit(j.o.ID, j.rec.identity()); err != nil {
		return err
	}
	in, err := j.input(&quiet)
	if err != nil {
		return err
	}
	in.Hook = &plan.Hook{Path: h.Path, Env: h.Env}
	if j.program, err = plan.Join(in); err != nil {
		return err
	}
	return j.enter(in)
}

// enter runs the program until it has executed the hook.
func (j *joining) enter(in *plan.Input) error {
	if err := j.spawn(in); err != nil {
		return err
	}
	if err := j.await(in); err != nil {
		j.undo()
		return err
	}
	return nil
}

// innerPid is the number of a process in its own PID namespace.
func innerPid(pid int) (int, error) {
	proc, err := openProc()
	if err != nil {
		return 0, err
	}
	defer proc.close()
	text, err := proc.read(pid, "status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	numbers := strings.Fields(line)
	if len(numbers) == 0 {
		return 0, unix.EBADMSG
	}
	return strconv.Atoi(numbers[len(numbers)-1])
}
