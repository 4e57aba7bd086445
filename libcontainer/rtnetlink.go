package libcontainer

import (
	"encoding/binary"
	"errors"
	"runtime"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// rtnetlink is a socket to the network configuration of one namespace. The few
// messages that brig needs are encoded here: the known library for it brings
// package net along, 35 pages that every start would touch.
type rtnetlink struct {
	fd  int
	seq uint32
}

// openRtnetlink opens a socket in brig's own network namespace.
func openRtnetlink() (*rtnetlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fault.Hostf("", err, "open a socket to the network configuration")
	}
	// The kernel then says in words what it has against a request.
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &rtnetlink{fd: fd}, nil
}

// openRtnetlinkIn opens a socket in another network namespace. A thread of its own
// goes there for the one call; should it not find back, it is never used again.
func openRtnetlinkIn(ns int) (*rtnetlink, error) {
	type opened struct {
		r   *rtnetlink
		err error
	}
	result := make(chan opened)
	go func() {
		runtime.LockOSThread()
		r, err := socketIn(ns)
		if err == nil {
			runtime.UnlockOSThread()
		}
		result <- opened{r, err}
	}()
	o := <-result
	return o.r, o.err
}

func socketIn(ns int) (*rtnetlink, error) {
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fault.Hostf("", err, "open the network namespace of the host")
	}
	defer unix.Close(own)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return nil, fault.Hostf("", err, "enter the network namespace of the container")
	}
	r, err := openRtnetlink()
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil && err == nil {
		r.close()
		return nil, fault.Hostf("", back, "go back to the network namespace of the host")
	}
	return r, err
}

func (r *rtnetlink) close() { unix.Close(r.fd) }

// refused is an answer of the kernel: an errno, and mostly words.
type refused struct {
	errno unix.Errno
	words string
}

func (e *refused) Error() string { return e.errno.Error() }

func (e *refused) Unwrap() error { return e.errno }

// errInterrupted says that the configuration changed while it was listed.
var errInterrupted = &refused{errno: unix.EINTR}

// dumpTries is how often a list is asked for that changes meanwhile.
const dumpTries = 100

// list asks for all objects of a kind.
func (r *rtnetlink) list(kind uint16, body []byte, each func(body []byte)) error {
	var err error
	for range dumpTries {
		var bodies [][]byte
		err = r.request(kind, unix.NLM_F_DUMP, body, func(b []byte) { bodies = append(bodies, b) })
		if err == nil {
			for _, b := range bodies {
				each(b)
			}
		}
		if err != error(errInterrupted) {
			return err
		}
	}
	return err
}

// request sends one request and reads the answers to it, up to the last.
func (r *rtnetlink) request(kind, flags uint16, body []byte, each func(body []byte)) error {
	r.seq++
	le := binary.LittleEndian
	message := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	le.PutUint32(message, uint32(unix.NLMSG_HDRLEN+len(body)))
	le.PutUint16(message[4:], kind)
	le.PutUint16(message[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	le.PutUint32(message[8:], r.seq)
	if err := unix.Sendto(r.fd, append(message, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	interrupted := false
	for {
		buf := make([]byte, 1<<15)
		n, _, err := unix.Recvfrom(r.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		last, err := r.answers(buf[:n], &interrupted, each)
		if err != nil || last {
			return err
		}
	}
}

// answers reads the messages of one datagram, and says whether the last one of the
// answer was among them.
func (r *rtnetlink) answers(raw []byte, interrupted *bool, each func(body []byte)) (last bool, err error) {
	le := binary.LittleEndian
	for len(raw) >= unix.NLMSG_HDRLEN {
		n := int(le.Uint32(raw))
		if n < unix.NLMSG_HDRLEN || n > len(raw) {
			return false, unix.EBADMSG
		}
		kind, flags, seq, body := le.Uint16(raw[4:]), le.Uint16(raw[6:]), le.Uint32(raw[8:]), raw[unix.NLMSG_HDRLEN:n]
		raw = raw[min((n+3)&^3, len(raw)):]
		if seq != r.seq {
			continue
		}
		*interrupted = *interrupted || flags&unix.NLM_F_DUMP_INTR != 0
		switch kind {
		case unix.NLMSG_ERROR, unix.NLMSG_DONE:
			if err := refusal(body, kind, flags); err != nil {
				return true, err
			}
			if *interrupted {
				return true, errInterrupted
			}
			return true, nil
		default:
			each(body)
		}
	}
	return false, nil
}

// refusal reads the errno of an answer, and the words that may follow it.
func refusal(body []byte, kind, flags uint16) error {
	if len(body) < 4 {
		return unix.EBADMSG
	}
	errno := -int32(binary.LittleEndian.Uint32(body))
	if errno == 0 {
		return nil
	}
	e := &refused{errno: unix.Errno(errno)}
	rest := body[4:]
	if kind == unix.NLMSG_ERROR {
		rest = rest[min(unix.NLMSG_HDRLEN, len(rest)):]
	}
	if flags&unix.NLM_F_ACK_TLVS != 0 {
		attributes(rest, func(kind uint16, value []byte) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				e.words = unix.ByteSliceToString(value)
			}
		})
	}
	return e
}

// attributes reads a list of struct rtattr, without what is cut off.
func attributes(raw []byte, each func(kind uint16, value []byte)) {
	for len(raw) >= unix.SizeofRtAttr {
		n := int(binary.LittleEndian.Uint16(raw))
		if n < unix.SizeofRtAttr || n > len(raw) {
			return
		}
		each(binary.LittleEndian.Uint16(raw[2:]), raw[unix.SizeofRtAttr:n])
		raw = raw[min((n+3)&^3, len(raw)):]
	}
}

// appendAttribute appends a struct rtattr.
func appendAttribute(raw []byte, kind uint16, value []byte) []byte {
	raw = binary.LittleEndian.AppendUint16(raw, uint16(unix.SizeofRtAttr+len(value)))
	raw = append(binary.LittleEndian.AppendUint16(raw, kind), value...)
	for len(raw)%4 != 0 {
		raw = append(raw, 0)
	}
	return raw
}

func appendNumber(raw []byte, kind uint16, value uint32) []byte {
	return appendAttribute(raw, kind, binary.LittleEndian.AppendUint32(nil, value))
}
