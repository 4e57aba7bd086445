package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// writePidFile writes the pid without a newline, whole or not at all: engines
// poll for the file and read it at once.
func writePidFile(name string, pid int) error {
	if name == "" {
		return nil
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+strconv.Itoa(os.Getpid()))
	fd, err := unix.Open(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return fault.Hostf("", err, "create the pid file %s", name)
	}
	err = writeAll(fd, []byte(strconv.Itoa(pid)))
	unix.Close(fd)
	if err == nil {
		err = unix.Rename(temp, name)
	}
	if err != nil {
		unix.Unlink(temp)
		return fault.Hostf("", err, "write the pid file %s", name)
	}
	return nil
}
