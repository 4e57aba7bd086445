package cgroups

import (
	"os"
	"syscall"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// owners says who owns files of a group.
func owners(t *testing.T, r *Root, path string, files ...string) (list []uint32) {
	t.Helper()
	for _, name := range files {
		st, err := os.Stat(r.onDisk(path, name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, st.Sys().(*syscall.Stat_t).Uid)
	}
	return list
}

func TestDelegate(t *testing.T) {
	r, base := hierarchy(t)
	for listed, want := range map[string][5]uint32{
		"": {7000, 7000, 7000, 7000, 0},
		"cgroup.procs\nno.such.file\ncgroup.max.depth\n": {7000, 7000, 0, 0, 7000},
	} {
		g := create(t, r, base)
		if err := g.delegate(7000, 8000, listed); err != nil {
			t.Fatal(err)
		}
		got := owners(t, r, base, "", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "cgroup.max.depth")
		if [5]uint32(got) != want {
			t.Errorf("%q: the owners are %v, want %v", listed, got, want)
		}
		if err := r.Remove(base); err != nil {
			t.Fatal(err)
		}
	}
	g := create(t, r, base)
	if err := g.Delegate(7000, 8000); err != nil {
		t.Fatal(err)
	}
	if got := owners(t, r, base, "", "cgroup.procs", "cgroup.max.depth"); [3]uint32(got) != [3]uint32{7000, 7000, 0} {
		t.Errorf("the owners are %v", got)
	}
	g.fd = -1
	wantFault(t, g.Delegate(7000, 8000), fault.Host, "/process/user", "give cgroup.procs of the cgroup "+base+" to user 7000 and group 8000", unix.EBADF)
}
