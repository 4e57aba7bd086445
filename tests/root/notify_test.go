package root_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager that listens for notifications.
func manager(t *testing.T, name string) func() string {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return func() string {
		t.Helper()
		var said []string
		for {
			l.SetDeadline(time.Now().Add(10 * time.Second))
			buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
			n, oobn, _, _, err := l.ReadMsgUnix(buf, oob)
			must(t, err)
			said = append(said, strings.TrimSpace(string(buf[:n])))
			if oobn > 0 { // the barrier: closing its fd lets brig go on
				messages, err := unix.ParseSocketControlMessage(oob[:oobn])
				must(t, err)
				fds, err := unix.ParseUnixRights(&messages[0])
				must(t, err)
				unix.Close(fds[0])
				return strings.Join(said, "|")
			}
		}
	}
}

const notifyScript = `echo "$NOTIFY_SOCKET"; ls -la /run/notify | grep -c sock; touch /run/notify/x 2>&1; true`

func TestNotifySocketIsItsOwn(t *testing.T) {
	b := newBox(t)
	name := b.dir + "/host.sock"
	manager(t, name)
	b.env = []string{"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + name}
	equal(t, b.run(notifyScript), "/run/notify/notify.sock\n1\ntouch: /run/notify/x: Read-only file system")
	equal(t, b.run(`grep /run/notify /proc/self/mountinfo | cut -d" " -f6`), "ro,nosuid,nodev,noexec,relatime")
}

// say puts the sender of notifications into the container.
func (b *box) say(messages ...string) {
	b.t.Helper()
	program := b.rootfs + "/bin/notify"
	build := exec.Command("go", "build", "-o", program, "./notify")
	if built := os.Getenv("BRIG_NOTIFY"); built != "" { // where there is no Go
		build = exec.Command("cp", built, program)
	}
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	b.args(append([]string{"/bin/notify", "/run/notify/notify.sock"}, messages...)...)
}

func TestNotifyReady(t *testing.T) {
	for _, c := range []struct {
		verb string
		main bool
	}{{"start", true}, {"run --detach", true}, {"run", false}} {
		t.Run(c.verb, func(t *testing.T) {
			b := newBox(t)
			name := b.dir + "/host.sock"
			listen := manager(t, name)
			b.env = []string{"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + name}
			b.say("STATUS=starting", "STATUS=up\nREADY=1\nMAINPID=1")
			b.save()
			heard := make(chan string, 1)
			go func() { heard <- listen() }()
			switch c.verb {
			case "start":
				b.create()
				b.ok("start", b.id)
			case "run":
				if r := b.start(); r.code != 0 {
					t.Errorf("exit %d, %s", r.code, r.err)
				}
			default:
				cmd := b.command("run", "--detach", "--bundle", b.bundle, b.id)
				cmd.Stdin = nil
				if code, err := status(cmd.Run()); code != 0 || err != nil {
					t.Errorf("exit %d, %v", code, err)
				}
			}
			want := "READY=1|BARRIER=1"
			if c.main {
				want = fmt.Sprintf("READY=1\nMAINPID=%d|BARRIER=1", b.initOf())
			}
			equal(t, <-heard, want)
			if c.main {
				b.ok("delete", "--force", b.id)
			}
		})
	}
}

// A payload that ends without a word does not hang start.
func TestNotifyNothing(t *testing.T) {
	b := newBox(t)
	name := b.dir + "/host.sock"
	manager(t, name)
	b.env = []string{"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + name}
	b.args("/bin/true")
	b.create()
	b.ok("start", b.id)
	b.wait()
	b.ok("delete", b.id)
}

func TestNotifyNobody(t *testing.T) {
	b := newBox(t)
	b.env = []string{"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + b.dir + "/nobody"}
	b.say("READY=1")
	b.create()
	b.refused("notify the service manager at "+b.dir+"/nobody: ENOENT", "start", b.id)
	b.ok("delete", "--force", b.id)
}
