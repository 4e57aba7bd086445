package libcontainer

import (
	"encoding/binary"
	"strings"
	"testing"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// A namespace that came before init failed is not kept.
func TestHandlesAreClosed(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	raw := make([]byte, 16)
	binary.LittleEndian.PutUint32(raw, nsenter.MessageNamespace)
	err = unix.Sendmsg(pair[1], raw, unix.UnixRights(pipe[1]), nil, 0)
	unix.Close(pipe[1])
	unix.Close(pair[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Runtime{}).handedHooks(&record{ID: "x"}, pair[0]); err == nil {
		t.Error("no error")
	}
	// The pipe is at its end when nobody holds the other end any more.
	fds := []unix.PollFd{{Fd: int32(pipe[0])}}
	if n, err := unix.Poll(fds, 0); n != 1 || fds[0].Revents&unix.POLLHUP == 0 {
		t.Errorf("it is still open: %d, %v", n, err)
	}
}

// What an init may say in place of its namespaces, or not say.
func TestHandlesReceive(t *testing.T) {
	frame := func(kind uint32, word uint32) []byte {
		raw := make([]byte, 16)
		binary.LittleEndian.PutUint32(raw, kind)
		binary.LittleEndian.PutUint32(raw[8:], word)
		return raw
	}
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   string
	}{
		{"nothing", nil, `init of "x" was killed before it had handed over its namespaces: ECHILD`},
		{"no fd", [][]byte{frame(nsenter.MessageNamespace, unix.CLONE_NEWNS)}, "the stage handed over no namespace"},
		{"an error", [][]byte{frame(0x52524542, uint32(unix.EMFILE))}, "EMFILE"},
		{"another message", [][]byte{frame(nsenter.MessageMounted, 0)}, "was killed before"},
		{"gone when the hooks have run", [][]byte{frame(nsenter.MessageReady, 0)}, `let init of "x" go on: EPIPE`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.frames {
				if _, err := unix.Write(pair[1], f); err != nil {
					t.Fatal(err)
				}
			}
			unix.Close(pair[1])
			defer unix.Close(pair[0])
			if err := (&Runtime{}).handedHooks(&record{ID: "x"}, pair[0]); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, not %q", err, c.want)
			}
		})
	}
}
