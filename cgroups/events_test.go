package cgroups

import (
	"os"
	"strings"
	"testing"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func TestFreeze(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base+"/a")
	below := create(t, r, base+"/a/b")
	p := start(t, g, "while read x; do echo $x; done")
	q := start(t, below, "while :; do :; done")
	for range 20 {
		if err := g.Freeze(); err != nil {
			t.Fatal(err)
		}
		for _, g := range []*Group{g, below} {
			if is, err := g.Frozen(); !is || err != nil {
				t.Fatalf("%s is frozen: %v, %v", g.Path(), is, err)
			}
		}
		p.say(t, "word")
		// The kernel counts it as frozen a moment before it leaves its processor.
		for ticks, try := "", 0; ticks != cpuTicks(t, q); try++ {
			if try == 50 {
				t.Fatal("a frozen process works")
			}
			ticks = cpuTicks(t, q)
			time.Sleep(20 * time.Millisecond) // two ticks
		}
		if err := g.Freeze(); err != nil {
			t.Fatalf("once more: %v", err)
		}
		if err := g.Thaw(); err != nil {
			t.Fatal(err)
		}
		if is, err := g.Frozen(); is || err != nil {
			t.Fatalf("frozen: %v, %v", is, err)
		}
		if got := p.line(t); got != "word" {
			t.Fatalf("the thawed process said %q", got)
		}
	}
}

// cpuTicks is the processor time that a process has used.
func cpuTicks(t *testing.T, p *process) string {
	t.Helper()
	raw, err := os.ReadFile("/proc/" + itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(after)
	return f[11] + " " + f[12]
}

func TestThawBelowFrozen(t *testing.T) {
	r, base := hierarchy(t)
	above := create(t, r, base+"/a")
	g := create(t, r, base+"/a/b")
	start(t, g, "read x")
	if err := above.Freeze(); err != nil {
		t.Fatal(err)
	}
	g.patience = time.Millisecond
	wantFault(t, g.Thaw(), fault.Host, "", "do not freeze or thaw: ETIMEDOUT: connection timed out (a cgroup above it may be frozen)", unix.ETIMEDOUT)
}

// TestFreezeTakesBack is about processes that do not freeze, such as one that
// waits for a disk: they must not stay half frozen.
func TestFreezeTakesBack(t *testing.T) {
	g := fake(t, map[string]string{"cgroup.freeze": "", "cgroup.events": "populated 1\nfrozen 0\n"})
	wantFault(t, g.Freeze(), fault.Host, "", "the processes of the cgroup /fake do not freeze or thaw", unix.ETIMEDOUT)
	if got, _ := readAt(g.fd, "cgroup.freeze"); got != "0" {
		t.Errorf("cgroup.freeze is %q", got)
	}
}

// TestPaused: a group that was told to freeze is paused before all its processes are
// frozen, as is one below a frozen group. What enters it would stop too.
func TestPaused(t *testing.T) {
	for _, c := range []struct {
		events, freeze string
		want           bool
	}{{"frozen 0\n", "0\n", false}, {"frozen 0\n", "1\n", true}, {"frozen 1\n", "0\n", true}, {"frozen 1\n", "1\n", true}} {
		g := fake(t, map[string]string{"cgroup.freeze": c.freeze, "cgroup.events": c.events})
		if is, err := g.Paused(); is != c.want || err != nil {
			t.Errorf("%q, %q: %v, %v", c.events, c.freeze, is, err)
		}
	}
	_, err := fake(t, map[string]string{"cgroup.events": "frozen 0\n"}).Paused()
	wantFault(t, err, fault.Host, "", "read cgroup.freeze of /fake", unix.ENOENT)
	_, err = fake(t, nil).Paused()
	wantFault(t, err, fault.Host, "", "read cgroup.events of /fake", unix.ENOENT)
}

// TestFreezeWaitsForAllBelow: the kernel calls a group frozen while one below it
// still is not.
func TestFreezeWaitsForAllBelow(t *testing.T) {
	g := fake(t, map[string]string{"cgroup.freeze": "", "cgroup.events": "frozen 1\n"})
	for _, name := range []string{"below", "below/cgroup.events"} {
		if err := unix.Mkdirat(g.fd, name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wantFault(t, g.Freeze(), fault.Host, "", "look for frozen processes below", unix.EISDIR)
	below, err := openAt(g.fd, "below", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(below)
	if err := unix.Unlinkat(below, "cgroup.events", unix.AT_REMOVEDIR); err != nil {
		t.Fatal(err)
	}
	if err := g.Freeze(); err != nil {
		t.Errorf("with a group below that was just removed: %v", err)
	}
	events, err := unix.Openat(below, "cgroup.events", unix.O_CREAT|unix.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(events)
	unix.Pwrite(events, []byte("frozen 0\n"), 0)
	wantFault(t, g.Freeze(), fault.Host, "", "do not freeze or thaw", unix.ETIMEDOUT)
	g.patience = 50 * time.Millisecond
	go unix.Pwrite(events, []byte("frozen 1\n"), 0)
	if err := g.Freeze(); err != nil {
		t.Error(err)
	}
}

func TestEventErrors(t *testing.T) {
	none := fake(t, nil)
	wantFault(t, none.Kill(), fault.Host, "", "kill the processes of the cgroup /fake", unix.ENOENT)
	wantFault(t, none.Thaw(), fault.Host, "", "write 0 to cgroup.freeze of /fake", unix.ENOENT)
	wantFault(t, none.Freeze(), fault.Host, "", "and they could not be thawed again: no such file", unix.ENOENT)
	_, err := none.Populated()
	wantFault(t, err, fault.Host, "", "read cgroup.events of /fake", unix.ENOENT)

	other := fake(t, map[string]string{"cgroup.freeze": "", "cgroup.events": "populated 1\nfrozen_by 1\n"})
	_, err = other.Frozen()
	wantFault(t, err, fault.Host, "", "cgroup.events of /fake has no frozen", unix.ENOENT)
	wantFault(t, other.Freeze(), fault.Host, "", "cgroup.events of /fake has no frozen", unix.ENOENT)

	unreadable := fake(t, map[string]string{"cgroup.freeze": ""})
	if err := unix.Mkdirat(unreadable.fd, "cgroup.events", 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = unreadable.Frozen()
	wantFault(t, err, fault.Host, "", "read cgroup.events of /fake", unix.EISDIR)
	wantFault(t, unreadable.Thaw(), fault.Host, "", "read cgroup.events of /fake", unix.EISDIR)
	if err := unix.Mkdirat(unreadable.fd, "cgroup.procs", 0o755); err != nil {
		t.Fatal(err)
	}
	wantFault(t, unreadable.checkEmpty(), fault.Host, "", "list the processes of the cgroup /fake", unix.EISDIR)
	none = fake(t, map[string]string{"cgroup.freeze": ""})
	wantFault(t, none.Thaw(), fault.Host, "", "read cgroup.events of /fake", unix.ENOENT)
}

func TestKill(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base)
	below := create(t, r, base+"/below")
	p, q := start(t, g, "read x"), start(t, below, "read x")
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	p.killed(t)
	q.killed(t)
	if ok, err := g.await("populated", false, time.Minute); !ok || err != nil {
		t.Errorf("the group is still populated: %v, %v", ok, err)
	}
}
