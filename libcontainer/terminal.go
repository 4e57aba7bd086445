package libcontainer

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strconv"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// checkTerminal holds the flags to what the config says of a terminal. The texts are
// those that engines know from runc.
func checkTerminal(terminal, detach bool, socket string) error {
	switch {
	case terminal && detach && socket == "":
		return fault.Configf("/process/terminal", "cannot allocate tty if brig will detach without setting console socket").
			WithHint("--console-socket names the socket that gets the terminal")
	case socket != "" && !(terminal && detach):
		return fault.Configf("/process/terminal", "cannot use console socket if brig will not detach or allocate tty")
	}
	return nil
}

// consoleSocket is the socket to which the terminal of a detached container goes.
// It is connected before anything is made.
type consoleSocket struct{ fd int }

func dialConsole(name string) (*consoleSocket, error) {
	if name == "" {
		return nil, nil
	}
	fd, err := dial(name, unix.SOCK_STREAM)
	if err != nil {
		return nil, fault.Hostf("", err, "connect to the console socket %s", name)
	}
	return &consoleSocket{fd}, nil
}

// maxSocketName is what fits into a socket address, with a NUL.
const maxSocketName = 107

// dial connects to a socket of any length of name: a longer one than an address
// holds is reached through an fd of it.
func dial(name string, kind int) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if len(name) > maxSocketName {
		file, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		defer unix.Close(file)
		name = "/proc/self/fd/" + strconv.Itoa(file)
	}
	for {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: name})
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// send hands the terminal over: one message, with the terminal's name and one fd.
func (s *consoleSocket) send(master int) error {
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return fault.Hostf("/process/terminal", err, "ask for the terminal's number")
	}
	if err := unix.Sendmsg(s.fd, []byte("/dev/pts/"+strconv.Itoa(n)), unix.UnixRights(master), nil, unix.MSG_NOSIGNAL); err != nil {
		return fault.Hostf("/process/terminal", err, "send the terminal to the console socket")
	}
	return nil
}

func (s *consoleSocket) close() {
	if s != nil {
		unix.Close(s.fd)
	}
}

// terminal is brig's end of the terminal of a payload in the foreground, and what
// has to be put back in the caller's own.
type terminal struct {
	master *os.File
	caller *os.File
	saved  *unix.Termios
	done   chan struct{} // closed when there is no more output
}

// attach joins the caller's stdin and stdout to the payload's terminal. If stdin is
// a terminal it becomes raw, for the payload's line discipline is the one that counts.
func attach(master int, stdio [3]int) (*terminal, error) {
	t := &terminal{done: make(chan struct{})}
	in, err := duplicate(stdio[0], "stdin")
	if err != nil {
		return nil, err
	}
	out, err := duplicate(stdio[1], "stdout")
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(master, true); err != nil {
		return nil, fault.Hostf("/process/terminal", err, "prepare the terminal")
	}
	t.master, t.caller = os.NewFile(uintptr(master), "terminal"), in
	if err := t.raw(); err != nil {
		return nil, err
	}
	go func() {
		io.Copy(out, t.master) // ends with EIO when nobody has the other end open
		close(t.done)
	}()
	go io.Copy(t.master, in)
	return t, nil
}

func duplicate(fd int, name string) (*os.File, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fault.Hostf("", err, "duplicate %s", name)
	}
	return os.NewFile(uintptr(dup), name), nil
}

// raw makes the caller's terminal raw, and lets the payload's follow its size.
func (t *terminal) raw() error {
	fd := int(t.caller.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil // stdin is no terminal
	}
	raw := *saved
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return fault.Hostf("/process/terminal", err, "make the terminal raw")
	}
	t.saved = saved
	t.resize()
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	go func() {
		for range changed {
			t.resize()
		}
	}()
	return nil
}

// resize gives the payload's terminal the size of the caller's.
func (t *terminal) resize() {
	size, err := unix.IoctlGetWinsize(int(t.caller.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return
	}
	raw, err := t.master.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
}

// drainTime bounds the wait for output after the payload's end: what it left behind
// may hold the terminal open for ever.
const drainTime = time.Second

// detach waits for the last output and puts the caller's terminal back.
func (t *terminal) detach() {
	if t == nil {
		return
	}
	select {
	case <-t.done:
	case <-time.After(drainTime):
	}
	if t.saved != nil {
		unix.IoctlSetTermios(int(t.caller.Fd()), unix.TCSETS, t.saved)
	}
}

// pty takes the payload's terminal from the stage: to the console socket, or to the
// caller's own stdin and stdout.
type pty struct {
	socket   *consoleSocket
	stdio    [3]int
	terminal *terminal
}

func (p *pty) take(master int) error {
	if master < 0 {
		return fault.Bugf("the stage sent no terminal")
	}
	if p.socket != nil {
		defer unix.Close(master)
		return p.socket.send(master)
	}
	var err error
	p.terminal, err = attach(master, p.stdio)
	return err
}
