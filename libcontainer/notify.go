package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A payload that tells a service manager when it is ready (sd_notify(3)) does so
// through brig: it gets a socket of its own, in a directory of the container's own
// that is mounted read-only, and brig passes on the one word READY=1. The manager's
// socket never comes into the container.
const (
	notifyDir    = "notify"
	notifySocket = notifyDir + "/notify.sock"
	notifyTarget = "/run/notify"
)

// notifyHost is the service manager's socket, "" without one.
func notifyHost() string { return os.Getenv("NOTIFY_SOCKET") }

// notifiable gives the payload a socket in place of the service manager's.
func (r *Runtime) notifiable(s *specs.Spec, id string) error {
	if notifyHost() == "" {
		return nil
	}
	root, err := filepath.Abs(r.Root)
	if err != nil {
		return fault.Hostf("", err, "find --root %s", r.Root)
	}
	s.Mounts = append(s.Mounts, specs.Mount{
		Destination: notifyTarget, Type: "bind", Source: filepath.Join(root, id, notifyDir),
		Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
	})
	s.Process.Env = append(s.Process.Env, "NOTIFY_SOCKET="+notifyTarget+"/notify.sock")
	return nil
}

// makeNotifyDir makes what notifiable mounts.
func (d *directory) makeNotifyDir() error {
	if notifyHost() == "" {
		return nil
	}
	if err := unix.Mkdirat(d.fd, notifyDir, 0o755); err != nil {
		return fault.Hostf("", err, "create the directory of the notify socket of %q", d.id)
	}
	// The umask must not keep the payload's user from its socket.
	if err := unix.Fchmodat(d.fd, notifyDir, 0o755, 0); err != nil {
		return fault.Hostf("", err, "open up the directory of the notify socket of %q", d.id)
	}
	return nil
}

// listenNotify makes the directory, and for a run, whose payload may speak at any
// moment, the socket.
func (m *made) listenNotify(run bool) error {
	err := m.dir.makeNotifyDir()
	if err == nil && run {
		m.notify, err = m.dir.listenNotify()
	}
	return err
}

// notifier listens to the payload.
type notifier struct {
	fd   int
	host string
}

// listenNotify binds the payload's socket; nil without a service manager.
func (d *directory) listenNotify() (*notifier, error) {
	host := notifyHost()
	if host == "" {
		return nil, nil
	}
	switch err := unix.Faccessat(d.fd, notifyDir, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW); {
	case errors.Is(err, unix.ENOENT):
		return nil, nil
	case err != nil:
		return nil, fault.Hostf("", err, "look for the directory of the notify socket of %q", d.id)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fault.Hostf("", err, "create the notify socket")
	}
	err = d.within(func() error { return unix.Bind(fd, &unix.SockaddrUnix{Name: notifySocket}) })
	if err == nil {
		err = unix.Fchmodat(d.fd, notifySocket, 0o777, 0)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fault.Hostf("", err, "bind the notify socket of %q", d.id)
	}
	return &notifier{fd, host}, nil
}

func (n *notifier) close() {
	if n != nil {
		unix.Close(n.fd)
	}
}

// await passes READY=1 on, once the payload has said it, and returns then or when the
// payload has ended. mainPid, if not 0, becomes the service's main process.
func (n *notifier) await(pidfd, mainPid int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fault.Hostf("", err, "wait for the payload to be ready")
		case fds[0].Revents&unix.POLLIN != 0:
			if ready, err := n.ready(); err != nil || ready {
				return errors.Join(err, n.tell(mainPid))
			}
		case fds[1].Revents != 0:
			return nil
		}
	}
}

// maxNotify bounds a message of the payload, as systemd bounds it.
const maxNotify = 4096

func (n *notifier) ready() (bool, error) {
	buf := make([]byte, maxNotify)
	size, _, err := unix.Recvfrom(n.fd, buf, unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, fault.Hostf("", err, "receive what the payload notifies")
	}
	for _, line := range strings.Split(string(buf[:size]), "\n") {
		if line == "READY=1" {
			return true, nil
		}
	}
	return false, nil
}

// tell says to the service manager that the payload is ready, and waits until it has
// taken that in: afterwards brig may be gone.
func (n *notifier) tell(mainPid int) error {
	state := "READY=1\n"
	if mainPid != 0 {
		state += "MAINPID=" + strconv.Itoa(mainPid) + "\n"
	}
	if err := n.send(state, -1); err != nil {
		return err
	}
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC); err != nil {
		return fault.Hostf("", err, "pipe for the service manager")
	}
	defer unix.Close(pipe[0])
	err := n.send("BARRIER=1", pipe[1])
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	// The manager closes its end when it has come this far; one that knows no
	// barriers, never.
	unix.Poll([]unix.PollFd{{Fd: int32(pipe[0]), Events: unix.POLLHUP}}, int(barrierTime.Milliseconds()))
	return nil
}

const barrierTime = 5 * time.Second

func (n *notifier) send(state string, fd int) error {
	name := n.host
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fault.Hostf("", err, "create a socket for the service manager")
	}
	defer unix.Close(s)
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	if err := unix.Sendmsg(s, []byte(state), rights, &unix.SockaddrUnix{Name: name}, unix.MSG_NOSIGNAL); err != nil {
		return fault.Hostf("", err, "notify the service manager at %s", n.host)
	}
	return nil
}
