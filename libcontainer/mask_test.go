package libcontainer

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"brig/libcontainer/plan"
	"brig/libcontainer/spec"

	"golang.org/x/sys/unix"
)

// Masked paths are covered in both ways that the kernel may offer, and neither
// leaves anything of the host on top of the root.
func TestMasksOnEachKernel(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if os.Geteuid() != 0 || err != nil {
		t.Skip("needs root and busybox: a container is run")
	}
	rootfs := t.TempDir()
	for _, dir := range [...]string{"bin", "proc", "sys", "dev", "tmp", "masked"} {
		if err := os.Mkdir(filepath.Join(rootfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err == nil {
		err = os.WriteFile(filepath.Join(rootfs, "bin/busybox"), program, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(rootfs, "masked/secret"), []byte("secret"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	const script = `b=/bin/busybox; $b ls /masked; $b cat /proc/keys; $b grep -c " / / " /proc/self/mountinfo; $b ls /.. | $b head -1; echo end`
	for _, detached := range [...]bool{kernelAtLeast(6, 15), false} {
		s := spec.Example(spec.ExampleHost{NoUserNamespace: true})
		s.Root.Path = rootfs
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/masked")
		s.Process.Args = []string{"/bin/busybox", "sh", "-c", script}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		o := &RunOptions{CreateOptions: CreateOptions{
			ID: "masks", Bundle: Bundle{Dir: rootfs, Spec: s}, Stdio: [3]int{0, int(w.Fd()), 2},
			host: func(h *plan.Host) { h.CloneDetached = detached },
		}}
		status, err := (&Runtime{Root: t.TempDir()}).Run(o)
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.Close()
		said, _ := io.ReadAll(r)
		r.Close()
		if lines := strings.Fields(string(said)); err != nil || status != 0 || strings.Join(lines, " ") != "0 bin end" {
			t.Errorf("detached %v: status %d, %v, said %q", detached, status, err, said)
		}
	}
}
