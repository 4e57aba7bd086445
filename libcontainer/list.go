package libcontainer

import (
	"errors"
	"os"
	"os/user"
	"sort"
	"strconv"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"golang.org/x/sys/unix"
)

// List returns all containers of the root, by ID. One that goes away meanwhile is
// left out.
func (r *Runtime) List() ([]*State, error) {
	root, err := r.openRoot(false)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	fd, err := unix.Openat(root, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fault.Hostf("", err, "read --root %s", r.Root)
	}
	dir := os.NewFile(uintptr(fd), r.Root)
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fault.Hostf("", pathErrno(err), "read --root %s", r.Root)
	}
	sort.Strings(names)
	var list []*State
	for _, name := range names {
		if spec.ValidID(name) != nil {
			continue
		}
		s, err := r.listed(name)
		switch {
		case isNotExist(err):
		case err != nil:
			r.warn([]string{err.Error()})
		case s != nil:
			list = append(list, s)
		}
	}
	return list, nil
}

// listed is a container for the list, or nil for what is none of brig's: engines give
// one root to all their runtimes.
func (r *Runtime) listed(id string) (*State, error) {
	d, err := r.open(id)
	if err != nil {
		return nil, err
	}
	defer d.close()
	s, err := d.state()
	if err != nil && d.foreign() {
		return nil, nil
	}
	return s, err
}

// userName is the name of a user, or the number of one without a name.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if uid == 0 {
		return "root"
	}
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
