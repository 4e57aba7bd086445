package root_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// held is what the host holds of containers that are gone.
type held struct {
	mounts, processes, files, cgroups int
	open                              int // files, of all processes and of none
	slab                              int // KiB of the kernel's that cannot be reclaimed
}

// held counts. Files are those of the state directory.
func (b *box) held() (h held) {
	b.t.Helper()
	list := func(pattern string) int {
		names, err := filepath.Glob(pattern)
		must(b.t, err)
		return len(names)
	}
	h.processes, h.mounts = list("/proc/[0-9]*"), len(b.hostMounts())
	h.files = list(b.state+"/*") + list(b.state+"/*/*")
	base, err := unified()
	must(b.t, err)
	fmt.Sscanf(field(reads(b.t, base+"/cgroup.stat"), "nr_descendants"), "%d", &h.cgroups)
	fmt.Sscanf(field(reads(b.t, "/proc/meminfo"), "SUnreclaim:"), "%d", &h.slab)
	fmt.Sscan(reads(b.t, "/proc/sys/fs/file-nr"), &h.open)
	return h
}

// exceeds says that there is more of something than there was. The test itself may have
// closed what it held.
func (h held) exceeds(before held) bool {
	return h.mounts > before.mounts || h.processes > before.processes || h.files > before.files || h.cgroups > before.cgroups
}

// field is what follows a name at the beginning of a line.
func field(text, name string) string {
	_, after, _ := strings.Cut("\n"+text, "\n"+name)
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

// settled counts when the kernel has put away what it puts away later.
func (b *box) settled() held {
	time.Sleep(time.Second)
	unix.Sync()
	return b.held()
}

// TestLeaks runs many containers in a row, and finds the host as it was. What the kernel
// keeps is compared with what it keeps of crun's, where that is installed.
func TestLeaks(t *testing.T) {
	b := newBox(t, `{"ociVersion":"1.0.2"}`) // an old crun knows no other
	b.args("/bin/true")
	b.save()
	n := 200
	if stride(2) == 1 {
		n = 5000
	}
	runs := func(n int) {
		for i := range n {
			if r := b.brig("run", "--bundle", b.bundle, b.id); r.code != 0 || r.err != "" {
				t.Fatalf("run %d: exit %d, %s", i, r.code, r.err)
			}
		}
	}
	runs(20) // what is made once is there
	before := b.settled()
	runs(n)
	after := b.settled()
	for range 10 { // others open files for a while
		if after.open <= before.open+n/2 {
			break
		}
		after = b.settled()
	}
	grown := after.slab - before.slab
	t.Logf("after %d runs: %+v, before: %+v", n, after, before)
	// Whoever else is on the host opens files too, if not hundreds.
	if after.exceeds(before) || after.open > before.open+n/2 {
		t.Errorf("%d runs left %+v, and before there was %+v", n, after, before)
	}
	crun, err := exec.LookPath("crun")
	if err != nil {
		return
	}
	if !b.runsOf(crun, 20) {
		return
	}
	before = b.settled()
	if !b.runsOf(crun, n) {
		t.Fatal("crun ran twenty of them, and then no more")
	}
	other := b.settled().slab - before.slab
	t.Logf("the kernel's memory grew by %d KiB, and by %d KiB with crun", grown, other)
	const noise = 16 << 10 // other tests run meanwhile
	if grown > max(other, 0)+noise {
		t.Errorf("the kernel's memory grew by %d KiB, and with crun by %d", grown, other)
	}
}

// runsOf runs the bundle in a row with another runtime, which sees cgroup v2 alone, and
// says whether it can.
func (b *box) runsOf(runtime string, n int) bool {
	b.t.Helper()
	script := `mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
		i=0; while [ $i -lt ` + fmt.Sprint(n) + ` ]; do "$0" --cgroup-manager=cgroupfs --root ` + b.dir + `/other run -b ` + b.bundle + ` other || exit 1; i=$((i+1)); done`
	cmd := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c", script, runtime)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Logf("%s does not run these: %v %s", runtime, err, out)
		return false
	}
	must(b.t, os.RemoveAll(b.dir+"/other"))
	return true
}
