package nsenter

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The limits are the design's: what runs inside the namespaces stays small enough
// to be read in one sitting.
func TestStageIsSmall(t *testing.T) {
	if n := len(stageELF()); n > 16<<10 {
		t.Errorf("the stage has %d bytes, more than 16 KiB", n)
	}
	lines := 0
	for _, name := range []string{"stage/stage.c", "stage/stage.h"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(raw, []byte("\n"))
	}
	if lines > 500 {
		t.Errorf("the stage has %d lines of C, more than 500", lines)
	}
}

// launch runs an image as the stage, through a command if there is one (an
// emulator), and returns its first message and its exit status.
func launch(t *testing.T, image []byte, through ...string) (Message, int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stage")
	if err := os.WriteFile(file, image, 0o700); err != nil {
		t.Fatal(err)
	}
	pair, err := syscall.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[0])
	argv := append(through, file)
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Files: []uintptr{0, 1, 2, uintptr(pair[1])}})
	syscall.Close(pair[1])
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReceiveFrom(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	if !status.Exited() {
		t.Fatalf("the stage was ended by %s", status.Signal())
	}
	return m, status.ExitStatus()
}

// talker says that it is ready as soon as it runs at all. What follows is there
// to be damaged: 3 jump, 4 fork, 5 call with a branch, 6 exit.
func talker(b *Builder) {
	message, fd, end := b.Scratch(16), b.Slot("fd"), b.Label()
	sound := 6<<32 | uint64(unix.ENOENT)
	b.Words(sound, sound) // what follows the branches looks like more of them
	b.Store(message, 4, Imm(MessageReady))
	b.Call(Write, Imm(3), Addr(message), Imm(16))
	b.Goto(end)
	b.Fork(fd, b.Words(make([]uint64, 11)...), 88, end)
	b.TryTo(fd, []On{{unix.ENOENT, end}}, Openat, Val(fd), b.Str("path"), Imm(0))
	b.Bind(end)
	b.Exit(0)
}

const (
	fieldWidth  = 0 // with the op: 16 bits
	fieldKinds  = 4
	fieldCount  = 6
	fieldBranch = 8
	fieldTarget = 12
	fieldArgs   = 16
	fieldDst    = 64
	noArgs      = ScratchBase - 8
)

// stageRefuses are programs that Encode does not write, each damaged in one place.
var stageRefuses = []struct {
	name   string
	damage func([]byte) []byte
}{
	{"magic", put32(0, 0)},
	{"version", put32(4, 2)},
	{"no instructions", put32(8, 0)},
	{"one instruction more than there are", put32(8, 8)},
	{"one instruction less", put32(8, 6)},
	{"more instructions than are mapped", put32(8, programMax/instructionSize+1)},
	{"2^32-1 instructions", put32(8, 1<<32-1)},
	{"more branches than are mapped", put32(12, programMax/branchSize+1)},
	{"more data than is mapped", put32(16, programMax+1)},
	{"more scratch than is mapped", put32(20, scratchMax+1)},
	{"no scratch", put32(20, 0)},
	{"scratch of half a word", put32(20, 4)},
	{"report over the end of scratch", put32(24, 28)},
	{"report far beyond", put32(24, 1<<32-1)},
	{"op", put16(at(2, fieldWidth), 6)},
	{"op of the last instruction", put16(at(6, fieldWidth), 0)},
	{"slot before scratch", slotAt(noArgs)},
	{"slot over the end of scratch", slotAt(ScratchBase + 28)},
	{"slot far beyond", slotAt(1<<64 - 8)},
	{"slot at NULL", slotAt(0)},
	{"address before scratch", put64(at(2, fieldArgs+8), ScratchBase-1)},
	{"address behind scratch", put64(at(2, fieldArgs+8), ScratchBase+32)},
	{"data before the data", put64(at(5, fieldArgs+8), ProgramBase)},
	{"data behind the data", put64(at(5, fieldArgs+8), ProgramBase+programMax)},
	{"result over the end", put32(at(5, fieldDst), 28)},
	{"result far beyond", put32(at(5, fieldDst), 1<<32-2)},
	{"jump backwards", put32(at(3, fieldTarget), 0)},
	{"jump to itself", put32(at(3, fieldTarget), 3)},
	{"jump behind the end", put32(at(3, fieldTarget), 7)},
	{"jump far beyond", put32(at(3, fieldTarget), 1<<32-1)},
	{"fork backwards", put32(at(4, fieldTarget), 2)},
	{"fork behind the end", put32(at(4, fieldTarget), 7)},
	{"jump on a word before scratch", put64(at(3, fieldArgs), noArgs)},
	{"jump on a word over the end", put64(at(3, fieldArgs), ScratchBase+25)},
	{"store of nine bytes", put16(at(1, fieldWidth), 9<<8|uint16(OpStore))},
	{"store over the end", put64(at(1, fieldArgs), ScratchBase+29)},
	{"store to the program", put64(at(1, fieldArgs), ProgramBase)},
	{"branches from behind the end", put32(at(5, fieldBranch), 2)},
	{"more branches than are left", put16(at(5, fieldCount), 2)},
	{"branches of another kind of instruction", put16(at(6, fieldCount), 9)},
	{"branch backwards", put32(headerSize+7*instructionSize+4, 5)},
	{"branch behind the end", put32(headerSize+7*instructionSize+4, 7)},
}

