package libcontainer

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"

	"golang.org/x/sys/unix"
)

// moveNetDevices moves the network devices into the namespace of init, which waits
// for them. They are never moved back: a virtual device ends with the namespace,
// and the kernel returns the others.
func (m *made) moveNetDevices(proc procfs, in *plan.Input, pid int) error {
	devices := in.Spec.Linux.NetDevices
	if len(devices) == 0 {
		return nil
	}
	ns, err := unix.Openat(proc.fd, strconv.Itoa(pid)+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fault.Hostf("/linux/netDevices", err, "open the network namespace of init")
	}
	defer unix.Close(ns)
	host, err := openRtnetlink()
	if err != nil {
		return err
	}
	defer host.close()
	container, err := openRtnetlinkIn(ns)
	if err != nil {
		return err
	}
	defer container.close()
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		d := netDevice{host: host, container: container, ns: ns, name: name, target: spec.NetDeviceName(name, devices[name])}
		if err := d.move(); err != nil {
			return err
		}
	}
	return m.release(-1)
}

// netDevice is a device on its way.
type netDevice struct {
	host, container *rtnetlink
	ns              int
	name, target    string
	index           uint32 // in the namespace of the host
	inside          uint32 // in that of the container
}

func (d *netDevice) fail(err error, op string) error {
	f := fault.Hostf(fault.Pointer("/linux/netDevices", d.name), err, "%s the network device %q", op, d.name)
	var r *refused
	if errors.As(err, &r) {
		f.Err, f.Hint = r.errno, r.words
	}
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.EEXIST):
		f.Class = fault.Config
	case f.Hint == "" && errors.Is(err, unix.EINVAL):
		f.Hint = "devices such as lo and bridges belong to their namespace"
	}
	return f
}

// move moves the device, gives it its addresses again, which it loses on the way,
// and sets it up. It is not set down before: the kernel does so when it is sure
// that it can be moved.
func (d *netDevice) move() error {
	if err := d.find(); err != nil {
		return d.fail(err, "find")
	}
	addresses, err := d.addresses()
	if err != nil {
		return d.fail(err, "read the addresses of")
	}
	if err := d.place(); err != nil {
		return d.fail(err, "find a place for")
	}
	body := appendNumber(linkBody(d.index, 0, 0), unix.IFLA_NET_NS_FD, uint32(d.ns))
	body = appendAttribute(body, unix.IFLA_IFNAME, append([]byte(d.target), 0))
	body = appendNumber(body, unix.IFLA_NEW_IFINDEX, d.inside)
	if err := d.host.request(unix.RTM_NEWLINK, 0, body, ignore); err != nil {
		return d.fail(err, "move")
	}
	for _, a := range addresses {
		binary.LittleEndian.PutUint32(a[4:], d.inside)
		if err := d.container.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, a, ignore); err != nil {
			return d.fail(err, "restore an address of")
		}
	}
	if err := d.container.request(unix.RTM_NEWLINK, 0, linkBody(d.inside, unix.IFF_UP, unix.IFF_UP), ignore); err != nil {
		return d.fail(err, "set up")
	}
	return nil
}

func ignore([]byte) {}

// linkBody is a struct ifinfomsg.
func linkBody(index, flags, change uint32) []byte {
	body := make([]byte, unix.SizeofIfInfomsg)
	le := binary.LittleEndian
	le.PutUint32(body[4:], index)
	le.PutUint32(body[8:], flags)
	le.PutUint32(body[12:], change)
	return body
}

// linkOf reads the index and the name of a link.
func linkOf(body []byte) (index uint32, name string) {
	if len(body) < unix.SizeofIfInfomsg {
		return 0, ""
	}
	attributes(body[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		if kind == unix.IFLA_IFNAME {
			name = unix.ByteSliceToString(value)
		}
	})
	return binary.LittleEndian.Uint32(body[4:]), name
}

func (d *netDevice) find() error {
	body := appendAttribute(linkBody(0, 0, 0), unix.IFLA_IFNAME, append([]byte(d.name), 0))
	err := d.host.request(unix.RTM_GETLINK, 0, body, func(answer []byte) { d.index, _ = linkOf(answer) })
	if err == nil && d.index == 0 {
		return unix.ENODEV
	}
	return err
}

// place finds a number for the device in the container, its own if that is free,
// and makes sure that its name is: where it is not, the kernel would have moved
// the device before it says so. A template leaves the name to the kernel.
func (d *netDevice) place() error {
	taken, last, used := false, uint32(0), false
	err := d.container.list(unix.RTM_GETLINK, linkBody(0, 0, 0), func(answer []byte) {
		index, name := linkOf(answer)
		last = max(last, index)
		used = used || index == d.index
		taken = taken || name == d.target
	})
	if err == nil && taken && !strings.Contains(d.target, "%d") {
		return &refused{unix.EEXIST, "the container has a device " + strconv.Quote(d.target)}
	}
	d.inside = d.index
	if used {
		d.inside = last + 1
	}
	return err
}

// addresses are the permanent ones of global scope, as requests to add them. Their
// labels are left out, which spell the name of the device.
func (d *netDevice) addresses() ([][]byte, error) {
	var list [][]byte
	err := d.host.list(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), func(answer []byte) {
		if a := permanent(answer, d.index); a != nil {
			list = append(list, a)
		}
	})
	return list, err
}

// addressFlags are the flags of an address that are its owner's, and not a state.
const addressFlags = unix.IFA_F_NODAD | unix.IFA_F_OPTIMISTIC | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// permanent makes a request from an address that is listed, nil for one of another
// device, or that is not permanent, or of a smaller scope.
func permanent(answer []byte, index uint32) []byte {
	if len(answer) < unix.SizeofIfAddrmsg || binary.LittleEndian.Uint32(answer[4:]) != index || answer[3] != unix.RT_SCOPE_UNIVERSE {
		return nil
	}
	request := slices.Clone(answer[:unix.SizeofIfAddrmsg])
	flags := uint32(answer[2])
	attributes(answer[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_FLAGS:
			if len(value) == 4 {
				flags = binary.LittleEndian.Uint32(value)
			}
		case unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_BROADCAST, unix.IFA_RT_PRIORITY:
			request = appendAttribute(request, kind, value)
		}
	})
	if flags&unix.IFA_F_PERMANENT == 0 {
		return nil
	}
	request[2] = 0
	return appendNumber(request, unix.IFA_FLAGS, flags&addressFlags)
}
