package libcontainer

import (
	"os"
	"strings"
	"testing"

	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// What is too much, and what vanishes, is an error with the pointer of the mount.
func TestCopyUpErrors(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"/a", "/b", "/c"} {
		if err := os.WriteFile(dir+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := lister{pointer: "/mounts/0/options", left: 2}
	fd, err := openCovered(dir, "/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.list(fd); err == nil || !strings.Contains(err.Error(), "/mounts/0/options: tmpcopyup of more than") {
		t.Errorf("%v", err)
	}
	l.left = 3
	if _, err := l.list(-1); err == nil || !strings.Contains(err.Error(), "/mounts/0/options: look at a directory") {
		t.Errorf("%v", err)
	}
	if _, err := l.entry(unix.AT_FDCWD, dir+"/none"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
	in := &plan.Input{Spec: &specs.Spec{Mounts: []specs.Mount{{Destination: "/x", Type: "tmpfs", Options: []string{"tmpcopyup"}}}}, Rootfs: dir + "/a"}
	if err := lookAtMounts(in); err == nil || !strings.Contains(err.Error(), `/mounts/0/options: open "/x" to copy it`) {
		t.Errorf("%v", err)
	}
}
