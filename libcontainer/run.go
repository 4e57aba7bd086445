package libcontainer

import (
	"errors"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// RunOptions are the flags of run beyond those of create.
type RunOptions struct {
	CreateOptions
	Detach      bool
	Keep        bool
	NoSubreaper bool
	Timings     func(p *nsenter.Program, stamps []byte) // nil without --timings
}

// Run makes a container, starts it, waits for its end and removes it. It returns
// the payload's exit status, 128 and the signal's number for one that was killed.
func (r *Runtime) Run(o *RunOptions) (int, error) {
	if !o.NoSubreaper {
		// What the payload leaves behind is reaped here, not by the host's init.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return 1, fault.Hostf("", err, "become a subreaper")
		}
	}
	o.stays = !o.Detach && o.Timings == nil
	m, in, err := r.make(&o.CreateOptions, true, o.Timings != nil, o.Detach)
	if err != nil {
		return 1, err
	}
	if !o.stays {
		if err := m.exec(o); err != nil {
			return 1, m.failed(err)
		}
		if err := m.rec.poststart(); err != nil {
			return 1, m.failed(err)
		}
	}
	if o.Detach {
		defer m.close()
		if m.notify != nil {
			return 0, m.notify.await(m.pidfd, m.rec.Pid)
		}
		return 0, nil
	}
	if m.notify != nil {
		// The service's main process is brig, which ends with the payload.
		go m.notify.await(m.pidfd, 0)
	}
	passed := forward(m.signals, m.pidfd)
	// Others may kill and delete it from here on.
	m.dir.unlock()
	status := m.wait()
	m.pty.terminal.detach()
	m.pty.terminal = nil
	if err := m.lastWords(in); err != nil && !passed.killed(status) {
		m.removePidFile()
		return 1, errors.Join(err, m.finish())
	}
	if o.Keep {
		m.close()
		return status, nil
	}
	return status, m.finish()
}

// lastWords reads what the stage said after brig had stopped to listen: why it did
// not come to execute the payload, if it did not.
func (m *made) lastWords(in *plan.Input) error {
	for {
		msg, err := m.stage.Receive()
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return m.program.Fault(msg)
		case msg.Type == nsenter.MessageReady:
			m.ready = true
		case msg.Ended() && !m.ready:
			return m.vanished(in)
		case msg.Ended():
			return nil
		}
	}
}

// finish removes a container that has ended, unless somebody else has done it.
func (m *made) finish() error {
	if err := m.dir.lock(); err != nil {
		m.close()
		if isNotExist(err) {
			return nil
		}
		return err
	}
	return m.undo()
}

// exec waits until the payload runs: from then on the container is running.
func (m *made) exec(o *RunOptions) error {
	receive := m.stage.Receive
	if o.Timings != nil {
		receive = m.stage.ReceiveTimes
	}
	for {
		msg, err := receive()
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return m.program.Fault(msg)
		case msg.Ended():
			return nil
		case msg.Type == nsenter.MessageListener:
			if err := m.rec.Agent.handOver(msg.Pidfd, m.stage.Control(), m.rec.Pid, m.rec.state(specs.StateCreating)); err != nil {
				return err
			}
			if m.waits {
				m.signals = watch()
			}
		case msg.Type == nsenter.MessageTimes && o.Timings != nil:
			o.Timings(m.program, msg.Data)
		}
	}
}

// wait reaps all children until init has ended.
func (m *made) wait() int { return waitAmong(-1, m.rec.Pid) }

// waitFor waits for one child.
func waitFor(pid int) int { return waitAmong(pid, pid) }

// waitAmong reaps what is to be reaped until the child with a pid has ended, and
// returns its exit status, 128 and the signal's number for one that was killed.
func waitAmong(which, pid int) int {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(which, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1
		case got != pid:
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}
