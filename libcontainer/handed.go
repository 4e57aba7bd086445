package libcontainer

import (
	"os"
	"strconv"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// handedFDs is how many fds from 3 on the payload gets: those of socket activation
// first, then what the caller asks to preserve.
func handedFDs(preserve, listen int) (int, error) {
	for i := range preserve + listen {
		if err := checkHanded(3 + i); err != nil {
			what := "preserved-fd"
			n, of := i-listen, preserve
			if i < listen {
				what, n, of = "LISTEN_FDS", i, listen
			}
			return 0, fault.Hostf("", err, "unable to stat %s %d (of %d)", what, n, of)
		}
	}
	return preserve + listen, nil
}

// checkHanded makes sure that an fd came from the caller. What brig has opened itself
// closes itself on execve, and what was inherited cannot.
func checkHanded(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC != 0 {
		err = unix.EBADF
	}
	return err
}

// listenFDs is the number of sockets that a service manager has passed to this very
// process (sd_listen_fds(3)).
func listenFDs() int {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// announce tells the payload of its sockets: as init its pid is 1.
func announce(p *specs.Process, listen int) {
	if listen > 0 {
		p.Env = append(p.Env, "LISTEN_FDS="+strconv.Itoa(listen), "LISTEN_PID=1")
	}
}

// sendPidfd hands the pidfd of a process to who listens on a socket, with a word that
// says what kind of process it is.
func sendPidfd(socket, kind string, pidfd int) error {
	if socket == "" {
		return nil
	}
	fd, err := dial(socket, unix.SOCK_STREAM)
	if err != nil {
		return fault.Hostf("", err, "connect to the pidfd socket %s", socket)
	}
	defer unix.Close(fd)
	if err := unix.Sendmsg(fd, []byte(kind), unix.UnixRights(pidfd), nil, unix.MSG_NOSIGNAL); err != nil {
		return fault.Hostf("", err, "send the pidfd to %s", socket)
	}
	return nil
}