// slotAt makes the first operand of the openat a slot at an address.
func slotAt(address uint64) func([]byte) []byte { return put64(at(5, fieldArgs), address) }

func TestStageRefusesDamagedPrograms(t *testing.T) {
	p := build(t, talker)
	raw, err := p.Encode(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	try := func(t *testing.T, raw []byte) (Message, int) {
		image, err := Link(stageELF(), raw, scratchMax)
		if err != nil {
			t.Fatal(err)
		}
		return launch(t, image)
	}
	if m, status := try(t, raw); m.Type != MessageReady || status != 0 {
		t.Fatalf("the undamaged program: %+v, status %d", m, status)
	}
	for _, c := range stageRefuses {
		t.Run(c.name, func(t *testing.T) {
			if m, status := try(t, c.damage(bytes.Clone(raw))); !m.Ended() || status != 125 {
				t.Errorf("got %+v, status %d: want no message, and 125", m, status)
			}
		})
	}
}

// sendFD appends instructions that send the fd in a slot, beside a message that
// is ready.
func sendFD(b *Builder, fd int) {
	message, control := b.Scratch(16), b.Scratch(24)
	b.Store(message, 4, Imm(MessageReady))
	b.Store(control, 8, Imm(20)) // struct cmsghdr and one fd
	b.Store(control+8, 4, Imm(unix.SOL_SOCKET))
	b.Store(control+12, 4, Imm(unix.SCM_RIGHTS))
	b.Store(control+16, 4, Val(fd))
	header := b.ArgWords(Null(), Imm(0), b.ArgWords(Addr(message), Imm(16)), Imm(1), Addr(control), Imm(24), Imm(0))
	b.Call(Sendmsg, Imm(3), header, Imm(0))
}

// supervised lets a seccomp listener decide what openat2 returns, and sends the
// final result as a pid.
func supervised(b *Builder) {
	listener, result, message := b.Slot("listener"), b.Slot("result"), b.Scratch(16)
	nr := uint64(Openat2.number(runtime.GOARCH))
	filter := b.Words(0x20, 0x15|1<<24|nr<<32, 0x06|unix.SECCOMP_RET_USER_NOTIF<<32, 0x06|unix.SECCOMP_RET_ALLOW<<32)
	b.Call(Prctl, Imm(unix.PR_SET_NO_NEW_PRIVS), Imm(1), Imm(0), Imm(0), Imm(0))
	b.CallTo(listener, Seccomp, Imm(unix.SECCOMP_SET_MODE_FILTER), Imm(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER), b.ArgWords(Imm(4), filter))
	sendFD(b, listener)
	b.Call(Close, Val(listener))
	b.Call(Read, Imm(3), Addr(message), Imm(1))
	b.CallTo(result, Openat2, Int(unix.AT_FDCWD), b.Str("path"), b.Words(0, 0, 0), Imm(24))
	b.Store(message, 4, Imm(MessagePid))
	b.Store(message+8, 4, Val(result))
	b.Call(Write, Imm(3), Addr(message), Imm(16))
	b.Exit(0)
}

// supervise answers each call of the stage as answer says of its index, with an
// errno or 0 for the result 77, and returns how many there were.
func supervise(t *testing.T, listener int, answer func(n int) syscall.Errno) int {
	t.Helper()
	for n := 0; ; n++ {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			n--
			continue
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return n // the stage is gone
		}
		var call [10]uint64 // struct seccomp_notif; the first word is its id
		ioctl(t, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call))
		response := struct {
			id, value    uint64
			errno, flags int32
		}{id: call[0], value: 77}
		if errno := answer(n); errno != 0 {
			response.value, response.errno = 0, -int32(errno)
		}
		ioctl(t, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&response))
	}
}

