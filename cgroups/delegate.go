package cgroups

import (
	"errors"
	"os"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Delegate makes a user of the host, and a group of users, the owners of a group and of
// those files in it that the kernel means to be given away with it, so that he can make
// groups below it. The limits of the group itself stay its maker's. Before comes PassAllOn.
func (g *Group) Delegate(uid, gid uint32) error {
	listed, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil { // where nobody has mounted /sys
		listed = nil
	}
	return g.give(uid, gid, string(listed))
}

func (g *Group) give(uid, gid uint32, listed string) error {
	files := strings.Fields(listed)
	if len(files) == 0 {
		files = []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	}
	for _, name := range append(files, ".") {
		err := unix.Fchownat(g.fd, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW)
		// A file of a controller that the group does not have.
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fault.Hostf("/linux/uidMappings", err, "give %s of the cgroup %s to user %d and group %d", name, g.path, uid, gid)
		}
	}
	return nil
}

// PassAllOn gives a group all controllers that there are, and so all their files. Who may
// make directories in it could otherwise make one with the name of such a file: the kernel
// then refuses the controller to the group and to all beside it.
func (r *Root) PassAllOn(g *Group) error {
	parts := strings.Split(relative(g.path), "/")
	for i := range parts {
		if err := r.passAllOnAt(parts[:i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Root) passAllOnAt(parts []string) error {
	missing, err := r.notPassedOn(parts)
	if err != nil || len(missing) == 0 {
		return err
	}
	control := controlOf(parts)
	fd, err := openAt(r.fd, control, unix.O_WRONLY)
	if err == nil {
		unix.Close(fd)
		err = error(unix.EBUSY)
		if !r.holdsProcesses(parts) {
			err = writeAt(r.fd, control, "+"+strings.Join(missing, " +"))
		}
	}
	// What those above an ordinary user keep to themselves, he and his containers do not get.
	if err == nil || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return nil
	}
	e := fault.Hostf(pathPointer, err, "enable the controllers %s in /%s, for a container that gets its cgroup", strings.Join(missing, ", "), strings.Join(parts, "/"))
	if errors.Is(err, unix.EBUSY) {
		e.Hint = holdsHint
	}
	return e
}

// notPassedOn are the controllers that a group has, and those below it have not.
func (r *Root) notPassedOn(parts []string) (list []string, err error) {
	var text [2]string
	for i, name := range [...]string{"cgroup.controllers", "cgroup.subtree_control"} {
		if text[i], err = readAt(r.fd, fileOf(parts, name)); err != nil {
			return nil, fault.Hostf(pathPointer, err, "read %s", fileOf(parts, name))
		}
	}
	passed := strings.Fields(text[1])
	for _, c := range strings.Fields(text[0]) {
		if !slices.Contains(passed, c) {
			list = append(list, c)
		}
	}
	return list, nil
}
