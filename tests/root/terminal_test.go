package root_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const withTerminal = `{"process":{"terminal":true}}`

// hostTerminal is a terminal of the host: the caller's.
func hostTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a ptmx: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// onTerminal runs a verb with the host's terminal as stdio, until it has ended, and
// returns what the terminal showed.
func (b *box) onTerminal(meanwhile func(master *os.File, brig *exec.Cmd), args ...string) (string, int) {
	b.t.Helper()
	master, slave := hostTerminal(b.t)
	cmd := b.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0, Pdeathsig: syscall.SIGKILL}
	before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(b.t, err)
	must(b.t, cmd.Start())
	var shown bytes.Buffer
	done := make(chan struct{})
	go func() {
		io.Copy(&shown, master)
		close(done)
	}()
	if meanwhile != nil {
		meanwhile(master, cmd)
	}
	code, err := status(cmd.Wait())
	must(b.t, err)
	after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(b.t, err)
	if *before != *after {
		b.t.Errorf("the caller's terminal is not as it was: %+v, not %+v", after, before)
	}
	slave.Close()
	<-done
	return strings.ReplaceAll(shown.String(), "\r\n", "\n"), code
}

const terminalFacts = `tty; busybox stty size; ls -l /dev/console | cut -c1-10; stat -c %t:%T /dev/console /dev/pts/0; stat -c %u:%g /dev/pts/0; readlink /proc/self/fd/0; exit 5`

func TestTerminalInTheForeground(t *testing.T) {
	b := newBox(t, withTerminal, `{"process":{"consoleSize":{"height":33,"width":44},"user":{"uid":7,"gid":8}}}`)
	b.args("/bin/sh", "-c", terminalFacts)
	b.save()
	shown, code := b.onTerminal(nil, "run", "--bundle", b.bundle, b.id)
	equal(t, shown, "/dev/pts/0\n33 44\ncrw--w----\n88:0\n88:0\n7:0\n/dev/pts/0\n")
	if code != 5 {
		t.Errorf("exit %d", code)
	}
}

func TestTerminalFollowsTheCallers(t *testing.T) {
	b := newBox(t, withTerminal)
	b.args("/bin/sh", "-c", `trap 'busybox stty size; exit 0' WINCH; echo ready; while :; do read -t 1 line && echo "got $line"; done`)
	b.save()
	shown, code := b.onTerminal(func(master *os.File, brig *exec.Cmd) {
		time.Sleep(500 * time.Millisecond)
		master.WriteString("hello\n")
		time.Sleep(300 * time.Millisecond)
		must(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 60}))
	}, "run", "--bundle", b.bundle, b.id)
	// The payload's own line discipline echoes, the caller's does not any more.
	equal(t, shown, "ready\nhello\ngot hello\n50 60\n")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
}

// The caller's keys are the payload's: ^C ends it and not brig.
func TestTerminalPassesKeys(t *testing.T) {
	b := newBox(t, withTerminal)
	b.args("/bin/sh", "-c", `trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 1; done`)
	b.save()
	shown, code := b.onTerminal(func(master *os.File, _ *exec.Cmd) {
		time.Sleep(500 * time.Millisecond)
		master.Write([]byte{3})
	}, "run", "--bundle", b.bundle, b.id)
	if equal(t, shown, "ready\n^Cinterrupted\n"); code != 9 {
		t.Errorf("exit %d", code)
	}
}

func TestExecTerminal(t *testing.T) {
	b := sleeping(t)
	shown, code := b.onTerminal(nil, "exec", "--tty", "--user", "3:4", b.id, "sh", "-c", "tty; stat -c %u:%g /dev/pts/0; ls /dev/console 2>&1; exit 6")
	if equal(t, shown, "/dev/pts/0\n3:0\nls: /dev/console: No such file or directory\n"); code != 6 {
		t.Errorf("exit %d", code)
	}
	equal(t, b.exec("tty; true"), "not a tty") // only with the flag
}

// receiver listens on a console socket, as conmon and containerd do.
func receiver(t *testing.T, name string) func() (*os.File, string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return func() (*os.File, string) {
		t.Helper()
		l.SetDeadline(time.Now().Add(10 * time.Second))
		conn, err := l.AcceptUnix()
		must(t, err)
		defer conn.Close()
		data, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
		n, oobn, flags, _, err := conn.ReadMsgUnix(data, oob)
		must(t, err)
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		must(t, err)
		fds, err := unix.ParseUnixRights(&messages[0])
		must(t, err)
		// go-runc refuses anything but exactly one fd.
		if len(messages) != 1 || len(fds) != 1 || flags&unix.MSG_CTRUNC != 0 || n == 0 {
			t.Fatalf("%d messages, %d fds, %d bytes, flags %#x", len(messages), len(fds), n, flags)
		}
		if more, _, _, _, err := conn.ReadMsgUnix(data, oob); more != 0 || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("something follows: %d bytes, %v", more, err)
		}
		return os.NewFile(uintptr(fds[0]), "master"), string(data[:n])
	}
}