func ioctl(t *testing.T, fd int, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		if errno == 0 {
			return
		}
		if errno != unix.EINTR {
			t.Fatal(errno)
		}
	}
}

func TestStageRetriesInterruptedCalls(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(n int) syscall.Errno
		calls  int
		errno  syscall.Errno
	}{
		{"EINTR, as often as it takes", func(n int) syscall.Errno {
			if n < 1000 {
				return unix.EINTR
			}
			return 0
		}, 1001, 0},
		{"EAGAIN of openat2, for a while", func(n int) syscall.Errno {
			if n < 127 {
				return unix.EAGAIN
			}
			return 0
		}, 128, 0},
		{"EAGAIN of openat2, for ever", func(int) syscall.Errno { return unix.EAGAIN }, 128, unix.EAGAIN},
		{"EPERM, not at all", func(int) syscall.Errno { return unix.EPERM }, 1, unix.EPERM},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Start(build(t, supervised), Options{Stdio: [3]int{0, 1, 2}})
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Wait4(s.Pid, nil, 0, nil)
			defer s.Close()
			m, err := s.Receive()
			if err != nil || m.Type != MessageReady || m.Pidfd < 0 {
				t.Fatalf("got %+v (%v), want the listener", m, err)
			}
			defer syscall.Close(m.Pidfd)
			if err := s.Go(-1); err != nil {
				t.Fatal(err)
			}
			if n := supervise(t, m.Pidfd, c.answer); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			m, err = s.Receive()
			if err != nil || m.Errno != c.errno || c.errno == 0 && m.Pid != 77 {
				t.Errorf("got %+v (%v), want errno %d", m, err, c.errno)
			}
		})
	}
}

