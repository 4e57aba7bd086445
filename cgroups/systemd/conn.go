package systemd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// patience is how long one call may take, a job of systemd included.
const patience = 30 * time.Second

const (
	busName     = "org.freedesktop.DBus"
	busPath     = "/org/freedesktop/DBus"
	managerName = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	managerFace = "org.freedesktop.systemd1.Manager"
)

// Manager is a connection to an instance of systemd.
type Manager struct {
	fd       int
	address  string
	serial   uint32
	patience time.Duration
	ended    []job // jobs that have ended and that nobody has asked for yet
}

type job struct{ path, result string }

// Dial connects to systemd: the system's, or that of the user.
func Dial(user bool) (*Manager, error) { return dial(user, patience) }

func dial(user bool, patience time.Duration) (*Manager, error) {
	address, err := address(user)
	if err != nil {
		return nil, err
	}
	m := &Manager{fd: -1, address: address, patience: patience}
	if err := m.connect(user); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends the connection.
func (m *Manager) Close() {
	if m.fd >= 0 {
		unix.Close(m.fd)
		m.fd = -1
	}
}

// address is the socket of the bus.
func address(user bool) (string, error) {
	variable, socket := "DBUS_SYSTEM_BUS_ADDRESS", "/run/dbus/system_bus_socket"
	if user {
		variable, socket = "DBUS_SESSION_BUS_ADDRESS", ""
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
			socket = dir + "/bus"
		}
	}
	for entry := range strings.SplitSeq(os.Getenv(variable), ";") {
		kind, options, _ := strings.Cut(entry, ":")
		for option := range strings.SplitSeq(options, ",") {
			if path, ok := strings.CutPrefix(option, "path="); ok && kind == "unix" {
				return path, nil
			}
		}
	}
	if socket == "" {
		return "", fault.Hostf("", unix.ENOENT, "find the bus of the user: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set").
			WithHint("the systemd of a user needs a login session, or loginctl enable-linger")
	}
	return socket, nil
}

func (m *Manager) connect(user bool) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fault.Hostf("", err, "socket for D-Bus")
	}
	m.fd = fd
	// A bus whose queue is full would let connect wait for ever, and so would send.
	wait := unix.NsecToTimeval(m.patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		return fault.Hostf("", err, "set the time limit of D-Bus")
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: m.address}); err != nil {
		e := fault.Hostf("", err, "connect to D-Bus at %s", m.address)
		if user {
			return e.WithHint("the systemd of a user needs a login session, or loginctl enable-linger")
		}
		return e.WithHint("--systemd-cgroup is for hosts that run systemd")
	}
	if err := m.seesPeer(); err != nil {
		return err
	}
	limit := time.Now().Add(m.patience)
	// Who brig is the kernel says: in a user namespace brig does not know it.
	if err := m.send([]byte("\x00AUTH EXTERNAL\r\nDATA\r\n")); err != nil {
		return m.failed("authenticate", err)
	}
	line, err := m.line(limit)
	if err == nil && line == "DATA" {
		line, err = m.line(limit)
	}
	if err == nil && !strings.HasPrefix(line, "OK ") {
		err = fmt.Errorf("the bus says %q", line)
	}
	if err == nil {
		err = m.send([]byte("BEGIN\r\n"))
	}
	if err != nil {
		return m.failed("authenticate", err)
	}
	if _, err := m.call(&message{path: busPath, iface: busName, destination: busName, member: "Hello"}); err != nil {
		return err
	}
	// systemd tells of jobs those who have asked to hear of them.
	if _, err := m.call(&message{
		path: busPath, iface: busName, destination: busName, member: "AddMatch", signature: "s",
		body: []any{"type='signal',sender='" + managerName + "',interface='" + managerFace + "',member='JobRemoved'"},
	}); err != nil {
		return err
	}
	_, err = m.manager("Subscribe", "")
	return err
}

