package root_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostMounts are the mounts of the host that this box can have to do with: all
// but those below the directories of other tests, which run at the same time.
func (b *box) hostMounts() []string {
	b.t.Helper()
	raw, err := os.ReadFile("/proc/self/mountinfo")
	must(b.t, err)
	var list []string
	for line := range strings.Lines(string(raw)) {
		if !strings.Contains(line, os.TempDir()+"/Test") || strings.Contains(line, b.dir) {
			list = append(list, strings.TrimSuffix(line, "\n"))
		}
	}
	return list
}

// checkNothingLeft holds the host against what it was before the test.
func (b *box) checkNothingLeft() {
	left := b.left()
	for _, line := range left {
		b.t.Errorf("left behind: %s", line)
	}
	if len(left) > 0 {
		b.brig("delete", "--force", b.id)
	}
}

func (b *box) left() []string {
	left := b.leftGroups()
	left = append(left, b.leftProcesses()...)
	entries, _ := os.ReadDir(b.state)
	for _, e := range entries {
		// The cache of compiled filters stays.
		if !strings.HasPrefix(e.Name(), "@") {
			left = append(left, "state of "+e.Name())
		}
	}
	mounts := b.hostMounts()
	for _, line := range mounts {
		if !slices.Contains(b.mounts, line) {
			left = append(left, "new mount "+line)
		}
	}
	for _, line := range b.mounts {
		if !slices.Contains(mounts, line) {
			left = append(left, "lost mount "+line)
		}
	}
	return left
}

// remains is what is left after a while: processes may need a moment to end.
func (b *box) remains(patience time.Duration) (left []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if left = b.left(); len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

func (b *box) leftGroups() (left []string) {
	base, err := unified()
	must(b.t, err)
	err = filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), b.id) {
			left = append(left, "cgroup "+path)
		}
		return nil
	})
	must(b.t, err)
	return left
}

// leftProcesses lists the processes in the container's cgroup and those of brig
// and its stage that work for it, by their command lines.
func (b *box) leftProcesses() (left []string) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(b.t, err)
	for _, dir := range dirs {
		group, _ := os.ReadFile(dir + "/cgroup")
		line, _ := os.ReadFile(dir + "/cmdline")
		exe, err := os.Readlink(dir + "/exe")
		if err != nil {
			continue // a zombie, or gone by now
		}
		if strings.Contains(string(group), b.id) || strings.Contains(string(line), b.id) || strings.Contains(string(line), b.dir) {
			left = append(left, "process "+dir+" "+exe+" "+string(line))
		}
	}
	return left
}

// TestLeftIsSeen makes sure that the look at the host finds what it looks for.
func TestLeftIsSeen(t *testing.T) {
	b := sleeper(t)
	b.create()
	was := b.mounts
	b.hostMount("seen", b.source(), "tmpfs", 0)
	now := b.mounts
	b.mounts = was
	left := strings.Join(b.left(), "\n")
	b.mounts = now
	for _, want := range []string{"cgroup ", "process ", "/memfd:brig", "state of " + b.id, "new mount "} {
		if !strings.Contains(left, want) {
			t.Errorf("%q is not in\n%s", want, left)
		}
	}
	b.ok("delete", b.id)
}
