package systemd

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brig/cgroups"

	"golang.org/x/sys/unix"
)

// bus is a bus that a test plays: it authenticates, and answers each call with what
// the test says.
type bus struct {
	t        *testing.T
	greeting string
	answer   func(call *message) []*message // nil for a bus that says nothing
	calls    []string
}

// listen makes the bus the system's.
func (b *bus) listen() {
	b.t.Helper()
	name := filepath.Join(b.t.TempDir(), "bus")
	l, err := net.Listen("unix", name)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { l.Close() })
	b.t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=x;unix:guid=1,path="+name)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
}

func (b *bus) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for _, want := range []string{"\x00AUTH EXTERNAL\r\n", "DATA\r\n"} {
		if line, err := in.ReadString('\n'); err != nil || line != want {
			return
		}
	}
	c.Write([]byte("DATA\r\n" + b.greeting + "\r\n"))
	if line, err := in.ReadString('\n'); err != nil || line != "BEGIN\r\n" {
		return
	}
	for serial := uint32(1); ; {
		header := make([]byte, headerSize)
		if _, err := readFull(in, header); err != nil {
			return
		}
		n, err := size(header)
		if err != nil {
			return
		}
		rest := make([]byte, n-headerSize)
		if _, err := readFull(in, rest); err != nil {
			return
		}
		call, err := decode(append(header, rest...))
		if err != nil {
			return
		}
		b.calls = append(b.calls, call.member)
		for _, m := range b.answer(call) {
			m.serial = serial
			serial++
			c.Write(m.encode())
		}
	}
}

func readFull(in *bufio.Reader, buf []byte) (int, error) {
	for at := 0; at < len(buf); {
		n, err := in.Read(buf[at:])
		if err != nil {
			return at, err
		}
		at += n
	}
	return len(buf), nil
}

func done(call *message) *message { return &message{kind: reply, replySerial: call.serial} }

func no(call *message, name, text string) []*message {
	return []*message{{kind: failure, replySerial: call.serial, errorName: name, signature: "s", body: []any{text}}}
}

// job answers with a job, and says before that how it has ended: signals may come
// at any time.
func theJob(call *message, result string) []*message {
	other := &message{
		kind: signal, path: managerPath, iface: managerFace, member: "JobRemoved", signature: "uoss",
		body: []any{uint32(1), "/job/other", "other.scope", "failed"},
	}
	end := &message{
		kind: signal, path: managerPath, iface: managerFace, member: "JobRemoved", signature: "uoss",
		body: []any{uint32(2), "/job/2", "brig-x.scope", result},
	}
	answer := &message{kind: reply, replySerial: call.serial, signature: "o", body: []any{"/job/2"}}
	return []*message{other, end, answer}
}

// systemd answers as it does when all goes well, but for the calls that are named.
func (b *bus) systemd(special map[string]func(call *message) []*message) {
	b.greeting = "OK 1234deadbeef"
	b.answer = func(call *message) []*message {
		if f := special[call.member]; f != nil {
			return f(call)
		}
		switch call.member {
		case "StartTransientUnit", "StopUnit":
			return theJob(call, "done")
		case "Get":
			return []*message{{kind: reply, replySerial: call.serial, signature: "v", body: []any{Variant{"s", "/system.slice/brig-x.scope"}}}}
		case "GetUnit":
			return []*message{{kind: reply, replySerial: call.serial, signature: "o", body: []any{"/unit"}}}
		}
		return []*message{done(call)}
	}
	b.listen()
}

var unit = &Unit{Name: "brig-x.scope", Slice: "system.slice"}

