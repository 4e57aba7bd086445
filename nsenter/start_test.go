package nsenter

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// run executes a program in a stage and returns its first message.
func run(t *testing.T, p *Program) Message {
	t.Helper()
	s, err := Start(p, Options{ID: "test", Stdio: [3]int{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := s.Receive()
	if err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(s.Pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	return m
}

func build(t *testing.T, f func(b *Builder)) *Program {
	t.Helper()
	b := NewBuilder()
	b.Step("", "test")
	b.Store(b.Report(), 8, Imm(3))
	f(b)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStageRunsCallsStoresAndJumps(t *testing.T) {
	p := build(t, func(b *Builder) {
		msg := b.Scratch(16)
		pid := b.Slot("sid")
		b.CallTo(pid, Setsid)
		skip := b.Label()
		b.Store(msg, 4, Imm(MessageReady))
		b.JumpIf(msg, 0xffffffff, MessageReady, skip)
		b.Fail(unix.EINVAL, "the jump was not taken")
		b.Bind(skip)
		b.Call(Write, Imm(3), Addr(msg), Imm(16))
		b.Exit(0)
	})
	if m := run(t, p); m.Type != MessageReady {
		t.Fatalf("got %+v", m)
	}
}

func TestStageReportsTheFailingInstruction(t *testing.T) {
	p := build(t, func(b *Builder) {
		how := b.Words(unix.O_PATH, 0, 0)
		b.Step("/root/path", "open the rootfs")
		b.Call(Openat2, Int(unix.AT_FDCWD), b.Str("no/such/rootfs"), how, Imm(24))
		b.Exit(0)
	})
	m := run(t, p)
	if !m.Failed() || m.Index != 1 || m.Errno != syscall.ENOENT {
		t.Fatalf("got %+v", m)
	}
	want := `/root/path: open the rootfs: openat2 "no/such/rootfs": ENOENT: no such file or directory`
	if got := p.Fault(m).Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStageBranchesOnErrno(t *testing.T) {
	p := build(t, func(b *Builder) {
		missing := b.Label()
		b.TryTo(NoSlot, []On{{unix.ENOENT, missing}}, Openat, Int(unix.AT_FDCWD), b.Str("no/such"), Imm(unix.O_PATH))
		b.Fail(unix.EINVAL, "not reached")
		b.Bind(missing)
		b.Fail(unix.EXFULL, "reached")
	})
	if m := run(t, p); m.Errno != unix.EXFULL {
		t.Fatalf("got %+v", m)
	}
}

func TestStageExecutesTheNextProgram(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := build(t, func(b *Builder) {
		b.Call(CloseRange, Imm(4), Imm(0xffffffff), Imm(unix.CLOSE_RANGE_UNSHARE))
		b.Call(Dup3, Imm(3), Imm(9), Imm(unix.O_CLOEXEC))
		b.Call(Close, Imm(3))
		b.Call(Execve, b.Str("/bin/echo"), b.Strings([]string{"echo", "from the payload"}), b.Strings(nil))
		b.Fail(unix.EINVAL, "not reached")
	})
	s, err := Start(p, Options{Stdio: [3]int{0, int(w.Fd()), 2}})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer s.Close()
	if m, err := s.Receive(); err != nil || !m.Ended() {
		t.Errorf("got %+v %v, want the end of the stream", m, err)
	}
	buf := make([]byte, 100)
	n, _ := r.Read(buf)
	if got := string(buf[:n]); got != "from the payload\n" {
		t.Errorf("got %q", got)
	}
	unix.Wait4(s.Pid, nil, 0, nil)
}
