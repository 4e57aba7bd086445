package libcontainer

import (
	"errors"
	"os"
	"path"
	"strconv"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ExecStatus is the exit status of an exec that did not come about: engines tell it
// from that of a payload.
const ExecStatus = 255

// ExecOptions are the flags of exec.
type ExecOptions struct {
	ID string
	// Process makes the process to run from that of the container's config.
	Process      func(base *specs.Process) (*specs.Process, error)
	PidFile      string
	Cgroup       string // below the container's own
	Detach       bool
	IgnorePaused bool
	PreserveFDs  int
	Stdio        [3]int
	// ConsoleSocket gets the terminal of a process that is not waited for.
	ConsoleSocket string
	PidfdSocket   string // gets a pidfd of the process
}

// joining is a process on its way into a container.
type joining struct {
	o        *ExecOptions
	dir      *directory
	rec      *record
	init     int     // pidfd of the container's init
	cgroupNS int     // its cgroup namespace, -1 if that is brig's own
	handles  handles // its namespaces, where its pidfd does not lead there
	root     int     // its root, -1 if its mount namespace leads there
	signals  chan os.Signal
	group    *cgroups.Group
	below    string // where systemd puts it, below the container's scope
	stage    *nsenter.Stage
	program  *nsenter.Program
	pid      int
	pidfd    int
	stays    bool // the caller waits for the process's end and for nothing before it
	ready    bool
	pty      pty
	agent    *agent // who gets the listener of the process's filter, nil without one
}

// Exec runs a process in a container. It returns the payload's exit status, 128 and
// the signal's number for one that was killed, 0 for one that is detached.
func (r *Runtime) Exec(o *ExecOptions) (int, error) {
	j := &joining{o: o, init: -1, cgroupNS: -1, root: -1, pidfd: -1}
	defer j.close()
	if err := j.find(r); err != nil {
		return ExecStatus, err
	}
	in, err := j.input(r)
	if err != nil {
		return ExecStatus, err
	}
	if err := checkTerminal(in.Spec.Process.Terminal, o.Detach, o.ConsoleSocket); err != nil {
		return ExecStatus, err
	}
	if j.program, err = plan.Join(in); err != nil {
		return ExecStatus, err
	}
	j.pty.stdio, j.stays = o.Stdio, !o.Detach && o.PidFile == "" && !in.Spec.Process.Terminal && j.agent == nil
	if j.pty.socket, err = dialConsole(o.ConsoleSocket); err != nil {
		return ExecStatus, err
	}
	defer j.pty.socket.close()
	if err := j.spawn(in); err != nil {
		return ExecStatus, err
	}
	// While the stage enters the container, brig has nothing else to do.
	if !o.Detach && j.agent == nil && o.PidfdSocket == "" {
		j.signals = watch()
	}
	if err := j.await(in); err != nil {
		return ExecStatus, errors.Join(err, j.undo())
	}
	if o.Detach {
		return 0, nil
	}
	return j.wait(in)
}

// find opens the container and its init.
func (j *joining) find(r *Runtime) error {
	id := j.o.ID
	var err error
	if j.dir, err = r.open(id); err != nil {
		return err
	}
	if j.rec, err = j.dir.load(); errors.Is(err, unix.ENOENT) {
		return fault.Configf("", "cannot exec in a container in the %s state: %s", j.dir.statusWithoutRecord(), id)
	} else if err != nil {
		return err
	}
	var init process
	if j.init, init, err = findInit(id, j.rec.identity()); errors.Is(err, unix.ESRCH) {
		return fault.Configf("", "cannot exec in a stopped container: %s", id)
	} else if err != nil {
		return err
	}
	status, err := j.dir.statusOf(j.rec, init)
	if err != nil {
		return err
	}
	switch {
	case status == Creating:
		return fault.Configf("", "cannot exec in a container in the %s state: %s", status, id)
	case status == Paused && !j.o.IgnorePaused:
		return fault.Configf("", "cannot exec in a paused container (use --ignore-paused to override): %s", id)
	}
	return nil
}

// input is what the compiler needs: the container's config with another process,
// and the facts about its init.
func (j *joining) input(r *Runtime) (*plan.Input, error) {
	name := j.rec.Config
	if name == configFile {
		name = path.Join(r.Root, j.o.ID, configFile)
	}
	s, _, err := spec.Load(name)
	if err != nil {
		return nil, err
	}
	if s.Process, err = j.o.Process(s.Process); err != nil {
		return nil, err
	}
	as := rootless()
	warnings, err := validate(s, as)
	if err != nil {
		return nil, err
	}
	r.warn(warnings)
	handed, err := handedFDs(j.o.PreserveFDs, 0)
	if err != nil {
		return nil, err
	}
	in := &plan.Input{
		ID: j.o.ID, Spec: s, Bundle: j.rec.Bundle, Rootfs: j.rec.Rootfs, Run: true, NoNewKeyring: j.rec.NoNewKeyring,
		PreserveFDs: handed, Host: hostFacts(s, as), Join: &plan.Joined{},
	}
	if err := j.facts(in); err != nil {
		return nil, err
	}
	if in.Filter, err = r.filter(s, true); err != nil {
		return nil, err
	}
	if err := shareSecret(in); err != nil {
		return nil, err
	}
	j.agent = agentOf(in)
	return in, j.enterCgroup(in)
}

// facts reads what the kernel says of init.
func (j *joining) facts(in *plan.Input) error {
	proc, err := openProc()
	if err != nil {
		return err
	}
	defer proc.close()
	if len(j.handles) > 0 {
		j.cgroupNS = j.handles.enteredBy(in)
	} else if in.Join.Namespaces, err = proc.otherNamespaces(j.rec.Pid); err != nil {
		f := fault.Hostf("", err, "look at the namespaces of process %d", j.rec.Pid)
		if in.Host.Rootless && errors.Is(err, unix.EACCES) {
			return f.WithHint("an ordinary user can enter a container only when its payload runs: start it first")
		}
		return f
	}
	setgroups, err := proc.read(j.rec.Pid, "setgroups")
	if err != nil {
		return fault.Hostf("", err, "read setgroups of process %d", j.rec.Pid)
	}
	in.Host.SetgroupsDenied = setgroups == "deny"
	if in.Join.Namespaces&unix.CLONE_NEWCGROUP != 0 && j.cgroupNS < 0 {
		if j.cgroupNS, err = proc.namespace(j.rec.Pid, "cgroup"); err != nil {
			return fault.Hostf("", err, "open the cgroup namespace of process %d", j.rec.Pid)
		}
	}
	if in.Join.Root = in.Hook == nil && !plan.NewMountNamespace(in.Spec); in.Join.Root {
		if j.root, err = proc.root(j.rec.Pid); err != nil {
			return fault.Hostf("/root/path", err, "open the root of process %d", j.rec.Pid)
		}
	}
	// All of that was init's if it is still there.
	if err := unix.PidfdSendSignal(j.init, 0, nil, 0); err != nil {
		return fault.Hostf("", err, "look at process %d once more", j.rec.Pid)
	}
	return nil
}

// spawn starts the stage with the fds that its program expects.
func (j *joining) spawn(in *plan.Input) error {
	handed := nsenter.Options{ID: j.o.ID, Stdio: j.o.Stdio, Control: in.PreserveFDs}
	for fd := range in.PreserveFDs {
		handed.Files = append(handed.Files, 3+fd)
	}
	if j.group != nil {
		handed.Files = append(handed.Files, j.group.FD())
	}
	handed.Files = append(handed.Files, j.init)
	if j.cgroupNS >= 0 {
		handed.Files = append(handed.Files, j.cgroupNS)
	}
	if j.root >= 0 {
		handed.Files = append(handed.Files, j.root)
	}
	handed.Files = append(handed.Files, j.handles.files()...)
	var err error
	j.stage, err = nsenter.Start(j.program, handed)
	return err
}

// await follows the stage until the process is one of the container, or until it has
// executed the payload where somebody has to know that.
func (j *joining) await(in *plan.Input) error {
	if err := j.place(in); err != nil {
		return err
	}
	for {
		msg, err := j.stage.Receive()
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return j.program.Fault(msg)
		case msg.Ended():
			if !j.ready || j.pid == 0 {
				return fault.Hostf("", unix.ECHILD, "the stage was killed while it entered the container")
			}
			reap(j.stage.Pid)
			return writePidFile(j.o.PidFile, j.pid)
		case msg.Type == nsenter.MessageReady:
			j.ready = true
		case msg.Type == nsenter.MessageTerminal:
			if err := j.pty.take(msg.Pidfd); err != nil {
				return err
			}
		case msg.Type == nsenter.MessageListener:
			if err := j.agent.handOver(msg.Pidfd, j.stage.Control(), j.pid, j.rec.state(specs.StateRunning)); err != nil {
				return err
			}
			if !j.o.Detach {
				j.signals = watch()
			}
		case msg.Type == nsenter.MessagePid:
			j.pid, j.pidfd = msg.Pid, msg.Pidfd
			if err := j.adopt(in); err != nil {
				return err
			}
			if j.stays {
				return nil
			}
		}
	}
}