// The child of a fork goes on behind it and the parent at the label, each with
// the other's view of the result.
func TestStageForks(t *testing.T) {
	p := build(t, func(b *Builder) {
		child, message, parent := b.Slot("child"), b.Scratch(16), b.Label()
		b.Store(message, 4, Imm(MessagePid))
		// CLONE_PARENT makes the child this test's, so that it can be waited for.
		b.Fork(child, b.Words(unix.CLONE_PARENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 88, parent)
		b.Store(message+8, 4, Val(child))
		b.Call(Write, Imm(3), Addr(message), Imm(16))
		b.Exit(7)
		b.Bind(parent)
		b.Store(message+8, 4, Val(child))
		b.Call(Write, Imm(3), Addr(message), Imm(16))
		b.Exit(9)
	})
	s, err := Start(p, Options{Stdio: [3]int{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pids := map[int]bool{}
	child := 0
	for range 2 {
		m, err := s.Receive()
		if err != nil || m.Type != MessagePid {
			t.Fatalf("got %+v (%v)", m, err)
		}
		pids[m.Pid] = true
		child = max(child, m.Pid)
	}
	if len(pids) != 2 || !pids[0] {
		t.Fatalf("got results %v, want 0 and a pid", pids)
	}
	for pid, want := range map[int]int{s.Pid: 9, child: 7} {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil || status.ExitStatus() != want {
			t.Errorf("process %d: status %d (%v), want %d", pid, status.ExitStatus(), err, want)
		}
	}
}

// The stage for arm64 runs real programs, under an emulator.
func TestStageOfArm64(t *testing.T) {
	const compiler, emulator = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
	through := []string{}
	if runtime.GOARCH != "arm64" {
		path, err := exec.LookPath(emulator)
		if err != nil {
			t.Skip(emulator + " is not installed")
		}
		if _, err := exec.LookPath(compiler); err != nil {
			t.Skip(compiler + " is not installed")
		}
		through = append(through, path)
	}
	elf := filepath.Join(t.TempDir(), "stage_arm64.elf")
	if out, err := exec.Command("sh", "stage/build.sh", "arm64", elf).CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	stage, err := os.ReadFile(elf)
	if err != nil {
		t.Fatal(err)
	}
	if len(stage) > 16<<10 {
		t.Errorf("the stage has %d bytes, more than 16 KiB", len(stage))
	}
	start := func(t *testing.T, p *Program, damage func([]byte) []byte) (Message, int) {
		raw, err := p.Encode("arm64")
		if err != nil {
			t.Fatal(err)
		}
		image, err := Link(stage, damage(raw), scratchMax)
		if err != nil {
			t.Fatal(err)
		}
		return launch(t, image, through...)
	}
	whole := func(raw []byte) []byte { return raw }

	t.Run("calls, stores, jumps and branches", func(t *testing.T) {
		m, status := start(t, build(t, arithmetic), whole)
		if m.Type != MessagePid || m.Pid != 0x1234 || status != 42 {
			t.Errorf("got %+v, status %d", m, status)
		}
	})
	t.Run("a failed call", func(t *testing.T) {
		m, status := start(t, build(t, func(b *Builder) {
			b.Call(Openat, Int(unix.AT_FDCWD), b.Str("no/such/file"), Imm(0))
			b.Exit(0)
		}), whole)
		if !m.Failed() || m.Index != 1 || m.Errno != unix.ENOENT || status != 1 {
			t.Errorf("got %+v, status %d", m, status)
		}
	})
	for _, c := range stageRefuses {
		t.Run("refuses: "+c.name, func(t *testing.T) {
			if m, status := start(t, build(t, talker), c.damage); !m.Ended() || status != 125 {
				t.Errorf("got %+v, status %d", m, status)
			}
		})
	}
}

// arithmetic takes every kind of turn, and sends 0x1234 if each was right.
func arithmetic(b *Builder) {
	message, fd := b.Scratch(16), b.Slot("fd")
	equal, unequal, missing, wrong := b.Label(), b.Label(), b.Label(), b.Label()
	b.Store(message, 4, Imm(MessagePid))
	b.Store(message+8, 1, Imm(0xff34))
	b.Store(message+9, 2, Imm(0x12))
	b.JumpIf(message+8, 0xffff, 0x1234, equal)
	b.Goto(wrong)
	b.Bind(equal)
	b.JumpUnless(message+8, 0xff, 0x34, wrong)
	b.JumpUnless(message+8, 0xff, 0x35, unequal)
	b.Goto(wrong)
	b.Bind(unequal)
	b.TryTo(fd, []On{{unix.EEXIST, wrong}, {unix.ENOENT, missing}}, Openat, Int(unix.AT_FDCWD), b.Str("no/such/file"), Imm(0))
	b.Bind(wrong)
	b.Fail(unix.EXFULL, "a wrong turn")
	b.Bind(missing)
	b.CallTo(fd, Openat, Int(unix.AT_FDCWD), b.Str("/"), Imm(unix.O_PATH|unix.O_CLOEXEC))
	b.Call(Close, Val(fd))
	b.Call(Write, Imm(3), Addr(message), Imm(16))
	b.Exit(42)
}

func TestStageTakesEveryTurn(t *testing.T) {
	if m := run(t, build(t, arithmetic)); m.Type != MessagePid || m.Pid != 0x1234 {
		t.Errorf("got %+v", m)
	}
}

func TestStageIsSealed(t *testing.T) {
	image, err := imageOf(build(t, talker))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := sealedMemfd("test", image.size, image.write, []uintptr{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals != memfdSeals {
		t.Errorf("seals %#x (%v)", seals, err)
	}
	if _, err := unix.Pwrite(fd, []byte{0}, 0); err == nil {
		t.Error("the stage can be written through its own fd")
	}
	name := "/proc/self/fd/" + strconv.Itoa(fd)
	if w, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		defer syscall.Close(w)
		if _, err := unix.Pwrite(w, []byte{0}, 0); err != unix.EPERM {
			t.Errorf("written through a new opening: %v", err)
		}
		if err := unix.Ftruncate(w, 0); err != unix.EPERM {
			t.Errorf("truncated through a new opening: %v", err)
		}
	}
}
