package nsenter

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Fds of the stage, in the order in which Start hands them over after stdio and
// the preserved ones: base + ControlFD and so on.
const (
	ControlFD = iota // the control socket, always there
	CgroupFD         // the container's cgroup directory
	ListenFD         // the listening start socket
)

// Types of the messages on the control socket, in their first four bytes.
const (
	messageError = 0x52524542 // "BERR": struct frame of stage.h
	MessagePid   = 0x44495042 // "BPID": pid of init in the fifth byte on, its pidfd beside it
	// MessageMounted ("BMNT") says that all is mounted: the stage waits for the hooks.
	MessageMounted = 0x544e4d42
	MessageReady   = 0x59445242 // "BRDY": all is set up, and the stage waits for Go
	// MessageNamespace ("BNSP") comes with a namespace of init; its CLONE_ flag is in the
	// ninth byte on.
	MessageNamespace = 0x50534e42
	// MessageTerminal ("BTTY") comes with brig's end of the payload's terminal.
	MessageTerminal = 0x59545442
	// MessageListener comes with the listener of the seccomp filter; the stage waits
	// for Go.
	MessageListener = 0x534c5242 // "BRLS"
	MessageTimes    = 0x4d495442 // "BTIM": time stamps of steps, from the ninth byte on
)

// frameSize is the size of every message but the time stamps.
const frameSize = 16

// maxMessage bounds what brig reads of one message: frames are 16 bytes, the
// time stamps of --timings some thousands.
const maxMessage = 1 << 15

// Options says how to start the stage.
type Options struct {
	ID    string
	Stdio [3]int
	Files []int // become fds 3, 4, … of the stage; the control socket is inserted at Control
	// Control is the index in Files before which the control socket goes.
	Control int
	// UserNamespace starts the stage in a new user namespace without any ids.
	UserNamespace bool
}

// Stage is a stage that runs, and brig's end of its control socket.
type Stage struct {
	Pid     int // the stage's first process, which forks the container's init
	control int
	pidfd   int // of the first process, until it has said which init is; -1 else
}

// Message is one message of the stage.
type Message struct {
	Type  uint32
	Pid   int
	Pidfd int           // the fd beside the message, which is a listener with MessageListener
	Index int           // of the instruction that failed
	Errno syscall.Errno // why
	Data  []byte        // what follows the type
	// Namespace is the CLONE_ flag of the namespace beside a MessageNamespace.
	Namespace uint64
}

// Start links the program to the stage, seals both in a memfd and executes it in
// a process that has entered nothing yet. The stage's environment is empty and
// its working directory is /.
func Start(p *Program, o Options) (*Stage, error) {
	image, err := imageOf(p)
	if err != nil {
		return nil, err
	}
	pair, err := syscall.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fault.Hostf("", err, "socketpair for the stage")
	}
	defer syscall.Close(pair[1])
	files := make([]uintptr, 0, 8)
	for _, fd := range o.Stdio {
		files = append(files, uintptr(fd))
	}
	for i := 0; i <= len(o.Files); i++ {
		if i == o.Control {
			files = append(files, uintptr(pair[1]))
		}
		if i < len(o.Files) {
			files = append(files, uintptr(o.Files[i]))
		}
	}
	memfd, err := sealedMemfd("brig", image.size, image.write, files)
	if err != nil {
		syscall.Close(pair[0])
		return nil, err
	}
	defer syscall.Close(memfd)
	pidfd := -1
	attr := &syscall.ProcAttr{Dir: "/", Env: []string{}, Files: files, Sys: &syscall.SysProcAttr{PidFD: &pidfd}}
	if o.UserNamespace {
		attr.Sys.Cloneflags = unix.CLONE_NEWUSER
	}
	pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(memfd), []string{"brig-stage", o.ID}, attr)
	if err != nil {
		syscall.Close(pair[0])
		return nil, fault.Hostf("", err, "execute the stage")
	}
	return &Stage{Pid: pid, control: pair[0], pidfd: pidfd}, nil
}

// image is the linked stage, that writes itself where it is wanted.
type image struct {
	l       *linker
	p       *Program
	size    int
	program int
}

func imageOf(p *Program) (*image, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	l, err := newLinker(stageELF())
	if err != nil {
		return nil, err
	}
	n := p.size()
	return &image{l: l, p: p, size: l.size(n), program: n}, nil
}

func (m *image) write(out []byte) {
	place := m.l.link(out, m.program, m.p.ScratchSize)
	m.p.appendTo(place[:0], runtime.GOARCH)
}

// memfdSeals make the stage unwritable for good, through any fd or name.
const memfdSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// sealTries is how often sealing is tried on a busy host.
const sealTries = 1000

// sealedMemfd writes an executable into a memfd and seals it. Its fd lies above
// every fd of files, because ForkExec moves those by dup3 onto numbers that it
// believes to be free. The image is written in place: every page that a start
// touches once more costs it microseconds.
func sealedMemfd(name string, size int, write func([]byte), files []uintptr) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // MFD_EXEC is of 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, fault.Hostf("", err, "memfd_create for the stage").
			WithHint("brig executes its stage from a memfd; vm.memfd_noexec=2 forbids that")
	}
	defer syscall.Close(fd)
	if err := fill(fd, size, write); err != nil {
		return -1, fault.Hostf("", err, "write the stage to its memfd")
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, memfdSeals)
	// A page that the kernel just works on counts as one that is being written.
	for tries := 0; errors.Is(err, unix.EBUSY) && tries < sealTries; tries++ {
		runtime.Gosched()
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, memfdSeals)
	}
	if err != nil {
		return -1, fault.Hostf("", err, "seal the stage")
	}
	// A file that is open for writing cannot be executed (ETXTBSY): the copy
	// that is executed is a read-only opening of the same memfd.
	high := len(files) + 1
	for _, f := range files {
		high = max(high, int(f)+len(files)+1)
	}
	ro, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fault.Hostf("", err, "open the stage for execution")
	}
	defer syscall.Close(ro)
	moved, err := unix.FcntlInt(uintptr(ro), unix.F_DUPFD_CLOEXEC, high)
	if errors.Is(err, unix.EINVAL) { // fcntl's word for a number above RLIMIT_NOFILE
		err = unix.EMFILE
	}
	if err != nil {
		return -1, fault.Hostf("", err, "move the stage's fd out of the way")
	}
	return moved, nil
}