// adopt does what needs the host, and lets the process go on.
func (j *joining) adopt(in *plan.Input) error {
	if adj := in.Spec.Process.OOMScoreAdj; adj != nil {
		if err := setOOMScore(j.pid, *adj); err != nil {
			return err
		}
	}
	if err := joinResctrl(j.rec.rdtGroups, j.pid); err != nil {
		return err
	}
	if err := sendPidfd(j.o.PidfdSocket, "setns", j.pidfd); err != nil {
		return err
	}
	if !j.o.Detach && j.agent == nil && j.signals == nil {
		j.signals = watch()
	}
	heed(j.signals)
	return release(j.stage, j.program, -1)
}

// setOOMScore writes a value that a process does not have already: to write it
// lower than it was takes a privilege, to leave it none.
func setOOMScore(pid, adj int) error {
	proc, err := openProc()
	if err != nil {
		return err
	}
	defer proc.close()
	want := strconv.Itoa(adj)
	if is, err := proc.read(pid, "oom_score_adj"); err == nil && is == want {
		return nil
	}
	if err := proc.write(pid, "oom_score_adj", want); err != nil {
		return fault.Hostf("/process/oomScoreAdj", err, "write oom_score_adj")
	}
	return nil
}

// wait waits for the payload's end, and passes signals on to it.
func (j *joining) wait(in *plan.Input) (int, error) {
	passed := forward(j.signals, j.pidfd)
	status := waitFor(j.pid)
	j.pty.terminal.detach()
	if j.stays {
		if err := j.lastWords(); err != nil && !passed.killed(status) {
			return ExecStatus, err
		}
	}
	return status, nil
}