func TestScope(t *testing.T) {
	b := &bus{t: t}
	b.systemd(nil)
	m, err := Dial(false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Start(unit, 42, Properties([]cgroups.Write{{File: "memory.max", Value: "max"}})); err != nil {
		t.Error(err)
	}
	if path, err := m.Cgroup(unit); err != nil || path != "/system.slice/brig-x.scope" {
		t.Errorf("%q, %v", path, err)
	}
	if err := m.Set(unit, Properties([]cgroups.Write{{File: "pids.max", Value: "1"}})); err != nil {
		t.Error(err)
	}
	if err := m.Stop(unit); err != nil {
		t.Error(err)
	}
	if got := strings.Join(b.calls, " "); got != "Hello AddMatch Subscribe StartTransientUnit GetUnit Get SetUnitProperties StopUnit ResetFailedUnit" {
		t.Errorf("the calls are %s", got)
	}
}

// A name that a failed scope still has is freed; one that is in use is an error.
func TestScopeThatExists(t *testing.T) {
	tries := 0
	b := &bus{t: t}
	b.systemd(map[string]func(*message) []*message{"StartTransientUnit": func(call *message) []*message {
		if tries++; tries == 1 {
			return no(call, "org.freedesktop.systemd1.UnitExists", "Unit brig-x.scope was already loaded or has a fragment file.")
		}
		return theJob(call, "done")
	}})
	m, err := Dial(false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Start(unit, 42, nil); err != nil || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// Each call that fails, and each that is never answered, is named.
func TestErrorsOfTheBus(t *testing.T) {
	fails := func(call *message) []*message { return no(call, "org.x.Failed", "it is broken") }
	silent := func(*message) []*message { return nil }
	start := func(m *Manager) error { return m.Start(unit, 1, nil) }
	stop := func(m *Manager) error { return m.Stop(unit) }
	set := func(m *Manager) error { return m.Set(unit, []Property{property("A", "s", "b")}) }
	group := func(m *Manager) error { _, err := m.Cgroup(unit); return err }
	attach := func(m *Manager) error { return m.Attach(unit, "", 1) }
	for _, c := range []struct {
		name, call string
		answer     func(*message) []*message
		do         func(*Manager) error
		want       string
	}{
		{"hello", "Hello", fails, nil, "Hello: it is broken (org.x.Failed)"},
		{"hello that hangs", "Hello", silent, nil, "Hello: ETIMEDOUT"},
		{"match that hangs", "AddMatch", silent, nil, "AddMatch: ETIMEDOUT"},
		{"no systemd behind the bus", "Subscribe", func(call *message) []*message {
			return no(call, "org.freedesktop.DBus.Error.ServiceUnknown", "The name is not activatable")
		}, nil, "Subscribe: The name is not activatable"},
		{"start", "StartTransientUnit", fails, start, "StartTransientUnit: it is broken"},
		{"start that hangs", "StartTransientUnit", silent, start, "StartTransientUnit: ETIMEDOUT"},
		{"a unit in use", "StartTransientUnit", func(call *message) []*message {
			return no(call, "org.freedesktop.systemd1.UnitExists", "already loaded")
		}, start, "brig-x.scope is there already, with processes in it"},
		{"a property that nobody knows", "StartTransientUnit", func(call *message) []*message {
			return no(call, "org.freedesktop.DBus.Error.PropertyReadOnly", "Cannot set property Foo")
		}, start, "a property that this systemd does not know"},
		{"a job that fails", "StartTransientUnit", func(call *message) []*message { return theJob(call, "failed") }, start, `its job ended with "failed"`},
		{"a job without an end", "StartTransientUnit", func(call *message) []*message {
			return []*message{{kind: reply, replySerial: call.serial, signature: "o", body: []any{"/job/3"}}}
		}, start, "wait for the job of StartTransientUnit: ETIMEDOUT"},
		{"stop", "StopUnit", fails, stop, "StopUnit: it is broken"},
		{"stop that hangs", "StopUnit", silent, stop, "StopUnit: ETIMEDOUT"},
		{"stop of nothing", "StopUnit", func(call *message) []*message {
			return no(call, "org.freedesktop.systemd1.NoSuchUnit", "not loaded")
		}, stop, ""},
		{"forget", "ResetFailedUnit", fails, stop, "ResetFailedUnit: it is broken"},
		{"forget that hangs", "ResetFailedUnit", silent, stop, "ResetFailedUnit: ETIMEDOUT"},
		{"a stop without an end", "StopUnit", func(call *message) []*message {
			return []*message{{kind: reply, replySerial: call.serial, signature: "o", body: []any{"/job/3"}}}
		}, stop, "wait for the job of StopUnit: ETIMEDOUT"},
		{"set", "SetUnitProperties", fails, set, "SetUnitProperties: it is broken"},
		{"set that hangs", "SetUnitProperties", silent, set, "SetUnitProperties: ETIMEDOUT"},
		{"attach", "AttachProcessesToUnit", fails, attach, "AttachProcessesToUnit: it is broken"},
		{"attach that hangs", "AttachProcessesToUnit", silent, attach, "AttachProcessesToUnit: ETIMEDOUT"},
		{"no unit", "GetUnit", fails, group, "GetUnit: it is broken"},
		{"unit that hangs", "GetUnit", silent, group, "GetUnit: ETIMEDOUT"},
		{"property that hangs", "Get", silent, group, "Get: ETIMEDOUT"},
		{"no cgroup", "Get", func(call *message) []*message { return []*message{done(call)} }, group, "systemd has no cgroup for brig-x.scope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bus{t: t}
			b.systemd(map[string]func(*message) []*message{c.call: c.answer})
			m, err := dial(false, 300*time.Millisecond)
			if err == nil {
				defer m.Close()
				if c.do == nil {
					t.Fatal("it connects")
				}
				err = c.do(m)
			}
			if c.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
	if _, err := Dial(false); err == nil || !strings.Contains(err.Error(), "connect to D-Bus at ") || !strings.Contains(err.Error(), "--systemd-cgroup is for hosts that run systemd") {
		t.Errorf("%v", err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	if _, err := Dial(true); err == nil || !strings.Contains(err.Error(), "find the bus of the user") || !strings.Contains(err.Error(), "enable-linger") {
		t.Errorf("%v", err)
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if _, err := Dial(true); err == nil || !strings.Contains(err.Error(), "/bus: ENOENT") || !strings.Contains(err.Error(), "enable-linger") {
		t.Errorf("%v", err)
	}
	refuses := &bus{t: t, greeting: "REJECTED EXTERNAL"}
	refuses.listen()
	if _, err := Dial(false); err == nil || !strings.Contains(err.Error(), `authenticate: the bus says "REJECTED EXTERNAL"`) {
		t.Errorf("%v", err)
	}
	ends := &bus{t: t, greeting: strings.Repeat("x", 600)}
	ends.listen()
	if _, err := Dial(false); err == nil || !strings.Contains(err.Error(), "authenticate: a message that is not D-Bus") {
		t.Errorf("%v", err)
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]bool{
		"org.freedesktop.DBus.Error.InvalidArgs": true, "org.freedesktop.systemd1.NoSuchUnit": true, "org.freedesktop.DBus.Error.ServiceUnknown": true,
		"org.freedesktop.DBus.Error.NoReply": false, "org.freedesktop.DBus.Error.Timeout": false,
		"org.freedesktop.DBus.Error.TimedOut": false, "org.freedesktop.DBus.Error.Disconnected": false,
	} {
		err := error(&Error{Name: name})
		if got := Refused(fmt.Errorf("call: %w", err)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Refused(unix.ETIMEDOUT) || Refused(nil) {
		t.Error("what is no answer is no refusal")
	}
}