// fill writes a file of a size through a mapping of it. The pages are allocated
// before, so that a host without memory is an error and not a SIGBUS.
func fill(fd, size int, write func([]byte)) error {
	// A signal interrupts it, such as those by which the Go runtime preempts.
	err := unix.Fallocate(fd, 0, 0, int64(size))
	for errors.Is(err, unix.EINTR) {
		err = unix.Fallocate(fd, 0, 0, int64(size))
	}
	if err != nil {
		return err
	}
	at, err := unix.MmapPtr(fd, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	write(unsafe.Slice((*byte)(at), size))
	return unix.MunmapPtr(at, uintptr(size))
}

// Close closes the control socket; a stage that waits for a word then gives up.
func (s *Stage) Close() {
	if s.control >= 0 {
		syscall.Close(s.control)
		s.control = -1
	}
	s.forget()
}

func (s *Stage) forget() {
	if s.pidfd >= 0 {
		syscall.Close(s.pidfd)
		s.pidfd = -1
	}
}

// ReceiveTimes is Receive for a message that may be the time stamps.
func (s *Stage) ReceiveTimes() (Message, error) { return s.receive(maxMessage) }

// Receive reads one message. It returns a zero Type at the end of the stream:
// the payload was executed, or the stage was killed.
func (s *Stage) Receive() (Message, error) { return s.receive(frameSize) }

// receive looks at the first process too until it has said which init is. Both have the
// other end of the socket: if the first one is killed in between, init waits for brig,
// and the stream does not end.
func (s *Stage) receive(size int) (Message, error) {
	if s.pidfd >= 0 {
		silent, err := s.silent()
		if silent || err != nil {
			return Message{Pidfd: -1}, err
		}
	}
	m, err := receive(s.control, size)
	if m.Type == MessagePid {
		s.forget()
	}
	return m, err
}

// silent waits for a message or the end of the first process, and says whether that
// ended and left none.
func (s *Stage) silent() (bool, error) {
	fds := []unix.PollFd{{Fd: int32(s.control), Events: unix.POLLIN}, {Fd: int32(s.pidfd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, fault.Hostf("", err, "wait for the stage")
		case fds[0].Revents != 0:
			return false, nil
		}
		// It may have spoken between the look at the socket and its end.
		n, err := unix.Poll(fds[:1], 0)
		if !errors.Is(err, unix.EINTR) {
			return n == 0, nil
		}
	}
}

// ReceiveFrom reads one message of a stage from a socket.
func ReceiveFrom(fd int) (Message, error) { return receive(fd, frameSize) }

func receive(fd, size int) (Message, error) {
	buf := make([]byte, size)
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	// A stage that ended before it read all that it was sent is a reset connection,
	// once; what it said before it ended comes after that.
	for errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNRESET) {
		n, oobn, _, _, err = unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return Message{}, fault.Hostf("", err, "receive a message of the stage")
	}
	m := Message{Pidfd: -1}
	if oobn > 0 {
		m.Pidfd = receivedFD(oob[:oobn])
	}
	if n == 0 {
		return m, nil
	}
	if n < 4 {
		return m, fault.Bugf("the stage sent %d bytes", n)
	}
	le := binary.LittleEndian
	m.Type, m.Data = le.Uint32(buf), buf[4:n]
	switch {
	case m.Type == messageError && n == 16:
		m.Index, m.Errno = int(le.Uint32(buf[4:])), syscall.Errno(le.Uint32(buf[8:]))
	case m.Type == MessagePid && n == 16:
		m.Pid = int(le.Uint32(buf[8:]))
	case m.Type == MessageNamespace && n == 16:
		m.Namespace = uint64(le.Uint32(buf[8:]))
	case m.Type != MessageReady && m.Type != MessageTimes && m.Type != MessageTerminal && m.Type != MessageListener && m.Type != MessageMounted:
		return m, fault.Bugf("the stage sent a message of type %#x with %d bytes", m.Type, n)
	}
	return m, nil
}

// Failed says that the message is an error frame.
func (m Message) Failed() bool { return m.Type == messageError }

// Ended says that the stream is at its end.
func (m Message) Ended() bool { return m.Type == 0 }

func receivedFD(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return -1
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1
	}
	return fds[0]
}

// Go tells a waiting stage to go on, with an fd beside it if fd is not negative.
func (s *Stage) Go(fd int) error { return Go(s.control, fd) }

// Control is brig's end of the control socket.
func (s *Stage) Control() int { return s.control }

// Go tells the stage at the other end of a control socket to go on.
func Go(control, fd int) error {
	var oob []byte
	if fd >= 0 {
		oob = unix.UnixRights(fd)
	}
	if err := unix.Sendmsg(control, []byte{'G'}, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		return fault.Hostf("", err, "tell the stage to go on")
	}
	return nil
}
