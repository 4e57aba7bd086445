package libcontainer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// message is a struct nlmsghdr with what follows it.
func message(kind, flags uint16, seq uint32, body []byte) []byte {
	le := binary.LittleEndian
	raw := le.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	raw = le.AppendUint16(le.AppendUint16(raw, kind), flags)
	raw = append(le.AppendUint32(le.AppendUint32(raw, seq), 0), body...)
	for len(raw)%4 != 0 {
		raw = append(raw, 0)
	}
	return raw
}

func TestAnswers(t *testing.T) {
	ack := make([]byte, 20)
	gone := binary.LittleEndian.AppendUint32(nil, ^uint32(unix.ENODEV)+1)
	words := appendAttribute(append(gone, make([]byte, unix.NLMSG_HDRLEN)...), unix.NLMSGERR_ATTR_MSG, []byte("no such device\x00"))
	for _, c := range []struct {
		name string
		raw  []byte
		last bool
		errs error
		said string
		seen string
	}{
		{name: "acknowledged", raw: message(unix.NLMSG_ERROR, 0, 7, ack), last: true},
		{name: "an object, and acknowledged", raw: append(message(16, 0, 7, []byte("abcde")), message(unix.NLMSG_ERROR, 0, 7, ack)...), last: true, seen: "abcde"},
		{name: "of another request", raw: append(message(16, 0, 6, []byte("abcd")), message(unix.NLMSG_ERROR, 0, 6, gone)...)},
		{name: "part of a list", raw: append(message(16, unix.NLM_F_MULTI, 7, []byte("ab")), message(16, unix.NLM_F_MULTI, 7, []byte("cd"))...), seen: "abcd"},
		{name: "end of a list", raw: message(unix.NLMSG_DONE, unix.NLM_F_MULTI, 7, ack[:4]), last: true},
		{name: "a list that changed", raw: message(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, 7, ack[:4]), last: true, errs: unix.EINTR},
		{name: "refused", raw: message(unix.NLMSG_ERROR, 0, 7, words), last: true, errs: unix.ENODEV},
		{name: "refused in words", raw: message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, 7, words), last: true, errs: unix.ENODEV, said: "no such device"},
		{name: "refused in a list", raw: message(unix.NLMSG_DONE, 0, 7, gone), last: true, errs: unix.ENODEV},
		{name: "cut off", raw: message(unix.NLMSG_ERROR, 0, 7, ack)[:24], errs: unix.EBADMSG},
		{name: "shorter than a header", raw: append([]byte{15, 0, 0, 0}, make([]byte, 12)...), errs: unix.EBADMSG},
		{name: "without an errno", raw: message(unix.NLMSG_ERROR, 0, 7, nil), last: true, errs: unix.EBADMSG},
		{name: "nothing"},
	} {
		var seen bytes.Buffer
		r, interrupted := &rtnetlink{seq: 7}, false
		last, err := r.answers(c.raw, &interrupted, func(b []byte) { seen.Write(b) })
		if last != c.last || !errors.Is(err, c.errs) || (c.errs == nil) != (err == nil) || seen.String() != c.seen {
			t.Errorf("%s: last %t, %v, objects %q", c.name, last, err, seen.String())
		}
		if e := (*refused)(nil); errors.As(err, &e) && e.words != c.said {
			t.Errorf("%s: %q", c.name, e.words)
		}
	}
}

func TestPermanentAddress(t *testing.T) {
	address := func(flags byte, scope byte, index uint32, more ...byte) []byte {
		return append(binary.LittleEndian.AppendUint32([]byte{unix.AF_INET, 24, flags, scope}, index), more...)
	}
	label := appendAttribute(nil, unix.IFA_LABEL, []byte("v0\x00"))
	local := appendAttribute(nil, unix.IFA_LOCAL, []byte{10, 1, 2, 3})
	flags := appendNumber(nil, unix.IFA_FLAGS, unix.IFA_F_PERMANENT|unix.IFA_F_NOPREFIXROUTE|unix.IFA_F_TENTATIVE)
	want := append(append(address(0, 0, 5), local...), appendNumber(nil, unix.IFA_FLAGS, unix.IFA_F_NOPREFIXROUTE)...)
	if got := permanent(address(0, 0, 5, append(append(label, local...), flags...)...), 5); !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
	for name, answer := range map[string][]byte{
		"of another device": address(unix.IFA_F_PERMANENT, 0, 6, local...),
		"for a while":       address(0, 0, 5, local...),
		"of a link":         address(unix.IFA_F_PERMANENT, unix.RT_SCOPE_LINK, 5, local...),
		"cut off":           address(unix.IFA_F_PERMANENT, 0, 5)[:7],
	} {
		if got := permanent(answer, 5); got != nil {
			t.Errorf("%s: %x", name, got)
		}
	}
}

// Whatever comes, the reading of it ends, within the bytes that are there.
func FuzzAnswers(f *testing.F) {
	f.Add(message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, 7, make([]byte, 40)))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		r, interrupted := &rtnetlink{seq: 7}, false
		r.answers(raw, &interrupted, func(b []byte) {
			linkOf(b)
			permanent(b, 1)
		})
	})
}
