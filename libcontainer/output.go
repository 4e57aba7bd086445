package libcontainer

import (
	"errors"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxOutput is how much of a hook's output brig keeps: the end, which says why.
const maxOutput = 8 << 10

// output is one end of a pipe to which a hook writes, and what it wrote.
type output struct {
	fd   int
	tail []byte
	cut  bool
}

// open makes the pipe and returns the end for the hook.
func (o *output) open() (int, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		unix.Close(ends[0])
		unix.Close(ends[1])
		return -1, err
	}
	o.fd = ends[0]
	return ends[1], nil
}

func (o *output) poll() unix.PollFd { return unix.PollFd{Fd: int32(o.fd), Events: unix.POLLIN} }

// read takes what lies in the pipe, and no more than that: somebody who writes
// without end must not keep brig from looking at the clock.
func (o *output) read() {
	buf := make([]byte, 4096)
	for tries := 0; o.fd >= 0 && tries < 16; tries++ {
		n, err := unix.Read(o.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		if n <= 0 { // the end: poll passes over a negative fd
			unix.Close(o.fd)
			o.fd = -1
			return
		}
		o.tail = append(o.tail, buf[:n]...)
		if over := len(o.tail) - maxOutput; over > 0 {
			o.tail, o.cut = o.tail[over:], true
		}
	}
}

// text is the output for an error, in one line. What has to be escaped is longer there.
func (o *output) text() string {
	text := fault.Printable(strings.ReplaceAll(string(o.tail), "\n", `\n`))
	over := max(0, len(text)-maxOutput)
	if o.cut || over > 0 {
		return "[…]" + text[over:]
	}
	return text
}
