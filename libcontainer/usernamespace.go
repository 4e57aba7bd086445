package libcontainer

import (
	"strconv"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// openIDMaps makes a user namespace for each mapping. The kernel takes the ids of
// a mount from one, and never looks who is in it.
func openIDMaps(maps []plan.IDMap) (fds []int, err error) {
	for i := range maps {
		fd, err := openIDMap(&maps[i])
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// openIDMap makes one user namespace. A process has to be its first: a stage that
// waits until its socket is closed, and holds the namespace as long as it takes to
// write its maps and to open it.
func openIDMap(m *plan.IDMap) (int, error) {
	program, err := plan.Hold(m.Pointer)
	if err != nil {
		return -1, err
	}
	holder, err := nsenter.Start(program, nsenter.Options{ID: "userns", Stdio: [3]int{0, 1, 2}, UserNamespace: true})
	if err != nil {
		return -1, err
	}
	defer reap(holder.Pid)
	defer holder.Close()
	proc, err := openProc()
	if err != nil {
		return -1, err
	}
	defer proc.close()
	for _, file := range [...]struct{ name, text string }{{"uid_map", mapText(m.UIDs)}, {"gid_map", mapText(m.GIDs)}} {
		if err := proc.write(holder.Pid, file.name, file.text); err != nil {
			return -1, fault.Hostf(m.Pointer, err, "write %s of a user namespace to map the ids of files", file.name)
		}
	}
	fd, err := unix.Openat(proc.fd, strconv.Itoa(holder.Pid)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fault.Hostf(m.Pointer, err, "open a user namespace to map the ids of files")
	}
	return fd, nil
}
