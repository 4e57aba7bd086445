package root_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// seccompAgent is what a container's filter asks: it fails mkdir with an errno of
// its own, and lets all else go on.
type seccompAgent struct {
	t      *testing.T
	path   string
	mu     sync.Mutex
	states []specs.ContainerProcessState
	asked  map[int32]int // system calls, by number
	pids   []uint32      // who asked first, of each container
}

// seccompNotif and seccompReply are struct seccomp_notif and seccomp_notif_resp.
type seccompNotif struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type seccompReply struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

const unlikely = unix.ENOTBLK

func listen(t *testing.T, path string) *seccompAgent {
	t.Helper()
	// The path may be longer than an address.
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	l, err := net.Listen("unix", "/proc/self/fd/"+strconv.Itoa(dir)+"/"+filepath.Base(path))
	must(t, err)
	must(t, os.Chmod(path, 0o666))
	a := &seccompAgent{t: t, path: path, asked: make(map[int32]int)}
	t.Cleanup(func() { l.Close(); unix.Close(dir) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			a.accept(conn.(*net.UnixConn))
		}
	}()
	return a
}

// accept takes the state and the listener, which come in one message.
func (a *seccompAgent) accept(conn *net.UnixConn) {
	defer conn.Close()
	buf, oob := make([]byte, 1<<16), make([]byte, 64)
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		a.t.Errorf("agent: %v", err)
		return
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		a.t.Errorf("agent: %d control messages, %v", len(messages), err)
		return
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	var state specs.ContainerProcessState
	if err := errors.Join(err, json.Unmarshal(buf[:n], &state)); err != nil || len(fds) != 1 {
		a.t.Errorf("agent: %d fds, %q: %v", len(fds), buf[:n], err)
		return
	}
	a.mu.Lock()
	a.states = append(a.states, state)
	a.mu.Unlock()
	go a.serve(fds[0])
}

// serve answers until nobody is left who could ask.
func (a *seccompAgent) serve(fd int) {
	defer unix.Close(fd)
	for first := true; ; first = false {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) || poll[0].Revents&unix.POLLHUP != 0 {
			return
		}
		var q seccompNotif
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&q))); errno != 0 {
			continue // killed while it asked
		}
		reply := seccompReply{id: q.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if q.nr == unix.SYS_MKDIR || q.nr == unix.SYS_MKDIRAT {
			reply = seccompReply{id: q.id, errno: -int32(unlikely)}
		}
		a.mu.Lock()
		a.asked[q.nr]++
		if first {
			a.pids = append(a.pids, q.pid)
		}
		a.mu.Unlock()
		unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&reply)))
	}
}

// told checks the one state that the agent was told.
func (a *seccompAgent) told(b *box) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.states) != 1 || len(a.pids) != 1 {
		a.t.Fatalf("states %+v, asked by %v", a.states, a.pids)
	}
	s := a.states[0]
	if s.Version != "1.3.0" || strings.Join(s.Fds, " ") != "seccompFd" || s.Pid <= 0 || s.Metadata != "MKDIR=no \"x\"" {
		a.t.Errorf("told %+v", s)
	}
	c := s.State
	if c.Version != "1.3.0" || c.ID != b.id || c.Status != specs.StateCreating || c.Pid != s.Pid || c.Bundle != b.bundle || c.Annotations["org.example.key"] != "value" {
		a.t.Errorf("told of the container %+v", c)
	}
}

// listened is a box whose filter asks an agent about these system calls.
func listened(t *testing.T, b *box, path, calls string) {
	t.Helper()
	text, err := json.Marshal(path)
	must(t, err)
	b.patch(`{"annotations":{"org.example.key":"value"},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":` + string(text) +
		`,"listenerMetadata":"MKDIR=no \"x\"","syscalls":[{"names":` + calls + `,"action":"SCMP_ACT_NOTIFY"}]}}}`)
}

const (
	asksMkdir = `["mkdir","mkdirat"]`
	// All that the runtime could have called between the filter and execve, and that.
	asksRuntime = `["mkdir","mkdirat","execve","sendmsg","recvmsg","read","close","exit_group","clock_gettime"]`
	noMkdir     = "mkdir: can't create directory '/tmp/x': Block device required\n"
)

