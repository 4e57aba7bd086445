package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// asNobody runs f with another user's rights to files.
func asNobody(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		return err
	}
	defer unix.Setfsuid(os.Geteuid())
	return f()
}

func TestCreate(t *testing.T) {
	r, base := hierarchy(t)
	path := base + "/a/b"
	g := create(t, r, path, Write{File: "cgroup.max.depth", Value: "7"}, Write{File: "cgroup.max.descendants", Value: "9"})
	if g.Path() != path || content(t, r, path, "cgroup.max.depth") != "7" || content(t, r, path, "cgroup.max.descendants") != "9" {
		t.Errorf("%s is not as written", g.Path())
	}
	p := start(t, g, "while read line; do echo \"$line\"; done </proc/self/cgroup; read x")
	for line := ""; !strings.HasPrefix(line, "0::"); {
		if line = p.line(t); strings.HasPrefix(line, "0::") && !strings.HasSuffix(line, path) {
			t.Errorf("the process is in %s", line)
		}
	}
	if pids, err := g.Pids(); err != nil || len(pids) != 1 || pids[0] != p.cmd.Process.Pid {
		t.Errorf("the processes are %v, %v; want %d", pids, err, p.cmd.Process.Pid)
	}
	if is, err := g.Populated(); !is || err != nil {
		t.Errorf("populated: %v, %v", is, err)
	}
}

func TestUnused(t *testing.T) {
	r, base := hierarchy(t)
	if there, err := r.Unused(base + "/no/such"); there || err != nil {
		t.Errorf("a group that is not there: %v, %v", there, err)
	}
	g := create(t, r, base+"/a")
	if there, err := r.Unused(base + "/a"); !there || err != nil {
		t.Errorf("an empty group: %v, %v", there, err)
	}
	p := start(t, g, "read x")
	_, err := r.Unused(base + "/a")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "container's cgroup is not empty: 1 process(es) found", unix.EBUSY)
	if err := r.RemoveEmpty(base + "/a"); err != nil || !exists(r, base+"/a") || p.cmd.Process.Signal(unix.Signal(0)) != nil {
		t.Errorf("a group in use did not stay: %v", err)
	}
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	p.killed(t)
	for range 2 {
		if err := r.RemoveEmpty(base + "/a"); err != nil || exists(r, base+"/a") {
			t.Errorf("an empty group: %v", err)
		}
	}
	for _, path := range []string{"", "/", "a/../.."} {
		if err := r.RemoveEmpty(path); fault.ClassOf(err) != fault.Bug {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestCreateInUse(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base)
	below := create(t, r, base+"/below")
	p := start(t, below, "read x")
	_, err := r.Create(base, nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "container's cgroup is not empty: 1 process(es) found", unix.EBUSY)
	start(t, g, "read x")
	_, err = r.Create(base, nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "container's cgroup is not empty: 2 process(es) found", unix.EBUSY)
	if is, err := below.Populated(); !is || err != nil || p.cmd.Process.Signal(unix.Signal(0)) != nil {
		t.Errorf("the group that is in use was touched: %v, %v", is, err)
	}
}

func TestCreateFrozen(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base+"/a")
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Create(base+"/a", nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "container's cgroup unexpectedly frozen", unix.EBUSY)
	_, err = r.Create(base+"/a/b/c", nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "container's cgroup unexpectedly frozen", unix.EBUSY)
	if exists(r, base+"/a/b") || !exists(r, base+"/a") {
		t.Error("not just what was made is gone")
	}
	if err := g.Thaw(); err != nil {
		t.Fatal(err)
	}
	create(t, r, base+"/a")
}