// lastWords reads why the process did not come to execute the payload, if so.
func (j *joining) lastWords() error {
	defer reap(j.stage.Pid)
	for {
		msg, err := j.stage.Receive()
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return j.program.Fault(msg)
		case msg.Type == nsenter.MessageReady:
			j.ready = true
		case msg.Ended() && !j.ready:
			return fault.Hostf("", unix.ECHILD, "the stage was killed while it entered the container")
		case msg.Ended():
			return nil
		}
	}
}

// hearPid reads on to the number of a process that failed before its maker said it.
// It has to be reaped: until then the container's init cannot end.
func (j *joining) hearPid() {
	for {
		msg, err := j.stage.Receive()
		if err != nil || msg.Ended() {
			return
		}
		if msg.Type == nsenter.MessagePid {
			j.pid, j.pidfd = msg.Pid, msg.Pidfd
			return
		}
	}
}

// undo ends a process that did not become the payload.
func (j *joining) undo() error {
	defer j.pty.terminal.detach()
	if j.pid == 0 {
		j.hearPid()
	}
	j.stage.Close()
	if j.pidfd >= 0 {
		unix.PidfdSendSignal(j.pidfd, unix.SIGKILL, nil, 0)
	}
	reap(j.stage.Pid)
	if j.pid != 0 {
		reap(j.pid)
	}
	return nil
}

func (j *joining) close() {
	if j.stage != nil {
		j.stage.Close()
	}
	if j.group != nil {
		j.group.Close()
	}
	if len(j.handles) > 0 {
		j.cgroupNS = -1 // it belongs to who has the handles
	}
	for _, fd := range [...]int{j.init, j.pidfd, j.cgroupNS, j.root} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if j.dir != nil {
		j.dir.close()
	}
}
