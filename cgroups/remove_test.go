package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestRemove(t *testing.T) {
	r, base := hierarchy(t)
	if err := r.Remove(base + "/a/b"); err != nil {
		t.Errorf("below nothing: %v", err)
	}
	create(t, r, base+"/a/b")
	if err := r.Remove(base + "/a/c"); err != nil {
		t.Errorf("a group that is not there: %v", err)
	}
	if err := r.Remove(base + "/a/b"); err != nil || exists(r, base+"/a/b") || !exists(r, base+"/a") {
		t.Errorf("an empty group: %v, or the group above is gone", err)
	}
	if err := r.Remove("/" + base + "//./a/"); err != nil || exists(r, base+"/a") || !exists(r, base) {
		t.Errorf("a path that is not clean: %v", err)
	}
}

func TestRemoveWithProcesses(t *testing.T) {
	r, base := hierarchy(t)
	path := base + "/a"
	g := create(t, r, path)
	all := []*process{start(t, g, "read x")}
	for _, below := range []string{"/1", "/1/2", "/1/2/3", "/4", "/4/5"} {
		all = append(all, start(t, create(t, r, path+below), "read x"))
	}
	other := create(t, r, base+"/other")
	q := start(t, other, "read x; echo $x")
	if err := r.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		p.killed(t)
	}
	q.say(t, "alive")
	if exists(r, path) || q.line(t) != "alive" {
		t.Error("the group is there, or a process of another one was killed")
	}
}

func TestRemoveFrozen(t *testing.T) {
	r, base := hierarchy(t)
	g, below := create(t, r, base+"/a"), create(t, r, base+"/a/b")
	p, q := start(t, g, "read x"), start(t, below, "read x")
	for _, g := range []*Group{below, g} {
		if err := g.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Remove(base + "/a"); err != nil || exists(r, base+"/a") {
		t.Fatal(err)
	}
	p.killed(t)
	q.killed(t)
}

// TestRemoveForkStorm is class I9 of attacks: processes that fork faster than
// anyone can list them.
func TestRemoveForkStorm(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base+"/a")
	script := filepath.Join(t.TempDir(), "storm")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n\"$0\" &\nexit\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, g, "for i in 1 2 3 4 5 6 7 8; do \"$1\" & done; echo; read x", script)
	p.line(t)
	first, err := g.Pids()
	if err != nil {
		t.Fatal(err)
	}
	for again := first; fmt.Sprint(again) == fmt.Sprint(first); {
		if again, err = g.Pids(); err != nil || len(again) < 2 {
			t.Fatalf("the storm is %v, %v", again, err)
		}
	}
	if err := r.Remove(base + "/a"); err != nil || exists(r, base+"/a") {
		t.Fatal(err)
	}
	p.killed(t)
}

