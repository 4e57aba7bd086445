package vm

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Limit is how long a machine may take in `make test`. QEMU emulates every instruction,
// so that a test takes some ten times as long as on the machine itself.
const Limit = 60 * time.Minute

// NeedQEMU skips where there is no QEMU that emulates the machines, and where
// nobody may make their images.
func NeedQEMU(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: images of machines are made")
	}
	out, err := exec.Command("qemu-system-x86_64", "--version").Output()
	if err != nil {
		t.Skipf("needs QEMU: %v (tests/deps.sh vm)", err)
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "QEMU emulator version %d.", &major); err != nil || major < 10 {
		t.Skipf("needs QEMU 10, older ones crash their guests, and this is %s", strings.SplitN(string(out), "\n", 2)[0])
	}
}

// Boot gives a payload to a machine and returns the files that it leaves: below root,
// the root of the tree, are the scripts; the words of image are those of image.sh. A
// machine that takes longer than the limit has failed.
func Boot(t *testing.T, root string, image []string, payload string, limit time.Duration) map[string]string {
	t.Helper()
	made, err := exec.Command("sh", append([]string{filepath.Join(root, "tests/vm/image.sh")}, image...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("image.sh %s: %v\n%s", strings.Join(image, " "), err, exit.Stderr)
		}
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, serial := dir+"/out.tar", dir+"/serial"
	must(t, os.WriteFile(out, nil, 0o600))
	must(t, os.Truncate(out, 256<<20))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	from := time.Now()
	boot := exec.CommandContext(ctx, "sh", filepath.Join(root, "tests/vm/machine.sh"), strings.TrimSpace(string(made)), payload, out, serial)
	if text, err := boot.CombinedOutput(); err != nil {
		console, _ := os.ReadFile(serial)
		t.Fatalf("the machine: %v\n%s\n%s", err, text, Last(string(console), 40))
	}
	files := results(t, out)
	if files["kernel"] == "" {
		console, _ := os.ReadFile(serial)
		t.Fatalf("nothing came back\n%s", Last(string(console), 40))
	}
	files["took"] = time.Since(from).Round(time.Second).String()
	t.Logf("Linux %s with the controllers %s, %s in all", strings.TrimSpace(files["kernel"]), strings.TrimSpace(files["controllers"]), files["took"])
	return files
}

// results reads the tar that a machine wrote.
func results(t *testing.T, name string) map[string]string {
	t.Helper()
	file, err := os.Open(name)
	must(t, err)
	defer file.Close()
	files := map[string]string{}
	r := tar.NewReader(file)
	for {
		h, err := r.Next()
		if err != nil {
			return files // the end, or nothing was written
		}
		text, err := io.ReadAll(r)
		must(t, err)
		files[strings.TrimPrefix(h.Name, "out/")] = string(text)
	}
}

// Last are the last lines of a text.
func Last(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
