package vm

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// limit is how long a machine may take. QEMU emulates every instruction, so that a
// test takes some ten times as long as on the machine itself.
const limit = 25 * time.Minute

// TestVM boots the machines, one after the other, since each keeps all processors
// busy, and reports each of their tests under its own name.
func TestVM(t *testing.T) {
	list := strings.Fields(os.Getenv("BRIG_VM_SUITES"))
	if len(list) == 0 {
		list = []string{"trixie", "bookworm"}
	}
	if list[0] == "none" {
		t.Skip("BRIG_VM_SUITES says none")
	}
	needQEMU(t)
	in := filepath.Join(t.TempDir(), "in.tar")
	want := pack(t, in, os.Getenv("BRIG_VM_RUN"))
	if n := slices.Concat(slices.Collect(maps.Values(want))...); len(n) == 0 {
		t.Fatalf("no test is called %s", os.Getenv("BRIG_VM_RUN"))
	}
	// A disk has whole sectors.
	info, err := os.Stat(in)
	must(t, err)
	must(t, os.Truncate(in, (info.Size()+511)/512*512))
	for _, name := range list {
		t.Run(name, func(t *testing.T) { machine(t, name, in, want) })
	}
}

// needQEMU skips where there is no QEMU that emulates the machines, and where
// nobody may make their images.
func needQEMU(t *testing.T) {
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

// machine runs all suites on one machine.
func machine(t *testing.T, name, in string, want map[string][]string) {
	image, err := exec.Command("sh", "image.sh", name).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("image.sh %s: %v\n%s", name, err, exit.Stderr)
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
	boot := exec.CommandContext(ctx, "sh", "machine.sh", strings.TrimSpace(string(image)), in, out, serial)
	if text, err := boot.CombinedOutput(); err != nil {
		console, _ := os.ReadFile(serial)
		t.Fatalf("the machine: %v\n%s\n%s", err, text, last(string(console), 40))
	}
	files := results(t, out)
	if files["kernel"] == "" {
		console, _ := os.ReadFile(serial)
		t.Fatalf("nothing came back\n%s", last(string(console), 40))
	}
	t.Logf("Linux %s with the controllers %s, %s in all", strings.TrimSpace(files["kernel"]), strings.TrimSpace(files["controllers"]), time.Since(from).Round(time.Second))
	for _, s := range suites {
		if tests := want[s.name()]; len(tests) > 0 {
			t.Run(s.name(), func(t *testing.T) {
				report(t, tests, files[s.name()+".log"], files[s.name()+".status"])
			})
		}
	}
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

// event is one line of test2json.
type event struct{ Action, Test, Output string }

// report gives each test of a suite as a test of its own. A test without a result has
// failed, and so has a suite that did not come to its end, whatever its tests say.
func report(t *testing.T, want []string, log, status string) {
	convert := exec.Command("go", "tool", "test2json")
	convert.Stdin = strings.NewReader(log)
	lines, err := convert.Output()
	must(t, err)
	output, parents := map[string]*strings.Builder{}, map[string]bool{}
	var ends []event
	decoder := json.NewDecoder(bytes.NewReader(lines))
	for {
		var e event
		if decoder.Decode(&e) != nil {
			break
		}
		switch e.Action {
		case "output":
			if output[e.Test] == nil {
				output[e.Test] = &strings.Builder{}
			}
			output[e.Test].WriteString(e.Output)
		case "pass", "fail", "skip":
			ends = append(ends, e)
			if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
				parents[e.Test[:i]] = true
			}
		}
	}
	failed, seen := 0, map[string]bool{}
	for _, e := range ends {
		seen[e.Test] = true
		if e.Test == "" || parents[e.Test] && e.Action == "pass" {
			continue
		}
		text := ""
		if b := output[e.Test]; b != nil {
			text = b.String()
		}
		if e.Action == "fail" {
			failed++
		}
		t.Run(e.Test, func(t *testing.T) { repeat(t, e.Action, text) })
	}
	for _, test := range want {
		if !seen[test] {
			t.Run(test, func(t *testing.T) { t.Error("no result came back") })
		}
	}
	if status = strings.TrimSpace(status); status == "" || (status != "0") != (failed > 0) {
		t.Errorf("the suite ended with status %q after %d tests, %d of them failed:\n%s", status, len(ends), failed, last(log, 40))
	}
}

// repeat is a test of the machine, told again.
func repeat(t *testing.T, action, text string) {
	switch action {
	case "fail":
		t.Error(last(text, 60))
	case "skip":
		t.Skip(last(text, 3))
	}
}

// last are the last lines of a text.
func last(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