// TestRemoveDeepNest has more levels than brig may have files open.
func TestRemoveDeepNest(t *testing.T) {
	r, base := hierarchy(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	at := create(t, r, base+"/a").FD()
	const levels = 300
	for i := range levels {
		if err := unix.Mkdirat(at, "d", 0o755); err != nil {
			t.Fatal(err)
		}
		unix.Mkdirat(at, "e", 0o755)
		below, err := openAt(at, "d", unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			unix.Close(at)
		}
		at = below
	}
	p := start(t, &Group{fd: at}, "read x")
	unix.Close(at)
	g, err := r.Open(base + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if pids, err := g.Pids(); err != nil || len(pids) != 1 || pids[0] != p.cmd.Process.Pid {
		t.Errorf("the processes are %v, %v", pids, err)
	}
	if err := r.Remove(base + "/a"); err != nil || exists(r, base+"/a") {
		t.Fatal(err)
	}
	p.killed(t)
}

func TestPidsOfThreaded(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base)
	create(t, r, base+"/a")
	if err := os.WriteFile(r.onDisk(base+"/a", "cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Fatal(err)
	}
	p := start(t, g, "read x")
	if err := os.WriteFile(r.onDisk(base+"/a", "cgroup.threads"), []byte(itoa(p.cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	if pids, err := g.Pids(); err != nil || len(pids) != 1 || pids[0] != p.cmd.Process.Pid {
		t.Errorf("the processes are %v, %v", pids, err)
	}
}

// TestRemoveWhileRemoved has two remove the same nest.
func TestRemoveWhileRemoved(t *testing.T) {
	r, base := hierarchy(t)
	for round := range 10 {
		path := fmt.Sprintf("%s/%d", base, round)
		for i := range 20 {
			create(t, r, fmt.Sprintf("%s/%d/x/y", path, i))
		}
		g := create(t, r, path+"/p")
		start(t, g, "read x")
		errs := make(chan error)
		for range 3 {
			go func() { errs <- r.Remove(path) }()
		}
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if exists(r, path) {
			t.Errorf("%s is there", path)
		}
	}
}

func TestRemoveErrors(t *testing.T) {
	r, base := hierarchy(t)
	for _, path := range []string{"", "/", "//", "/./", "/..", "..", "/a/../b", "/a\x00", "/a\nb"} {
		wantFault(t, r.Remove(path), fault.Bug, "", "remove the cgroup", 0)
	}
	g := create(t, r, base+"/a")
	start(t, g, "read x")
	wantFault(t, r.Remove(base+"/a/cgroup.procs"), fault.Host, "/linux/cgroupsPath", "open the cgroup", unix.ENOTDIR)
	err := asNobody(func() error { return r.Remove(base + "/a") })
	wantFault(t, err, fault.Host, "", "kill the processes of the cgroup", unix.EACCES)
	if !exists(r, base+"/a") {
		t.Error("it is gone")
	}
	p := start(t, g, "read x")
	wantFault(t, g.explainBusy(unix.EBUSY), fault.Host, "", "remove the cgroup "+base+"/a: EBUSY: device or resource busy (2 process(es) do not end, the first is ", unix.EBUSY)
	p.cmd.Process.Kill()
}

// TestRemoveGivesUp is about a group that stays busy, and files that are not
// those of a cgroup.
func TestRemoveGivesUp(t *testing.T) {
	r := fakeRoot(t, t.TempDir())
	if err := os.MkdirAll(r.mount+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"cgroup.kill", "cgroup.events", "cgroup.procs"} {
		if err := os.WriteFile(filepath.Join(r.mount, "a", file), []byte("populated 0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantFault(t, r.Remove("/a"), fault.Host, "", "remove the cgroup /a: ENOTEMPTY", unix.ENOTEMPTY)
	if _, err := os.Stat(r.mount + "/a/b"); err == nil {
		t.Error("what is below is there")
	}
}

func TestWalkErrors(t *testing.T) {
	visit := func(int) error { return nil }
	if err := walk(-1, visit); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
	if _, err := children(-1); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
	at := -1
	if err := climb(&at); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	r := fakeRoot(t, dir)
	stop := errors.New("stop")
	visits := 0
	if err := walk(r.fd, func(int) error { visits++; return stop }); err != stop || visits != 1 {
		t.Errorf("%v after %d visits", err, visits)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(dir+"/a/b", 0); err != nil {
		t.Fatal(err)
	}
	if err := asNobody(func() error { return walk(r.fd, visit) }); !errors.Is(err, unix.EACCES) {
		t.Error(err)
	}
}

// TestWalkWhileRemoved: what goes while others are visited is passed over.
func TestWalkWhileRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	visits := 0
	err := walk(fakeRoot(t, dir).fd, func(int) error {
		visits++
		for _, name := range []string{"a", "b", "c"} {
			os.Remove(filepath.Join(dir, name))
		}
		return nil
	})
	if err != nil || visits != 2 {
		t.Errorf("%v after %d visits, want the first and the top", err, visits)
	}
}

// TestWalkOrder: whatever is below comes first, and nothing beside the top is
// visited.
func TestWalkOrder(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"top/a/b/c", "top/a/d", "top/e", "beside/f"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	err := walk(fakeRoot(t, dir+"/top").fd, func(fd int) error {
		path, err := os.Readlink("/proc/self/fd/" + itoa(fd))
		if err != nil || seen[path] {
			return fmt.Errorf("%s again, or %w", path, err)
		}
		names, err := children(fd)
		for _, name := range names {
			if !seen[filepath.Join(path, name)] {
				return fmt.Errorf("%s before %s", path, name)
			}
		}
		seen[path] = true
		return err
	})
	if err != nil || len(seen) != 6 {
		t.Errorf("%v after %v", err, seen)
	}
}
