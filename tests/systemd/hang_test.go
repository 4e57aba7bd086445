package systemd_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"sync"
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

// watched lets brig find a bus, the system's or the user's, where it is told how often
// anybody connects.
func watched(t *testing.T, b *box) func() int32 {
	t.Helper()
	path := t.TempDir() + "/bus"
	l, err := net.Listen("unix", path)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	var count atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			c.Close()
		}
	}()
	b.env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+path, "DBUS_SESSION_BUS_ADDRESS=unix:path="+path)
	return count.Load
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

// TestBusHangs waits for all that hangs at once, rather than for as many as there are
// processors: brig's patience is half a minute.
func TestBusHangs(t *testing.T) {
	var all sync.WaitGroup
	hangs := func(verb, word string, test func(t *testing.T)) {
		all.Go(func() { t.Run(verb+"-"+word, test) })
	}
	for word, want := range map[string]string{
		"AUTH":               "authenticate",
		"Hello":              "Hello",
		"Subscribe":          "Subscribe",
		"StartTransientUnit": "StartTransientUnit",
	} {
		hangs("run", word, func(t *testing.T) { runHangs(t, word, want) })
	}
	for word, want := range map[string]string{"Hello": "20", "Subscribe": "20", "SetUnitProperties": "30"} {
		hangs("update", word, func(t *testing.T) { updateHangs(t, word, want) })
	}
	for _, word := range []string{"Hello", "StopUnit"} {
		hangs("delete", word, func(t *testing.T) { deleteHangs(t, word) })
	}
	all.Wait()
}

// hung runs brig with a bus that halts at a word. It has to come to an end, and to fail
// with the name of the call.
func (b *box) hung(word, call string, args ...string) {
	b.t.Helper()
	cmd := b.command(args...)
	cmd.Env = append(cmd.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+halting(b.t, word))
	_, stderr, code := b.finish(cmd)
	if code == 0 || !strings.Contains(stderr, ": "+call+": ETIMEDOUT") {
		b.t.Errorf("exit %d: %s", code, stderr)
	}
}

// A bus that hangs is an error that says which call did, also when systemd has made the
// scope: nothing is left of it.
func runHangs(t *testing.T, word, call string) {
	b := newBox(t, limits)
	b.hung(word, call, "run", "-b", b.dir, b.id)
	b.left()
}

// An update that does not reach systemd changes nothing; when only the answer is
// missing, systemd and the kernel have the same limits.
func updateHangs(t *testing.T, word, want string) {
	b := newBox(t, limits)
	unit := "brig-" + b.id + ".scope"
	b.start()
	b.hung(word, word, "update", "--pids-limit", "30", b.id)
	equal(t, b.file(unit, "pids.max")+" "+b.show(unit, "TasksMax"), want+" "+want)
	equal(t, b.ok("exec", b.id, "echo", "runs"), "runs")
}

// delete --force kills and removes the cgroup whatever the bus does. It fails with what
// it could not tell systemd, and the container is known until a later one can.
func deleteHangs(t *testing.T, word string) {
	b := newBox(t, limits)
	b.start()
	group := "/sys/fs/cgroup" + b.show("brig-"+b.id+".scope", "ControlGroup")
	b.hung(word, word, "delete", "--force", b.id)
	if _, err := os.Stat(group); !os.IsNotExist(err) {
		t.Errorf("%s: %v", group, err)
	}
	if state := b.ok("state", b.id); !strings.Contains(state, `"stopped"`) {
		t.Errorf("the state is %s", state)
	}
	b.ok("delete", "--force", b.id)
	b.left()
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
