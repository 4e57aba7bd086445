package cgroups

import (
	"bytes"
	"errors"
	"strings"
	"unsafe"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// bpfLoad is the part of union bpf_attr that BPF_PROG_LOAD reads. Its addresses
// are pointers, which follow what they point to when a stack moves.
type bpfLoad struct {
	kind     uint32
	count    uint32
	insns    unsafe.Pointer
	license  unsafe.Pointer
	logLevel uint32
	logSize  uint32
	log      unsafe.Pointer
	_        uint32
	_        uint32
	name     [16]byte
}

// bpfAttach is the part that BPF_PROG_ATTACH reads.
type bpfAttach struct {
	target, prog, kind, flags, replace uint32
}

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// AttachDevices loads a device program and attaches it to the group, beside those
// that engines or service managers may attach: an access has to pass all of them.
// RLIMIT_MEMLOCK does not matter to programs since Linux 5.11.
func (g *Group) AttachDevices(program []byte) error {
	if len(program) < insnBytes {
		return fault.Bugf("attach a device program of %d bytes", len(program))
	}
	fd, err := loadDevices(program, nil)
	if err != nil {
		return explainLoad(program, err)
	}
	defer unix.Close(fd)
	attr := bpfAttach{target: uint32(g.fd), prog: uint32(fd), kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fault.Hostf(devicesPointer, err, "attach the device program to %s", g.path)
	}
	return nil
}

// logSize holds the whole log of a program that is refused at once; of a longer
// one the end, which names the cause, since Linux 6.4.
const logSize = 1 << 16

// explainLoad has the kernel say what it does not like about a program.
func explainLoad(program []byte, err error) error {
	log := make([]byte, logSize)
	if fd, again := loadDevices(program, log); again == nil {
		unix.Close(fd)
	}
	e := fault.Hostf(devicesPointer, err, "load the device program")
	e.Hint = verdictOf(log)
	if e.Hint == "" && errors.Is(err, unix.EPERM) {
		e.Hint = "a device policy needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN"
	}
	return e
}

// verdictOf is the line of the log that says why a program is refused: the last
// one before the statistics.
func verdictOf(log []byte) string {
	said, _, _ := bytes.Cut(log, []byte{0})
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if !strings.HasPrefix(lines[i], "processed ") {
			return lines[i]
		}
	}
	return lines[0]
}

// loadTries is how often a program is loaded that a signal interrupted.
const loadTries = 100

func loadDevices(program, log []byte) (int, error) {
	license := []byte("Apache\x00")
	attr := bpfLoad{
		kind:    unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		count:   uint32(len(program) / insnBytes),
		insns:   unsafe.Pointer(&program[0]),
		license: unsafe.Pointer(&license[0]),
	}
	copy(attr.name[:], "brig_devices")
	if len(log) > 0 {
		attr.logLevel, attr.logSize, attr.log = 1, uint32(len(log)), unsafe.Pointer(&log[0])
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	// The kernel gives up checking a program when a signal arrives, such as that
	// of a child's end or one of the Go runtime's own.
	for tries := 0; errors.Is(err, unix.EAGAIN) && tries < loadTries; tries++ {
		fd, err = bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	}
	return fd, err
}
