package root_test

import (
	"path"
	"strconv"
	"strings"
	"testing"
)

// The name of a unit is that of a cgroup beside brig's own when brig was not told to ask
// systemd: BuildKit calls it so for each step of a build.
func TestCgroupNamedLikeAUnit(t *testing.T) {
	b := newBox(t)
	name := "system.slice:brig:" + b.id
	b.patch(`{"linux":{"cgroupsPath":"` + name + `"}}`)
	b.background("sleep 1000")
	equal(t, groupOf(t, strconv.Itoa(b.initOf())), path.Join(path.Dir(groupOf(t, "self")), name))
	b.ok("delete", "--force", b.id)
}

// groupOf is the cgroup of version 2 that a process is in.
func groupOf(t *testing.T, pid string) string {
	t.Helper()
	for line := range strings.Lines(reads(t, "/proc/"+pid+"/cgroup")) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return group
		}
	}
	t.Fatalf("process %s is in no cgroup of version 2", pid)
	return ""
}
