package nsenter

import (
	"errors"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// FuzzFrame sends brig what a stage could not have sent: it is taken for a message of a
// known type, for the end, or for a bug, and explained.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("BERR\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("BERR\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Add([]byte("BPID\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("BRDY"))
	f.Add([]byte("xx"))
	b := NewBuilder()
	every(b)
	p, err := b.Program()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || len(raw) > 4096 {
			return
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[0])
		if err := unix.Send(pair[1], raw, 0); err != nil {
			t.Fatal(err)
		}
		unix.Close(pair[1])
		m, err := ReceiveFrom(pair[0])
		var why *fault.Error
		if err != nil && !errors.As(err, &why) {
			t.Fatalf("%v is no error of brig", err)
		}
		if err == nil && m.Failed() && p.Fault(m).Error() == "" {
			t.Error("a failure without a text")
		}
		if end, err := ReceiveFrom(pair[0]); err != nil || !end.Ended() {
			t.Errorf("after it comes %+v, %v", end, err)
		}
	})
}