func TestCreateFailsAndTakesBack(t *testing.T) {
	r, base := hierarchy(t)
	create(t, r, base)
	for _, c := range []struct {
		name  string
		write Write
		part  string
		errno unix.Errno
	}{
		{"value", Write{File: "cgroup.max.depth", Value: "-5"}, `write "-5" to cgroup.max.depth`, unix.ERANGE},
		{"file", Write{File: "cgroup.nonesuch", Value: "1"}, "(this kernel or machine has no such limit)", unix.ENOENT},
		{"both files", Write{File: "cgroup.none", Value: "1", Instead: &Write{File: "cgroup.such", Value: "2", Pointer: "/p"}}, `write "2" to cgroup.such`, unix.ENOENT},
	} {
		c.write.Pointer = "/p"
		_, err := r.Create(base+"/x/y/z", []Write{{File: "cgroup.max.depth", Value: "3"}, c.write})
		wantFault(t, err, fault.Host, "/p", c.part, c.errno)
		if exists(r, base+"/x") || !exists(r, base) {
			t.Errorf("%s: not just what was made is gone", c.name)
		}
	}
	// Of a group that was there the parents stay, and it does.
	create(t, r, base+"/x/y")
	if _, err := r.Create(base+"/x/y", []Write{{File: "cgroup.max.depth", Value: "-5"}}); err == nil || !exists(r, base+"/x/y") {
		t.Errorf("%v, and the group that was there is gone", err)
	}
	if _, err := r.Create(base+"/x/y/z", []Write{{File: "cgroup.max.depth", Value: "-5"}}); err == nil || !exists(r, base+"/x/y") || exists(r, base+"/x/y/z") {
		t.Errorf("%v, or the wrong group is gone", err)
	}
}

func TestCreatePathErrors(t *testing.T) {
	r, base := hierarchy(t)
	create(t, r, base, Write{File: "cgroup.max.depth", Value: "2"})
	_, err := r.Create(base+"/a/b/c", nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "create the cgroup "+base+"/a/b/c: EAGAIN", unix.EAGAIN)
	if exists(r, base+"/a") {
		t.Error("the groups that could be made are still there")
	}
	_, err = r.Create(base+"/cgroup.procs", nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "create the cgroup", unix.ENOTDIR)
	_, err = r.Create(base+"/cgroup.procs/x", nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "create the cgroup", unix.ENOTDIR)
	_, err = r.Create(base+"/../../x", nil)
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "create the cgroup", unix.EXDEV)
	err = asNobody(func() error {
		_, err := r.Create(base+"/mine", nil)
		return err
	})
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "has to be delegated to the user", unix.EACCES)
	wantFault(t, explainMkdir(unix.EROFS, "/x"), fault.Host, "/linux/cgroupsPath", "is mounted read-only", unix.EROFS)
	gone := *r
	gone.fd = -1
	if _, err = gone.Create("/x", nil); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
}

// TestCreateAtOnce has many make groups below parents that nobody made before,
// while some of them fail and take back what they made.
func TestCreateAtOnce(t *testing.T) {
	r, base := hierarchy(t)
	for round := range 20 {
		parent := fmt.Sprintf("%s/%d/p", base, round)
		var done sync.WaitGroup
		for i := range 8 {
			done.Go(func() {
				writes := []Write{{File: "cgroup.max.depth", Value: "5", Pointer: "/p"}}
				if i%2 == 1 {
					writes[0].Value = "-5"
				}
				g, err := r.Create(fmt.Sprintf("%s/%d", parent, i), writes)
				if (err != nil) != (i%2 == 1) || err != nil && !errors.Is(err, unix.ERANGE) {
					t.Errorf("group %d: %v", i, err)
				}
				if err == nil {
					g.Close()
				}
			})
		}
		done.Wait()
		for i := range 8 {
			if got := exists(r, fmt.Sprintf("%s/%d", parent, i)); got != (i%2 == 0) {
				t.Errorf("group %d is there: %v", i, got)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	r, base := hierarchy(t)
	if _, err := r.Open(base); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a group that is not there: %v", err)
	}
	create(t, r, base)
	g, err := r.Open(base)
	if err != nil || g.Path() != base {
		t.Fatal(err)
	}
	g.Close()
	if g, err = r.Open("/"); err != nil {
		t.Fatal(err)
	}
	g.Close()
	_, err = r.Open(base + "/cgroup.procs")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "open the cgroup "+base+"/cgroup.procs", unix.ENOTDIR)
	_, err = r.Open("/..")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "open the cgroup /..", unix.EXDEV)
}

