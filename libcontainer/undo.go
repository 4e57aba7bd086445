package libcontainer

import (
	"errors"

	"golang.org/x/sys/unix"
)

// failed removes a container whose start failed, with its pid file: nobody shall
// take the number for that of a payload.
func (m *made) failed(err error) error {
	m.removePidFile()
	return errors.Join(err, m.undo())
}

func (m *made) removePidFile() {
	if m.pidFile != "" && m.rec != nil {
		unix.Unlink(m.pidFile)
	}
}

// undo removes a container that did not come about. What cannot be removed stays known,
// for brig delete.
func (m *made) undo() error {
	defer m.close()
	defer m.pty.terminal.detach()
	if m.stage != nil {
		m.stage.Close()
		reap(m.stage.Pid)
	}
	if m.pidfd >= 0 {
		unix.PidfdSendSignal(m.pidfd, unix.SIGKILL, nil, 0)
	}
	var err error
	if m.group != nil {
		err = removeCgroup(m.group.Path())
	}
	if m.rec != nil {
		reapAll(m.rec.Pid)
	}
	if err = errors.Join(err, m.scope.remove(), removeResctrl(m.rdt)); err == nil {
		err = m.dir.remove()
	}
	if m.due && len(m.rec.Hooks) > 0 {
		m.runtime.poststop(m.rec)
	}
	return err
}

// reap waits for a child that was killed or is about to end.
func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// reapAll reaps children until init is one of them. A process of a hook may be there that
// nobody has heard of, because its stage was killed before it said so; as long as that
// is in the PID namespace, init does not end.
func reapAll(init int) {
	for {
		pid, err := unix.Wait4(-1, nil, 0, nil)
		if pid == init || err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func (m *made) close() {
	if m.stage != nil {
		m.stage.Close()
	}
	if m.group != nil {
		m.group.Close()
		m.group = nil
	}
	if m.pidfd >= 0 {
		unix.Close(m.pidfd)
		m.pidfd = -1
	}
	if m.systemd != nil {
		m.systemd.Close()
		m.systemd = nil
	}
	m.handles.close()
	m.notify.close()
	m.notify = nil
	m.dir.close()
}