// output is what comes out of a terminal until nobody has it open.
func output(f *os.File) string {
	raw, _ := io.ReadAll(f)
	return strings.ReplaceAll(string(raw), "\r\n", "\n")
}

func TestConsoleSocket(t *testing.T) {
	for name, socket := range map[string]string{"short": "socket", "longer than an address": strings.Repeat("long", 60)} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, withTerminal)
			receive := receiver(t, b.dir+"/s")
			must(t, os.Rename(b.dir+"/s", b.dir+"/"+socket))
			b.args("/bin/sh", "-c", "tty; for f in 0 1 2; do readlink /proc/self/fd/$f; done")
			b.create("--console-socket", b.dir+"/"+socket)
			master, said := receive() // before create returns
			defer master.Close()
			equal(t, said, "/dev/pts/0")
			b.ok("start", b.id)
			equal(t, output(master), "/dev/pts/0\n/dev/pts/0\n/dev/pts/0\n/dev/pts/0\n")
			b.wait()
			b.ok("delete", b.id)
		})
	}
	t.Run("run --detach", func(t *testing.T) {
		b := newBox(t, withTerminal)
		receive := receiver(t, b.dir+"/s")
		b.args("/bin/echo", "detached")
		b.save()
		b.ok("run", "--detach", "--console-socket", b.dir+"/s", "--bundle", b.bundle, b.id)
		master, _ := receive()
		defer master.Close()
		equal(t, output(master), "detached\n")
		b.wait()
		b.ok("delete", b.id)
	})
	t.Run("exec --detach", func(t *testing.T) {
		b := sleeping(t)
		receive := receiver(t, b.dir+"/s")
		b.ok("exec", "--tty", "--detach", "--console-socket", b.dir+"/s", b.id, "sh", "-c", "tty")
		master, _ := receive()
		defer master.Close()
		equal(t, output(master), "/dev/pts/0\n")
	})
}

func TestTerminalRefuses(t *testing.T) {
	const flags = "cannot use console socket if brig will not detach or allocate tty"
	b := newBox(t)
	b.args("/bin/true")
	b.save()
	b.refused(flags, "create", "--bundle", b.bundle, "--console-socket", "/x", b.id)
	b.refused(flags, "run", "--bundle", b.bundle, "--console-socket", "/x", b.id)
	b.patch(withTerminal)
	b.save()
	b.refused(flags, "run", "--bundle", b.bundle, "--console-socket", "/x", b.id)
	b.refused("/process/terminal: cannot allocate tty if brig will detach without setting console socket", "create", "--bundle", b.bundle, b.id)
	b.refused("/process/terminal: cannot allocate tty", "run", "--detach", "--bundle", b.bundle, b.id)
	b.refused("connect to the console socket /no/such: ENOENT", "create", "--bundle", b.bundle, "--console-socket", "/no/such", b.id)
	write(t, b.dir+"/file", "")
	b.refused("connect to the console socket "+b.dir+"/file: ECONNREFUSED", "create", "--bundle", b.bundle, "--console-socket", b.dir+"/file", b.id)
	for name, patch := range map[string]string{
		"no devpts":             `{"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}]}`,
		"a directory of files":  `{"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"},{"destination":"/dev/pts","type":"bind","source":"` + b.dir + `/pts","options":["bind"]}]}`,
		"a ptmx of other kinds": `{"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"},{"destination":"/dev/pts","type":"bind","source":"` + b.dir + `/null","options":["bind"]}]}`,
	} {
		mkdir(t, b.dir+"/pts", 0o755)
		write(t, b.dir+"/pts/ptmx", "no terminal")
		mkdir(t, b.dir+"/null", 0o755)
		if err := unix.Mknod(b.dir+"/null/ptmx", unix.S_IFCHR|0o666, int(unix.Mkdev(5, 2))); err != nil && err != unix.EEXIST {
			t.Fatal(err)
		}
		b.patch(patch)
		b.save()
		want := "the container's /dev/pts/ptmx is not the ptmx of a devpts"
		if name != "a directory of files" {
			want = "/process/terminal: open the ptmx of the container"
		}
		if r := b.brig("run", "--bundle", b.bundle, b.id); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit %d, %s", name, r.code, r.err)
		}
	}
}
