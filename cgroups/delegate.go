package cgroups

import (
	"errors"
	"os"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Delegate makes a user of the host, and a group of users, the owners of a group and of those files in it that
// the kernel means to be given away with it, so that he can make groups below it. The
// limits of the group itself stay its maker's.
func (g *Group) Delegate(uid, gid uint32) error {
	listed, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil { // where nobody has mounted /sys
		listed = nil
	}
	return g.delegate(uid, gid, string(listed))
}

func (g *Group) delegate(uid, gid uint32, listed string) error {
	files := strings.Fields(listed)
	if len(files) == 0 {
		files = []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	}
	for _, name := range append(files, ".") {
		err := unix.Fchownat(g.fd, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW)
		// A file of a controller that the group does not have.
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fault.Hostf("/process/user", err, "give %s of the cgroup %s to user %d and group %d", name, g.path, uid, gid)
		}
	}
	return nil
}
