package root_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hand opens files that brig gets as fds 3 and on.
func (b *box) hand(texts ...string) {
	b.t.Helper()
	for i, text := range texts {
		name := fmt.Sprintf("%s/handed-%d", b.dir, i)
		write(b.t, name, text)
		f, err := os.Open(name)
		must(b.t, err)
		b.t.Cleanup(func() { f.Close() })
		b.files = append(b.files, f)
	}
}

const handedFDs = `cat <&3; cat <&4; i=5; while [ $i -lt 40 ]; do [ -e /proc/self/fd/$i ] && [ $i != 10 ] && echo "fd $i"; i=$((i+1)); done; true`

func TestPreserveFDs(t *testing.T) {
	b := newBox(t)
	b.hand("three\n", "four\n", "five, which is not asked for\n")
	equal(t, b.run(handedFDs, "--preserve-fds", "2"), "three\nfour")
	// An fd that brig has opened itself is none of the caller's.
	b.save()
	for _, args := range [][]string{
		{"run", "--bundle", b.bundle, "--preserve-fds", "4", b.id},
		{"--log", b.dir + "/log", "run", "--bundle", b.bundle, "--preserve-fds", "4", b.id},
	} {
		b.refused("unable to stat preserved-fd 3 (of 4): EBADF", args...)
	}
	b.refused("--preserve-fds: -1 is less than 0", "run", "--bundle", b.bundle, "--preserve-fds", "-1", b.id)
}

func TestPreserveFDsOfExec(t *testing.T) {
	b := sleeping(t)
	b.hand("three\n", "four\n", "five\n")
	equal(t, b.exec(handedFDs, "--preserve-fds", "2"), "three\nfour")
	if r := b.brig("exec", "--preserve-fds", "7", b.id, "true"); r.code != 255 || !strings.Contains(r.err, "unable to stat preserved-fd 3 (of 7)") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	b.files = nil
}

// Socket activation is for the process that LISTEN_PID names, and for no other.
func TestListenFDs(t *testing.T) {
	const show = `echo "$LISTEN_FDS,$LISTEN_PID"; ` + handedFDs
	listening := func(b *box, script string, flags ...string) result {
		b.t.Helper()
		b.args("/bin/sh", "-c", script)
		b.save()
		for _, f := range b.files {
			_, err := f.Seek(0, 0) // the container before has read them
			must(t, err)
		}
		cmd := b.command(append(append([]string{"run", "--bundle", b.bundle}, flags...), b.id)...)
		// The shell becomes brig, and so knows its pid.
		cmd.Args = append([]string{"sh", "-c", `LISTEN_FDS=$1 LISTEN_PID=${2:-$$}; export LISTEN_FDS LISTEN_PID; shift 2; exec "$0" "$@"`}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
		cmd.Args = append(cmd.Args[:4:4], append(b.env, cmd.Args[4:]...)...)
		cmd.Path = "/bin/sh"
		cmd.Env = nil
		return finish(t, cmd)
	}
	b := newBox(t)
	b.hand("three\n", "four\n", "five\n")
	b.env = []string{"2", ""}
	if r := listening(b, show); r.out != "2,1\nthree\nfour\n" || r.code != 0 {
		t.Errorf("two sockets: exit %d, %q, %s", r.code, r.out, r.err)
	}
	b.env = []string{"1", ""}
	if r := listening(b, show, "--preserve-fds", "1"); r.out != "1,1\nthree\nfour\n" || r.code != 0 {
		t.Errorf("a socket and a preserved fd: exit %d, %q, %s", r.code, r.out, r.err)
	}
	b.env = []string{"2", "1"}
	if r := listening(b, `echo "$LISTEN_FDS,$LISTEN_PID"; [ -e /proc/self/fd/3 ] || echo none`); r.out != ",\nnone\n" || r.code != 0 {
		t.Errorf("another process's: exit %d, %q, %s", r.code, r.out, r.err)
	}
	b.env = []string{"9", ""}
	if r := listening(b, show); !strings.Contains(r.err, "unable to stat LISTEN_FDS 3 (of 9): EBADF") || r.code != 1 {
		t.Errorf("sockets that are not there: exit %d, %s", r.code, r.err)
	}
	b.env, b.files = nil, nil
}

func TestPidfdSocket(t *testing.T) {
	b := newBox(t)
	receive := receiver(t, b.dir+"/s")
	b.args("/bin/sleep", "1000")
	b.create("--pidfd-socket", b.dir+"/s")
	pidfd, said := receive()
	equal(t, said, "standard")
	b.ok("start", b.id)
	must(t, unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0))
	b.wait()
	b.ok("delete", b.id)
	b.refused("connect to the pidfd socket /no/such: ENOENT", "create", "--bundle", b.bundle, "--pidfd-socket", "/no/such", b.id)
}

func TestPidfdSocketOfExec(t *testing.T) {
	b := sleeping(t)
	receive := receiver(t, b.dir+"/s")
	b.ok("exec", "--detach", "--pidfd-socket", b.dir+"/s", b.id, "sh", "-c", "exec sleep 1000 >/dev/null 2>&1")
	pidfd, said := receive()
	equal(t, said, "setns")
	equal(t, b.exec("set -- /proc/[0-9]*; echo $#"), "3")
	must(t, unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0))
	if r := b.brig("exec", "--pidfd-socket", "/no/such", b.id, "true"); r.code != 255 || !strings.Contains(r.err, "connect to the pidfd socket /no/such") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}
