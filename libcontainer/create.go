package libcontainer

import (
	"os"
	"time"

	"brig/cgroups"
	"brig/cgroups/systemd"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// stageName is how a stage that waits for its start is called.
const stageName = plan.StageName

// CreateOptions are the flags of create and run.
type CreateOptions struct {
	ID           string
	Bundle       Bundle
	PidFile      string
	NoPivot      bool
	NoNewKeyring bool
	PreserveFDs  int
	Stdio        [3]int
	// ConsoleSocket gets the terminal of a container that is not waited for.
	ConsoleSocket string
	PidfdSocket   string // gets a pidfd of init

	stays bool             // the caller waits for init's end anyway
	host  func(*plan.Host) // for tests: changes the facts about this host
}

// made is a container that is made, and what its maker still holds of it.
type made struct {
	dir     *directory
	rec     *record
	group   *cgroups.Group
	stage   *nsenter.Stage
	program *nsenter.Program
	pty     pty
	notify  *notifier // nil without a service manager, and for create
	ready   bool      // init has said that all is set up
	rdt     rdtGroups
	scope   scope            // the unit of systemd that is to be removed
	systemd *systemd.Manager // nil without --systemd-cgroup
	handles handles          // what init has handed over
	mounted bool             // init waits for the hooks of create
	due     bool             // hooks have run, or the container is made: those of its end shall run
	runtime *Runtime
	waits   bool           // brig waits for the payload's end
	signals chan os.Signal // what is kept for the payload then, nil before it is watched
	pidfd   int
	pidFile string
}

// Create makes a container that waits for Start. When it returns an error,
// nothing of the container is left.
func (r *Runtime) Create(o *CreateOptions) error {
	m, _, err := r.make(o, false, false, true)
	if err != nil {
		return err
	}
	defer m.close()
	m.rec.Tail = tailOf(m.program)
	if err := m.commit(); err != nil {
		return m.failed(err)
	}
	return nil
}

// make does all of create and run but the last word to the stage.
func (r *Runtime) make(o *CreateOptions, run, timings, detach bool) (*made, *plan.Input, error) {
	in, writes, err := r.compileInput(o, perspective{rootless: rootless(), cache: true, handed: true})
	if err != nil {
		return nil, nil, err
	}
	in.Run, in.Timings = run, timings
	if err := shareSecret(in); err != nil {
		return nil, nil, err
	}
	// Somebody has to take the listener of the filter.
	o.stays = o.stays && agentOf(in) == nil
	if o.host != nil {
		o.host(&in.Host)
	}
	if err := checkTerminal(in.Spec.Process.Terminal, detach, o.ConsoleSocket); err != nil {
		return nil, nil, err
	}
	o.stays = o.stays && !in.Spec.Process.Terminal
	program, err := plan.Create(in)
	if err != nil {
		return nil, nil, err
	}
	if hasHooks(in.Spec.Hooks) {
		o.stays = false
	}
	m := &made{program: program, pidfd: -1, pidFile: o.PidFile, pty: pty{stdio: o.Stdio}, runtime: r, waits: !detach}
	if m.pty.socket, err = dialConsole(o.ConsoleSocket); err != nil {
		return nil, nil, err
	}
	defer m.pty.socket.close()
	if m.dir, err = r.claim(o.ID); err != nil {
		return nil, nil, err
	}
	if err := m.listenNotify(run); err != nil {
		return nil, nil, m.failed(err)
	}
	if err := r.build(m, o, in, writes); err != nil {
		return nil, nil, m.failed(err)
	}
	return m, in, nil
}

// build brings the container about, one effect after the other, each in the
// journal before it is done.
func (r *Runtime) build(m *made, o *CreateOptions, in *plan.Input, writes *limits) error {
	if err := m.enterResctrl(in.ID, in.Spec.Linux.IntelRdt); err != nil {
		return err
	}
	if err := m.enterCgroup(o, in, writes); err != nil {
		return err
	}
	listener := -1
	if !in.Run {
		var err error
		if listener, err = m.dir.listen(); err != nil {
			return err
		}
		defer unix.Close(listener)
	}
	if err := m.spawn(o, in, listener); err != nil {
		return err
	}
	// While the stage works on its namespaces, brig has nothing else to do.
	if o.stays && o.PidfdSocket == "" && m.systemd == nil {
		m.signals = watch()
	}
	if err := m.enterScope(writes); err != nil {
		return err
	}
	return m.await(o, in, writes)
}

// spawn starts the stage with the fds that its program expects.
func (m *made) spawn(o *CreateOptions, in *plan.Input, listener int) error {
	handed := nsenter.Options{ID: o.ID, Stdio: o.Stdio, Control: in.PreserveFDs}
	for fd := range in.PreserveFDs {
		handed.Files = append(handed.Files, 3+fd)
	}
	if m.group != nil {
		handed.Files = append(handed.Files, m.group.FD())
	}
	if listener >= 0 {
		handed.Files = append(handed.Files, listener)
	}
	maps, err := openIDMaps(in.IDMaps)
	if err != nil {
		return err
	}
	defer closeAll(maps)
	handed.Files = append(handed.Files, maps...)
	m.stage, err = nsenter.Start(m.program, handed)
	return err
}

// await follows the stage until the container is ready: it records init's pid,
// maps ids, and turns an error frame into the error it means. Init and the process
// that forked it run side by side, so their messages come in any order.
//
// A run that stays has nothing to do when init is ready, for the word to go on lies
// there already: it is not even woken, and looks at what init said at its end.
func (m *made) await(o *CreateOptions, in *plan.Input, writes *limits) error {
	for m.rec == nil || !m.ready && !o.stays {
		msg, err := m.stage.Receive()
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return m.program.Fault(msg)
		case msg.Ended():
			return m.vanished(in)
		case msg.Type == nsenter.MessageReady:
			m.ready = true
		case msg.Type == nsenter.MessageTerminal:
			if err := m.pty.take(msg.Pidfd); err != nil {
				return err
			}
		case msg.Type == nsenter.MessageNamespace:
			if err := m.handles.take(msg); err != nil {
				return err
			}
		case msg.Type == nsenter.MessageMounted:
			m.mounted = true
		case msg.Type == nsenter.MessagePid:
			if err := m.adopt(o, in, writes, msg); err != nil {
				return m.reason(err)
			}
		}
		if m.mounted && m.rec != nil {
			m.mounted = false
			if err := m.createHooks(in); err != nil {
				return err
			}
		}
	}
	if !o.stays {
		reap(m.stage.Pid)
	}
	if in.Run && hasHooks(in.Spec.Hooks) {
		return m.startWithHooks()
	}
	return nil
}

