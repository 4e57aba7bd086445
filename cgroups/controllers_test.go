package cgroups

import (
	"os"
	"slices"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func TestWhyMissing(t *testing.T) {
	const proc = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" +
		"cpu\t1\t1\t1\nblkio\t7\t1\t1\nmemory\t0\t16\t0\nhugetlb\t0\t4\t1\n"
	for _, c := range []struct{ controller, want string }{
		{"cpu", "it is bound to cgroup v1 on this host, often at /sys/fs/cgroup/cpu"},
		{"io", "it is bound to cgroup v1 on this host, often at /sys/fs/cgroup/blkio"},
		{"memory", "it is disabled on the kernel's command line"},
		{"hugetlb", "the part of the hierarchy that brig sees was not given it"},
		{"rdma", "this kernel does not have it"},
		{"", "this kernel does not have it"},
	} {
		if got := whyMissing(proc, c.controller); got != c.want {
			t.Errorf("%s: %s", c.controller, got)
		}
	}
}

// TestMissingController is about limits that the v2 hierarchy has no controller
// for: on a hybrid host, and on a kernel that knows less than the config.
func TestMissingController(t *testing.T) {
	r, base := hierarchy(t)
	have, err := r.Controllers()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"memory", "pids", "cpu", "io", "cpuset", "nonesuch"} {
		if slices.Contains(have, c) {
			continue
		}
		w := Write{File: c + ".max", Value: "1", Pointer: "/linux/resources/x"}
		_, err := r.Create(base+"/a/b", []Write{{File: "cgroup.max.depth", Value: "5"}, w})
		wantFault(t, err, fault.Host, w.Pointer, c+".max: the v2 hierarchy at "+r.mount+" has no "+c+" controller", unix.ENOENT)
		if c == "nonesuch" && !strings.HasSuffix(err.Error(), "(this kernel does not have it)") {
			t.Error(err)
		}
		if exists(r, base) {
			t.Errorf("%s: the groups are still there", c)
		}
	}
	// What limits nothing needs no controller.
	create(t, r, base, Write{File: "nonesuch.max", Value: "max", Lifts: true}, Write{File: "nonesuch.x", Value: "1", Optional: true})
}

// shared is a controller of the real hierarchy, and a file of it that takes max.
func shared(t *testing.T, r *Root) Write {
	t.Helper()
	have, err := r.Controllers()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []Write{{File: "hugetlb.2MB.max", Value: "4194304"}, {File: "pids.max", Value: "1234"}} {
		if slices.Contains(have, w.Controller()) {
			w.Pointer = "/linux/resources/shared"
			return w
		}
	}
	t.Skipf("the controllers are %v only", have)
	return Write{}
}

func TestEnableControllers(t *testing.T) {
	r, base := hierarchy(t)
	w := shared(t, r)
	create(t, r, base+"/plain")
	if content(t, r, base, "cgroup.subtree_control") != "" {
		t.Fatal("controllers are enabled without a need")
	}
	create(t, r, base+"/a/b/c", w)
	for _, path := range []string{base, base + "/a", base + "/a/b"} {
		if got := strings.Fields(content(t, r, path, "cgroup.subtree_control")); !slices.Contains(got, w.Controller()) {
			t.Errorf("%s passes on %v", path, got)
		}
	}
	if got := content(t, r, base+"/a/b/c", w.File); got != w.Value {
		t.Errorf("%s is %s", w.File, got)
	}
	// The second one finds them enabled.
	create(t, r, base+"/a/b/d", w)
	if got := content(t, r, base+"/a/b/d", w.File); got != w.Value {
		t.Errorf("%s is %s", w.File, got)
	}
}

