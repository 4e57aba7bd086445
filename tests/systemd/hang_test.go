package systemd_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// halting is a bus between brig and the system's: it passes everything on until a word
// comes by, and no answer from then on. It returns its address.
func halting(t *testing.T, word string) string {
	t.Helper()
	path := t.TempDir() + "/bus"
	l, err := net.Listen("unix", path)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", "/run/dbus/system_bus_socket")
			if err != nil {
				from.Close()
				return
			}
			t.Cleanup(func() { from.Close(); to.Close() })
			var halted atomic.Bool
			go pass(from, to, func(text []byte) bool {
				if bytes.Contains(text, []byte(word)) {
					halted.Store(true)
				}
				return true
			})
			go pass(to, from, func([]byte) bool { return !halted.Load() })
		}
	}()
	return "unix:path=" + path
}

// pass copies what comes from a connection, if it may.
func pass(from io.Reader, to io.Writer, may func([]byte) bool) {
	text := make([]byte, 64<<10)
	for {
		n, err := from.Read(text)
		if err != nil {
			return
		}
		if may(text[:n]) {
			to.Write(text[:n])
		}
	}
}

// A bus that hangs is an error that says which call did, also when systemd has made the
// scope: nothing is left of it.
func TestBusHangs(t *testing.T) {
	for word, want := range map[string]string{
		"AUTH":               "authenticate: ETIMEDOUT",
		"Hello":              "Hello: ETIMEDOUT",
		"Subscribe":          "Subscribe: ETIMEDOUT",
		"StartTransientUnit": "StartTransientUnit: ETIMEDOUT",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, limits)
			t.Cleanup(b.left)
			cmd := b.command("run", "-b", b.dir, b.id)
			cmd.Env = append(cmd.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+halting(t, word))
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// Without a bus root is told what --systemd-cgroup is for.
func TestNoBusForRoot(t *testing.T) {
	b := newBox(t)
	cmd := b.command("run", "-b", b.dir, b.id)
	cmd.Env = append(cmd.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+b.dir+"/none")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "connect to D-Bus at "+b.dir+"/none: ENOENT") || !strings.Contains(string(out), "--systemd-cgroup is for hosts that run systemd") {
		t.Errorf("%v: %s", err, out)
	}
	b.left()
}

// --rootless says whose systemd is asked: that of the user, also for root, who has no
// session here, or that of the host, also for an ordinary user, who may not start units there.
func TestRootlessSaysWhoseSystemd(t *testing.T) {
	b := newBox(t)
	cmd := b.command("--rootless", "true", "run", "-b", b.dir, b.id)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "find the bus of the user") {
		t.Errorf("root, true: %v: %s", err, out)
	}
	b.left()
	u := newBox(t, `{"linux":{"uidMappings":[{"containerID":0,"hostID":1000,"size":1}],"gidMappings":[{"containerID":0,"hostID":1000,"size":1}],
		"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"},{"type":"user"}]}}`)
	u.as("tester")
	if _, stderr, code := u.brig("--rootless", "false", "run", "-b", u.dir, u.id); code == 0 || !strings.Contains(stderr, "StartTransientUnit: ") {
		t.Errorf("ordinary, false: exit %d: %s", code, stderr)
	}
	u.left()
}
