package seccomp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// Two calls with the secret pass, whatever the filter says; nothing else does.
func TestHandover(t *testing.T) {
	var kill fragment
	kill.emit(opRet, 0, 0, unix.SECCOMP_RET_KILL_PROCESS)
	s := Secret{1<<63 | 1, 2 << 32, 3}
	f := &Filter{Program: append(Handover(s), kill...)}
	if len(Handover(s)) != handoverSize {
		t.Fatalf("%d bytes", len(Handover(s)))
	}
	native := nativeABI().audit
	good := Data{Nr: unix.SYS_SENDMSG, Arch: native, Args: [6]uint64{7, 8, 9, s[0], s[1], s[2]}}
	for name, c := range map[string]struct {
		edit func(d *Data)
		want uint32
	}{
		"sendmsg":          {func(*Data) {}, unix.SECCOMP_RET_ALLOW},
		"recvmsg":          {func(d *Data) { d.Nr = unix.SYS_RECVMSG }, unix.SECCOMP_RET_ALLOW},
		"other arguments":  {func(d *Data) { d.Args[0], d.Args[1], d.Args[2] = 0, 0, 0 }, unix.SECCOMP_RET_ALLOW},
		"write":            {func(d *Data) { d.Nr = unix.SYS_WRITE }, unix.SECCOMP_RET_KILL_PROCESS},
		"x32":              {func(d *Data) { d.Nr |= 1 << 30 }, unix.SECCOMP_RET_KILL_PROCESS},
		"another table":    {func(d *Data) { d.Arch++ }, unix.SECCOMP_RET_KILL_PROCESS},
		"first, low half":  {func(d *Data) { d.Args[3] ^= 1 }, unix.SECCOMP_RET_KILL_PROCESS},
		"first, high half": {func(d *Data) { d.Args[3] ^= 1 << 63 }, unix.SECCOMP_RET_KILL_PROCESS},
		"second, low":      {func(d *Data) { d.Args[4] ^= 1 }, unix.SECCOMP_RET_KILL_PROCESS},
		"second, high":     {func(d *Data) { d.Args[4] ^= 1 << 32 }, unix.SECCOMP_RET_KILL_PROCESS},
		"third, low":       {func(d *Data) { d.Args[5] ^= 2 }, unix.SECCOMP_RET_KILL_PROCESS},
		"third, high":      {func(d *Data) { d.Args[5] ^= 1 << 40 }, unix.SECCOMP_RET_KILL_PROCESS},
	} {
		d := good
		c.edit(&d)
		if got, err := f.Evaluate(d); err != nil || got != c.want {
			t.Errorf("%s: %#x, %v", name, got, err)
		}
	}
}

func TestNewSecret(t *testing.T) {
	a, err := NewSecret()
	b, err2 := NewSecret()
	if err != nil || err2 != nil || a == b || a[0] == a[1] || a[1] == a[2] {
		t.Errorf("%v %v %v %v", a, b, err, err2)
	}
	if raw := Handover(a); !bytes.Contains(raw, binary.NativeEndian.AppendUint32(nil, uint32(a[2]>>32))) {
		t.Error("the secret is not in the filter")
	}
}