// TestEnableOneByOne has a controller that cannot be enabled beside one that can.
func TestEnableOneByOne(t *testing.T) {
	r, base := hierarchy(t)
	w := shared(t, r)
	g := create(t, r, base+"/a/b")
	if err := r.passOn(g, []Write{w}, []string{"nonesuch", w.Controller()}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(content(t, r, base+"/a/b", "cgroup.controllers")); !slices.Contains(got, w.Controller()) {
		t.Errorf("the controllers are %v", got)
	}
}

func TestEnableWithProcessesAbove(t *testing.T) {
	r, base := hierarchy(t)
	w := shared(t, r)
	g := create(t, r, base)
	start(t, g, "read x")
	_, err := r.Create(base+"/a", []Write{w})
	wantFault(t, err, fault.Host, w.Pointer, "enable the "+w.Controller()+" controller in "+base+": EBUSY", unix.EBUSY)
	if !strings.Contains(err.Error(), "a cgroup with processes of its own cannot pass controllers on") || exists(r, base+"/a") {
		t.Error(err)
	}
}

// TestEnableThreadedWithProcessesAbove has a controller that the kernel would enable there,
// and so make a group that holds threads only of each below.
func TestEnableThreadedWithProcessesAbove(t *testing.T) {
	r, base := hierarchy(t)
	if have, err := r.Controllers(); err != nil || !slices.Contains(have, "pids") {
		t.Skipf("the controllers are %v only, %v", have, err)
	}
	w := Write{File: "pids.max", Value: "1234", Pointer: "/linux/resources/pids/limit"}
	g := create(t, r, base)
	start(t, g, "read x")
	_, err := r.Create(base+"/a/b", []Write{w})
	wantFault(t, err, fault.Host, w.Pointer, "enable the pids controller in "+base+": EBUSY", unix.EBUSY)
	if got := content(t, r, base, "cgroup.subtree_control"); got != "" || exists(r, base+"/a") {
		t.Errorf("%s passes on %q", base, got)
	}
}

func TestEnableInThreaded(t *testing.T) {
	r, base := hierarchy(t)
	w := shared(t, r)
	if w.Controller() == "pids" {
		t.Skip("pids is a threaded controller")
	}
	create(t, r, base+"/a")
	if err := os.WriteFile(r.onDisk(base+"/a", "cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := r.Create(base+"/a/b", []Write{w})
	wantFault(t, err, fault.Host, w.Pointer, "a threaded cgroup has threaded controllers only", unix.EOPNOTSUPP)
}

// TestEnableErrors runs what a hierarchy answers that is not the user's.
func TestEnableErrors(t *testing.T) {
	w := Write{File: "memory.max", Value: "1", Pointer: "/p"}
	t.Run("no list of the group", func(t *testing.T) {
		g := fake(t, nil)
		_, err := (&Root{fd: g.fd, mount: "/m"}).enable(g, []Write{w})
		wantFault(t, err, fault.Host, "/linux/cgroupsPath", "read cgroup.controllers of /fake", unix.ENOENT)
	})
	t.Run("no list of the hierarchy", func(t *testing.T) {
		g := fake(t, map[string]string{"cgroup.controllers": "cpu"})
		_, err := fakeRoot(t, t.TempDir()).enable(g, []Write{w})
		wantFault(t, err, fault.Host, "/linux/resources", "read cgroup.controllers of ", unix.ENOENT)
	})
	t.Run("not delegated", func(t *testing.T) {
		g := fake(t, map[string]string{"cgroup.controllers": "cpu"})
		r := fakeRoot(t, t.TempDir())
		if err := os.WriteFile(r.mount+"/cgroup.controllers", []byte("cpu memory\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.mount+"/cgroup.subtree_control", nil, 0o444); err != nil {
			t.Fatal(err)
		}
		err := asNobody(func() error {
			_, err := r.enable(g, []Write{w})
			return err
		})
		wantFault(t, err, fault.Host, "/p", "enable the memory controller in /: EACCES", unix.EACCES)
		if !strings.Contains(err.Error(), "delegated") {
			t.Error(err)
		}
	})
	t.Run("one by one", func(t *testing.T) {
		g := fake(t, map[string]string{"cgroup.controllers": "memory cpu"})
		do, err := (&Root{fd: g.fd}).enable(g, []Write{w, {File: "cgroup.max.depth"}, {File: "cpu.max"}})
		if err != nil || len(do) != 3 {
			t.Errorf("%v, %v", do, err)
		}
	})
}
