package libcontainer

import (
	"errors"
	"time"

	"brig/libcontainer/fault"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// startSocket is bound in the container's directory, which only its owner can
// search. The stage reads one datagram from it.
const startSocket = "start"

// listen makes the start socket. Its name is relative to the directory, so that
// the length of --root does not matter: a socket address holds 108 bytes.
func (d *directory) listen() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fault.Hostf("", err, "create the start socket")
	}
	err = d.within(func() error { return unix.Bind(fd, &unix.SockaddrUnix{Name: startSocket}) })
	if err != nil {
		unix.Close(fd)
		return -1, fault.Hostf("", err, "bind the start socket")
	}
	return fd, nil
}

// within runs f with the container's directory as the working directory.
func (d *directory) within(f func() error) error {
	was, err := unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(was)
	if err := unix.Fchdir(d.fd); err != nil {
		return err
	}
	err = f()
	if back := unix.Fchdir(was); err == nil {
		err = back
	}
	return err
}

// Start lets a created container execute its payload, and returns when it has.
func (r *Runtime) Start(id string) error {
	d, err := r.open(id)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.lock(); err != nil {
		return err
	}
	rec, err := d.load()
	if errors.Is(err, unix.ENOENT) {
		return fault.Configf("", "cannot start a container in the %s state: %s", Stopped, id)
	}
	if err != nil {
		return err
	}
	status, err := d.status(rec)
	if err != nil {
		return err
	}
	if err := startable(status, id); err != nil {
		return err
	}
	return r.startAndNotify(d, rec)
}

// startAndNotify starts the payload, and under a service manager waits until it is
// ready or has ended.
func (r *Runtime) startAndNotify(d *directory, rec *record) error {
	n, err := d.listenNotify()
	if err != nil {
		return err
	}
	defer n.close()
	if err := r.startInside(d, rec); err != nil {
		return err
	}
	if err := rec.poststart(); err != nil {
		return errors.Join(err, r.end(d, rec))
	}
	if n == nil {
		return nil
	}
	pidfd, err := openInit(d.id, rec.identity())
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	d.unlock() // others may kill and delete it meanwhile
	return n.await(pidfd, rec.Pid)
}

// startInside runs the hooks of the start and lets init execute the payload.
func (r *Runtime) startInside(d *directory, rec *record) error {
	kept, err := rec.kept()
	if err != nil {
		return errors.Join(err, r.end(d, rec))
	}
	if !kept.Handed {
		if err := r.startHooks(rec, nil); err != nil {
			return errors.Join(err, r.end(d, rec))
		}
	}
	control, err := d.connect()
	if err != nil {
		return err
	}
	defer unix.Close(control)
	if kept.Handed {
		if err := r.handedHooks(rec, control); err != nil {
			return errors.Join(err, r.end(d, rec))
		}
	}
	return d.start(rec, control)
}

// poststart runs the hooks of a container whose payload runs.
func (rec *record) poststart() error {
	kept, err := rec.kept()
	if err != nil {
		return err
	}
	return rec.runHooks(poststart, Running, kept.Poststart)
}

// startable spells the refusals as engines know them.
func startable(status, id string) error {
	switch status {
	case Created:
		return nil
	case Stopped:
		return fault.Configf("", "cannot start a container that has stopped: %s", id)
	case Running:
		return fault.Configf("", "cannot start an already running container: %s", id)
	}
	return fault.Configf("", "cannot start a container in the %s state: %s", status, id)
}

// connect sends the datagram with the socket on which the stage answers.
func (d *directory) connect() (int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fault.Hostf("", err, "socketpair for the start")
	}
	err = d.sendStart(pair[1])
	unix.Close(pair[1])
	if err != nil {
		unix.Close(pair[0])
		return -1, err
	}
	return pair[0], nil
}

// start follows the stage to the end of the stream, which means that execve closed it.
func (d *directory) start(rec *record, control int) error {
	if err := d.started(rec, control); err != nil {
		return err
	}
	if err := d.executed(rec); err != nil {
		return err
	}
	if err := unix.Unlinkat(d.fd, startSocket, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fault.Hostf("", err, "remove the start socket of %q", d.id)
	}
	return nil
}

// started follows the stage to execve. Without an agent for the listener of its
// filter it cannot go on, and ends.
func (d *directory) started(rec *record, control int) error {
	for {
		msg, err := nsenter.ReceiveFrom(control)
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return rec.explain(msg)
		case msg.Ended():
			return nil
		case msg.Type == nsenter.MessageListener:
			if err := rec.Agent.handOver(msg.Pidfd, control, rec.Pid, rec.state(specs.StateCreating)); err != nil {
				return errors.Join(err, d.killInit(rec))
			}
		}
	}
}

// killInit ends an init that its filter may keep from ending by itself.
func (d *directory) killInit(rec *record) error {
	pidfd, err := openInit(d.id, rec.identity())
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fault.Hostf("", err, "kill init of %q", d.id)
	}
	return nil
}

// executed tells the end of the stream that execve makes from the one of an init
// that was killed before: that one ends with the name of the stage. In execve the
// kernel closes the fds first and changes the name a moment later, so that a process
// with the name of the stage that has not ended has to be looked at again.
func (d *directory) executed(rec *record) error {
	proc, err := openProc()
	if err != nil {
		return err
	}
	defer proc.close()
	for limit := time.Now().Add(killTimeout); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		p, err := proc.stat(rec.Pid)
		if err != nil || p.startTime != rec.StartTime || p.comm != stageName {
			return nil
		}
		if !p.alive(rec.StartTime) {
			break
		}
	}
	return fault.Hostf("", unix.ECHILD, "init of %q was killed before it executed the payload", d.id)
}

func (d *directory) sendStart(reporter int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fault.Hostf("", err, "create a socket for the start")
	}
	defer unix.Close(fd)
	err = d.within(func() error {
		return unix.Sendmsg(fd, []byte{'S'}, unix.UnixRights(reporter), &unix.SockaddrUnix{Name: startSocket}, unix.MSG_NOSIGNAL)
	})
	if errors.Is(err, unix.ECONNREFUSED) {
		return fault.Configf("", "cannot start a container that has stopped: %s", d.id)
	}
	if err != nil {
		return fault.Hostf("", err, "send the start")
	}
	return nil
}

// explain turns an error frame into the step that it comes from.
func (rec *record) explain(msg nsenter.Message) error {
	found := tailStep{Name: "start the payload"}
	for _, s := range rec.Tail {
		if s.First <= msg.Index {
			found = s
		}
	}
	return fault.Hostf(found.Pointer, msg.Errno, "%s", found.Name)
}