// seesPeer refuses the bus of a host in a container of it: systemd takes the number of a
// process as one of its own PID namespace, and the container of a brig in another one
// would be a process of the host. Who listens there has the number 0 here.
func (m *Manager) seesPeer() error {
	peer, err := unix.GetsockoptUcred(m.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || peer.Pid == 0 {
		return fault.Hostf("", err, "D-Bus at %s is of another PID namespace", m.address).
			WithHint("in a container, run brig without --systemd-cgroup")
	}
	return nil
}

// failed says which call it was.
func (m *Manager) failed(call string, err error) error {
	return fault.Hostf("", err, "D-Bus at %s: %s", m.address, call)
}

// Error is an answer of systemd that is one.
type Error struct{ Name, Text string }

func (e *Error) Error() string { return e.Text + " (" + e.Name + ")" }

// Refused says that an error is systemd's own answer to a call. The bus says by itself
// that it waited too long for one, or that systemd went away, and then nobody knows what
// systemd did.
func Refused(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch strings.TrimPrefix(e.Name, "org.freedesktop.DBus.Error.") {
	case "NoReply", "Timeout", "TimedOut", "Disconnected":
		return false
	}
	return true
}

// is says that an error is of a name.
func is(err error, name string) bool {
	var e *Error
	return errors.As(err, &e) && e.Name == name
}

// manager calls a method of systemd's manager.
func (m *Manager) manager(method, signature string, body ...any) (*message, error) {
	return m.call(&message{path: managerPath, iface: managerFace, destination: managerName, member: method, signature: signature, body: body})
}

// call sends a call and waits for its answer, and keeps the signals that come in
// between.
func (m *Manager) call(c *message) (*message, error) {
	m.serial++
	c.kind, c.serial = methodCall, m.serial
	limit := time.Now().Add(m.patience)
	if err := m.send(c.encode()); err != nil {
		return nil, m.failed(c.member, err)
	}
	for {
		answer, err := m.receive(limit)
		switch {
		case err != nil:
			return nil, m.failed(c.member, err)
		case answer.kind == signal:
			m.hear(answer)
		case answer.replySerial != c.serial:
		case answer.kind == failure:
			return nil, m.failed(c.member, &Error{answer.errorName, answer.text(0)})
		case answer.kind == reply:
			return answer, nil
		}
	}
}

// hear keeps the end of a job: JobRemoved(id, job, unit, result).
func (m *Manager) hear(s *message) {
	if s.member == "JobRemoved" && s.iface == managerFace {
		m.ended = append(m.ended, job{s.text(1), s.text(3)})
	}
}

// await waits for the end of a job, and returns its result.
func (m *Manager) await(call, path string) (string, error) {
	limit := time.Now().Add(m.patience)
	for {
		for _, j := range m.ended {
			if j.path == path {
				return j.result, nil
			}
		}
		s, err := m.receive(limit)
		if err != nil {
			return "", m.failed("wait for the job of "+call, err)
		}
		if s.kind == signal {
			m.hear(s)
		}
	}
}

func (m *Manager) send(raw []byte) error {
	for len(raw) > 0 {
		n, err := unix.SendmsgN(m.fd, raw, nil, nil, unix.MSG_NOSIGNAL)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		raw = raw[max(n, 0):]
	}
	return nil
}

// receive reads one message before the time limit.
func (m *Manager) receive(limit time.Time) (*message, error) {
	raw, err := m.read(headerSize, limit)
	if err != nil {
		return nil, err
	}
	whole, err := size(raw)
	if err != nil {
		return nil, err
	}
	rest, err := m.read(whole-headerSize, limit)
	if err != nil {
		return nil, err
	}
	return decode(append(raw, rest...))
}

// line reads a line of the authentication, byte by byte: what comes after it are
// messages.
func (m *Manager) line(limit time.Time) (string, error) {
	var text []byte
	for len(text) < 512 {
		b, err := m.read(1, limit)
		if err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return strings.TrimSuffix(string(text), "\r"), nil
		}
		text = append(text, b[0])
	}
	return "", errMessage
}

// read reads n bytes before the time limit.
func (m *Manager) read(n int, limit time.Time) ([]byte, error) {
	buf := make([]byte, n)
	for at := 0; at < n; {
		left := time.Until(limit)
		if left <= 0 {
			return nil, unix.ETIMEDOUT
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(m.fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) || err == nil && ready == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		k, err := unix.Read(m.fd, buf[at:])
		if err != nil {
			return nil, err
		}
		if k == 0 {
			return nil, unix.ECONNRESET
		}
		at += k
	}
	return buf, nil
}
