package cgroups

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// owners says who owns files of a group: user and group.
func owners(t *testing.T, r *Root, path string, files ...string) string {
	t.Helper()
	var list []string
	for _, name := range files {
		info, err := os.Stat(r.onDisk(path, name))
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		list = append(list, fmt.Sprint(st.Uid, ":", st.Gid))
	}
	return strings.Join(list, " ")
}

func TestDelegate(t *testing.T) {
	r, base := hierarchy(t)
	for listed, want := range map[string]string{
		"": "7000:8000 7000:8000 7000:8000 7000:8000 0:0",
		"cgroup.procs\nno.such.file\ncgroup.max.depth\n": "7000:8000 7000:8000 0:0 0:0 7000:8000",
	} {
		g := create(t, r, base)
		if err := g.give(7000, 8000, listed); err != nil {
			t.Fatal(err)
		}
		if got := owners(t, r, base, "", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "cgroup.max.depth"); got != want {
			t.Errorf("%q: the owners are %s, want %s", listed, got, want)
		}
		if err := r.Remove(base); err != nil {
			t.Fatal(err)
		}
	}
	g := create(t, r, base)
	if err := g.Delegate(7000, 8000); err != nil {
		t.Fatal(err)
	}
	if got := owners(t, r, base, "", "cgroup.procs", "cgroup.max.depth"); got != "7000:8000 7000:8000 0:0" {
		t.Errorf("the owners are %s", got)
	}
	unix.Close(g.fd)
	g.fd = -1
	wantFault(t, g.Delegate(7000, 8000), fault.Host, "/linux/uidMappings", "give cgroup.procs of the cgroup "+base+" to user 7000 and group 8000", unix.EBADF)
}

// Who owns a group cannot make one where a file will be: all controllers are there before.
func TestPassAllOn(t *testing.T) {
	r, base := hierarchy(t)
	w := shared(t, r)
	g := create(t, r, base+"/above/given")
	if err := r.PassAllOn(g); err != nil {
		t.Fatal(err)
	}
	have, err := r.Controllers()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(content(t, r, base+"/above/given", "cgroup.controllers")); !slices.Equal(got, have) {
		t.Errorf("it has %v of %v", got, have)
	}
	if err := unix.Mkdir(r.onDisk(base+"/above/given", w.File), 0o755); !errors.Is(err, unix.EEXIST) {
		t.Errorf("mkdir %s: %v", w.File, err)
	}
	create(t, r, base+"/above/beside", w)
}

func TestPassAllOnWithProcessesAbove(t *testing.T) {
	r, base := hierarchy(t)
	w := shared(t, r)
	above := create(t, r, base)
	start(t, above, "read x")
	g := create(t, r, base+"/a")
	err := r.PassAllOn(g)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "in "+base+", for a container that gets its cgroup: EBUSY", unix.EBUSY)
	if !strings.Contains(err.Error(), w.Controller()) || !strings.Contains(err.Error(), "a cgroup with processes of its own cannot pass controllers on") {
		t.Error(err)
	}
}

func TestPassAllOnWithoutHierarchy(t *testing.T) {
	g := fake(t, map[string]string{"cgroup.controllers": "pids memory"})
	r := &Root{fd: g.fd}
	wantFault(t, r.PassAllOn(&Group{fd: -1, path: "/a"}), fault.Host, "/linux/cgroupsPath", "read cgroup.subtree_control: ENOENT", unix.ENOENT)
}

// A group with the name of a file that is not there is no file.
func TestWriteWhereAGroupIs(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base)
	create(t, r, base+"/cgroup.none")
	if err := r.Update(g, []Write{
		{File: "cgroup.none", Value: "1", Optional: true},
		{File: "cgroup.none", Value: "1", Instead: &Write{File: "cgroup.max.depth", Value: "4"}},
	}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := content(t, r, base, "cgroup.max.depth"); got != "4" {
		t.Errorf("in its stead is %s", got)
	}
	wantFault(t, r.Apply(g, []Write{{File: "cgroup.none", Value: "1", Pointer: "/x"}}), fault.Host, "/x", `write "1" to cgroup.none: EISDIR`, unix.EISDIR)
}