// TestInOrder plays the kernel's rule that the burst is never above the quota, in
// all cases of old and new values.
func TestInOrder(t *testing.T) {
	values := []int{0, 10, 20, 30}
	for _, oldQuota := range values[1:] {
		for _, oldBurst := range values {
			for _, quota := range values[1:] {
				for _, burst := range values {
					if oldBurst > oldQuota || burst > quota {
						continue
					}
					q, b := oldQuota, oldBurst
					err := inOrder([]Write{{File: "cpu.weight"}, {File: "cpu.max", Value: fmt.Sprint(quota)}, {File: "cpu.max.burst", Value: fmt.Sprint(burst)}}, func(w *Write) error {
						newQ, newB := q, b
						switch w.File {
						case "cpu.max":
							fmt.Sscan(w.Value, &newQ)
						case "cpu.max.burst":
							fmt.Sscan(w.Value, &newB)
						}
						if newB > newQ {
							return unix.EINVAL
						}
						q, b = newQ, newB
						return nil
					})
					if err != nil || q != quota || b != burst {
						t.Errorf("%d, %d to %d, %d: got %d, %d, %v", oldQuota, oldBurst, quota, burst, q, b, err)
					}
				}
			}
		}
	}
}

func TestInOrderStops(t *testing.T) {
	all := []Write{{File: "a"}, {File: "cpu.max"}, {File: "cpu.max.burst"}, {File: "b"}}
	for _, c := range []struct {
		name  string
		fails map[string]error
		want  string
	}{
		{"nothing fails", nil, "a cpu.max cpu.max.burst b"},
		{"first", map[string]error{"a": unix.EIO}, "a"},
		{"quota for another reason", map[string]error{"cpu.max": unix.EIO}, "a cpu.max"},
		{"quota for good", map[string]error{"cpu.max": unix.EINVAL}, "a cpu.max cpu.max.burst cpu.max"},
		{"both", map[string]error{"cpu.max": unix.EINVAL, "cpu.max.burst": unix.EINVAL}, "a cpu.max cpu.max.burst"},
		{"burst", map[string]error{"cpu.max.burst": unix.EINVAL}, "a cpu.max cpu.max.burst"},
	} {
		var done []string
		err := inOrder(all, func(w *Write) error {
			done = append(done, w.File)
			return c.fails[w.File]
		})
		if got := strings.Join(done, " "); got != c.want || (err != nil) != (c.fails != nil) {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestApply(t *testing.T) {
	g := fake(t, map[string]string{"there": "", "other": ""})
	for _, c := range []struct {
		name  string
		write Write
		want  string
	}{
		{"there", Write{File: "there", Value: "1", Instead: &Write{File: "other", Value: "2"}}, "1"},
		{"optional", Write{File: "missing", Value: "1", Optional: true}, ""},
		{"instead", Write{File: "missing", Value: "1", Instead: &Write{File: "there", Value: "2"}}, "2"},
	} {
		if err := unix.Ftruncate(mustOpen(t, g, "there"), 0); err != nil {
			t.Fatal(err)
		}
		err := g.apply(&c.write)
		if got, _ := readAt(g.fd, "there"); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if text, _ := readAt(g.fd, "other"); text != "" {
		t.Errorf("the other file has %q", text)
	}
	err := g.apply(&Write{File: "../there", Value: "1", Pointer: "/p", Optional: true})
	wantFault(t, err, fault.Host, "/p", `write "1" to ../there`, unix.EXDEV)
}

func TestWhyRefused(t *testing.T) {
	for err, want := range map[error]string{
		unix.ENOENT: "this kernel or machine has no such limit", unix.ENODEV: "there is no such device", unix.EINVAL: "",
	} {
		if got := whyRefused(err); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestCreateWhereNoCgroupsAre(t *testing.T) {
	r := fakeRoot(t, t.TempDir())
	_, err := r.Create("/a/b", nil)
	wantFault(t, err, fault.Host, "", "read cgroup.events of /a/b", unix.ENOENT)
	if exists(r, "/a") {
		t.Error("what was made is still there")
	}
}