func TestSeccompListener(t *testing.T) {
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		a := listen(t, b.dir+"/agent")
		listened(t, b, a.path, asksMkdir)
		r := b.try("mkdir /tmp/x; test -e /tmp/x || grep ^Seccomp: /proc/self/status")
		equal(t, r.err, noMkdir)
		equal(t, r.out, "Seccomp:\t2\n")
		a.told(b)
		if a.asked[unix.SYS_MKDIR] != 1 {
			t.Errorf("asked %v", a.asked)
		}
	})
	t.Run("the runtime needs nothing of the filter", func(t *testing.T) {
		t.Parallel()
		for _, nnp := range []string{"true", "false"} {
			b := newBox(t, `{"process":{"noNewPrivileges":`+nnp+`}}`)
			a := listen(t, b.dir+"/agent")
			listened(t, b, a.path, asksRuntime)
			equal(t, b.try("mkdir /tmp/x").err, noMkdir)
			a.told(b)
			if a.pids[0] != uint32(a.states[0].Pid) || a.asked[unix.SYS_EXECVE] < 1 || a.asked[unix.SYS_SENDMSG]+a.asked[unix.SYS_RECVMSG] != 0 {
				t.Errorf("asked %v by %v, told %+v", a.asked, a.pids, a.states)
			}
		}
	})
	t.Run("run detached, with timings", func(t *testing.T) {
		t.Parallel()
		for _, flag := range []string{"--detach", "--timings"} {
			b := newBox(t)
			a := listen(t, b.dir+"/agent")
			listened(t, b, a.path, asksMkdir)
			b.args("/bin/mkdir", "/tmp/x")
			b.save()
			cmd := b.quiet("run", flag, "--bundle", b.bundle, b.id)
			code, err := status(cmd.Wait())
			must(t, err)
			if want := map[string]int{"--detach": 0, "--timings": 1}[flag]; code != want {
				t.Errorf("%s: exit %d", flag, code)
			}
			if flag == "--detach" {
				b.wait()
				b.ok("delete", b.id)
			}
			a.told(b)
		}
	})
	t.Run("create and start, by a long path", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		a := listen(t, long(t, b.dir)+"/agent")
		listened(t, b, a.path, asksRuntime)
		b.args("/bin/mkdir", "/tmp/x")
		b.create()
		if len(a.states) != 0 {
			t.Errorf("told before the start: %+v", a.states)
		}
		pid := b.look().Pid
		b.ok("start", b.id)
		b.wait()
		a.told(b)
		if a.states[0].Pid != pid || a.asked[unix.SYS_MKDIR] != 1 {
			t.Errorf("asked %v, told %+v, init is %d", a.asked, a.states, pid)
		}
		b.ok("delete", b.id)
	})
	t.Run("of an ordinary user", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		a := listen(t, b.dir+"/agent")
		listened(t, b, a.path, asksRuntime)
		equal(t, b.try("mkdir /tmp/x").err, noMkdir)
		a.told(b)
	})
	t.Run("exec", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		a := listen(t, b.dir+"/agent")
		listened(t, b, a.path, asksRuntime)
		b.args("/bin/sleep", "1000")
		b.create()
		b.ok("start", b.id)
		a.told(b)
		for _, flags := range []string{"", "--detach", "--pid-file=" + b.dir + "/pid"} {
			a.mu.Lock()
			a.states, a.asked = nil, make(map[int32]int)
			a.mu.Unlock()
			cmd := b.quiet(append(append([]string{"exec"}, strings.Fields(flags)...), b.id, "/bin/mkdir", "/tmp/x")...)
			code, err := status(cmd.Wait())
			must(t, err)
			if flags != "--detach" && code != 1 || flags == "--detach" && code != 0 {
				t.Errorf("exec %s: exit %d", flags, code)
			}
			b.until("mkdir is asked about", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.asked[unix.SYS_MKDIR] == 1 })
			if s := a.states[0]; len(a.states) != 1 || s.State.Status != specs.StateRunning || s.State.Pid != b.initOf() || s.Pid == s.State.Pid {
				t.Errorf("exec %s: told %+v", flags, a.states)
			}
		}
		must(t, os.Remove(a.path))
		if r := b.brig("exec", b.id, "/bin/true"); r.code != 255 || !strings.Contains(r.err, noAgent+"ENOENT") {
			t.Errorf("exec without an agent: exit %d, stderr %q", r.code, r.err)
		}
		b.ok("delete", "--force", b.id)
	})
	t.Run("a path that nothing needs", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"none/there"}}}`)
		equal(t, b.run("echo runs"), "runs")
	})
}

// long makes a directory whose path is longer than a socket address.
func long(t *testing.T, dir string) string {
	t.Helper()
	dir += "/" + strings.Repeat("long", 40)
	mkdir(t, dir, 0o755)
	return dir
}

const noAgent = "/linux/seccomp/listenerPath: failed to connect with seccomp agent specified in the seccomp profile: "

func TestSeccompListenerWithoutAgent(t *testing.T) {
	refuse(t, []refusal{
		{name: "no socket", make: func(b *box) { listened(b.t, b, b.dir+"/none", asksRuntime) }, want: []string{noAgent + "ENOENT"}},
		{name: "detached", make: func(b *box) { listened(b.t, b, b.dir+"/none", asksRuntime) }, flags: "--detach", want: []string{noAgent + "ENOENT"}},
		{name: "no directory", make: func(b *box) { listened(b.t, b, b.bundle+"/config.json/x", asksMkdir) }, want: []string{noAgent + "ENOTDIR"}},
		{name: "a file", make: func(b *box) { listened(b.t, b, b.bundle+"/config.json", asksMkdir) }, want: []string{noAgent + "ECONNREFUSED"}},
		{name: "nobody listens", make: func(b *box) {
			listened(b.t, b, b.dir+"/agent", asksMkdir)
			a, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.dir + "/agent"})
			must(b.t, err)
			a.SetUnlinkOnClose(false)
			a.Close()
		}, want: []string{noAgent + "ECONNREFUSED"}},
		{name: "another type", make: func(b *box) {
			listened(b.t, b, b.dir+"/agent", asksMkdir)
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			must(b.t, err)
			b.t.Cleanup(func() { unix.Close(fd) })
			must(b.t, unix.Bind(fd, &unix.SockaddrUnix{Name: b.dir + "/agent"}))
		}, want: []string{noAgent + "EPROTOTYPE"}},
	})
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		// A filter that would not even let init end.
		b.patch(`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","listenerPath":"/nowhere/agent","syscalls":[
			{"names":["execve"],"action":"SCMP_ACT_ALLOW"},{"names":["read"],"action":"SCMP_ACT_NOTIFY"}]}}}`)
		b.args("/bin/true")
		b.create()
		b.refused(noAgent+"ENOENT", "start", b.id)
		b.wait()
		b.ok("delete", b.id)
	})
}
