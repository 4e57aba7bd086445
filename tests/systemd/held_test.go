package systemd_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// held is what the host holds: of its containers, and otherwise.
type held struct {
	units, processes, mounts, cgroups int
	files                             int // that the processes have open
	open                              int // the same in the kernel's count, with those that no process has
}

// holds counts. The kernel's own threads come and go with its work, and are left out;
// a zombie counts.
func holds(t *testing.T, b *box) (h held) {
	t.Helper()
	h.units = lines(b.systemctl("list-units", "--all", "--no-legend", "--plain"))
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	const kernelThread = 0x200000
	for _, name := range stats {
		raw, _ := os.ReadFile(name)
		var state string
		var n, flags int
		after := raw[bytes.LastIndexByte(raw, ')')+1:]
		if _, err := fmt.Sscan(string(after), &state, &n, &n, &n, &n, &n, &flags); err != nil || flags&kernelThread != 0 {
			continue
		}
		h.processes++
		fds, _ := os.ReadDir(filepath.Dir(name) + "/fd")
		h.files += len(fds)
	}
	h.mounts = lines(text(t, "/proc/self/mountinfo"))
	for _, line := range strings.Split(text(t, "/sys/fs/cgroup/cgroup.stat"), "\n") {
		fmt.Sscanf(line, "nr_descendants %d", &h.cgroups)
	}
	_, err = fmt.Sscan(text(t, "/proc/sys/fs/file-nr"), &h.open)
	must(t, err)
	return h
}

func text(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	must(t, err)
	return string(raw)
}

func lines(text string) (n int) {
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if strings.TrimSpace(s.Text()) != "" {
			n++
		}
	}
	return n
}

// Of mounts and cgroups nobody else makes any. A service or a timer of the machine may
// come by meanwhile, with its process and what that has open. The kernel adds up its
// count of files from one of each processor, which lag behind by as much as 32: that a
// container leaves one file that no process has open shows after 200, not after 10.
const (
	ofMachine      = 3
	ofMachineFiles = 8 * ofMachine
	lag            = 2 * 32
)

// exceeds says that there is more of something than there was, after n containers.
func (h held) exceeds(before held, n int) bool {
	files := min(ofMachineFiles, n/2)
	return h.units > before.units+ofMachine || h.processes > before.processes+ofMachine ||
		h.mounts > before.mounts || h.cgroups > before.cgroups+ofMachine ||
		h.files > before.files+files || h.open > before.open+files+lag
}

// cycle runs n containers, one after the other, and finds the host as it was.
func (b *box) cycle(n int) {
	b.t.Helper()
	one := func() {
		b.start()
		b.ok("kill", b.id, "KILL")
		b.ok("delete", "--force", b.id)
	}
	one() // what is made once is there
	before := holds(b.t, b)
	for range n {
		one()
	}
	// systemd and the kernel put away some of it later.
	after := holds(b.t, b)
	for deadline := time.Now().Add(30 * time.Second); after.exceeds(before, n) && time.Now().Before(deadline); {
		time.Sleep(500 * time.Millisecond)
		after = holds(b.t, b)
	}
	b.t.Logf("after %d containers: %+v, before: %+v", n, after, before)
	if after.exceeds(before, n) {
		b.t.Errorf("%d containers left %+v, and before there was %+v", n, after, before)
	}
}

// One of anything that each container leaves is too much.
func TestHeldExceeds(t *testing.T) {
	const n = 10 // as make test has it
	for _, h := range []held{{units: n}, {processes: n}, {mounts: n}, {cgroups: n}, {files: n}} {
		if !h.exceeds(held{}, n) {
			t.Errorf("%+v is fine", h)
		}
	}
	if !(held{open: 200}).exceeds(held{}, 200) {
		t.Error("200 open files are fine")
	}
	if h := (held{units: 1, processes: 1, cgroups: 1, files: 2, open: 20}); h.exceeds(held{}, n) {
		t.Errorf("%+v is not fine", h)
	}
}