// startWithHooks starts a run whose payload waits for hooks.
func (m *made) startWithHooks() error {
	m.due = true
	if err := m.dir.save(m.rec); err != nil {
		return err
	}
	if err := m.runtime.startHooks(m.rec, m.handles); err != nil {
		return err
	}
	// Held longer, they would keep the mounts and the network alive that poststop hooks
	// find gone.
	m.handles.close()
	return m.commit()
}

// createHooks runs the hooks that the host's side has to offer to a container that
// is being made. The record is there before: a hook may ask for the state, and
// whoever removes what a killed brig left knows that hooks have run.
func (m *made) createHooks(in *plan.Input) error {
	m.rec.Creating, m.due = true, true
	if err := m.dir.save(m.rec); err != nil {
		return err
	}
	// The specification's own validation wants "created" in the hooks that were once those
	// of start, and crun says so; in the others runc's "creating".
	//lint:ignore SA1019 deprecated, but engines still write it
	if err := m.rec.runHooks(prestart, Created, hooksOf(in.Spec.Hooks.Prestart)); err != nil {
		return err
	}
	if err := m.rec.runHooks(createRuntime, Creating, hooksOf(in.Spec.Hooks.CreateRuntime)); err != nil {
		return err
	}
	if err := m.runtime.createContainerHooks(m.rec, in, m.handles); err != nil {
		return m.reason(err)
	}
	m.handles.close()
	m.rec.Creating = false
	return m.release(-1)
}

// vanished explains a stage that ended without a word: something killed it.
func (m *made) vanished(in *plan.Input) error {
	e := fault.Hostf("", unix.ECHILD, "the stage was killed while it made the container")
	if r := in.Spec.Linux.Resources; r != nil && r.Memory != nil {
		e.Pointer = "/linux/resources/memory"
		e.Hint = "was it the memory limit? it has to hold the payload and some pages of the stage"
	}
	return e
}

func newRecord(in *plan.Input, b *Bundle, init identity) *record {
	return &record{
		OCIVersion: specs.Version, ID: in.ID, Pid: init.pid, StartTime: init.startTime, Boot: init.boot, Bundle: in.Bundle,
		Config: b.file(in.Bundle), Rootfs: in.Rootfs, Created: time.Now().UTC(), Owner: os.Geteuid(), Annotations: in.Spec.Annotations,
		NoNewKeyring: in.NoNewKeyring, Hooks: keep(in.Spec.Hooks, in.HandsOver() && !in.Run),
	}
}

// commit writes the state and the pid file, and tells the stage that somebody
// knows of it now.
func (m *made) commit() error {
	if err := m.dir.save(m.rec); err != nil {
		return err
	}
	m.due = true
	if err := writePidFile(m.pidFile, m.rec.Pid); err != nil {
		return err
	}
	if m.waits && m.signals == nil && m.rec.Agent == nil {
		m.signals = watch()
	}
	heed(m.signals)
	return m.release(-1)
}

// release tells the stage to go on, with an fd beside the word if fd is not
// negative. One that is gone has said why.
func (m *made) release(fd int) error { return release(m.stage, m.program, fd) }

func release(stage *nsenter.Stage, p *nsenter.Program, fd int) error {
	err := stage.Go(fd)
	if err == nil {
		return nil
	}
	// What it said before it failed lies in front of that. One that is alive gets no
	// word any more, and gives up.
	_ = unix.Shutdown(stage.Control(), unix.SHUT_WR)
	for {
		msg, e := stage.Receive()
		switch {
		case e != nil || msg.Ended() || msg.Errno == unix.ECANCELED:
			return err
		case msg.Failed():
			return p.Fault(msg)
		}
	}
}

// tailOf is what `brig start` needs to explain an error of the stage.
func tailOf(p *nsenter.Program) []tailStep {
	var tail []tailStep
	started := false
	for _, s := range p.Steps {
		started = started || s.Section == "start"
		if started {
			tail = append(tail, tailStep{s.First, s.Pointer, s.Name})
		}
	}
	return tail
}
