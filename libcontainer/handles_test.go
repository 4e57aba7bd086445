package libcontainer

import (
	"encoding/binary"
	"strings"
	"testing"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

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
