package cgroups

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "write the results into testdata/writes.txt")

// A case of testdata/writes.txt is a comment, resources as one line of JSON, and
// the writes or errors that they mean, up to an empty line.
type goldenCase struct {
	comment, resources, want string
}

const goldenFile = "testdata/writes.txt"

func goldenCases(t testing.TB) []goldenCase {
	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for _, block := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
		comment, rest, _ := strings.Cut(block, "\n")
		resources, want, _ := strings.Cut(rest, "\n")
		if !strings.HasPrefix(comment, "# ") || !strings.HasPrefix(resources, "{") {
			t.Fatalf("this is no case:\n%s", block)
		}
		cases = append(cases, goldenCase{comment, resources, want})
	}
	return cases
}

func printed(writes []Write, faults fault.List) string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, "error "+f.Error())
	}
	if len(faults) > 0 {
		return strings.Join(lines, "\n")
	}
	for _, w := range writes {
		line := fmt.Sprintf("%s = %q for %s", w.File, w.Value, w.Pointer)
		if w.Optional {
			line += ", optional"
		}
		if w.Lifts {
			line += ", lifts"
		}
		if w.Instead != nil {
			line += fmt.Sprintf(", else %s = %q", w.Instead.File, w.Instead.Value)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "\n")
}

func resourcesOf(text string) (*specs.LinuxResources, error) {
	var r specs.LinuxResources
	return &r, json.Unmarshal([]byte(text), &r)
}

func TestWrites(t *testing.T) {
	var out []string
	for _, c := range goldenCases(t) {
		r, err := resourcesOf(c.resources)
		if err != nil {
			t.Fatalf("%s: %v", c.comment, err)
		}
		got := printed(Writes(r, "/r"))
		if got != c.want && !*update {
			t.Errorf("%s\n%s\ngot:\n%s\nwant:\n%s", c.comment, c.resources, got, c.want)
		}
		out = append(out, c.comment+"\n"+c.resources+"\n"+got+"\n")
	}
	if *update {
		if err := os.WriteFile(goldenFile, []byte(strings.Join(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWritesOfNothing(t *testing.T) {
	if writes, faults := Writes(nil, "/r"); len(writes) > 0 || len(faults) > 0 {
		t.Errorf("no resources mean %s", printed(writes, faults))
	}
}

// TestCPUWeight checks the three points that the formula was made for, the ends,
// and that it never falls.
func TestCPUWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{
		0: 0, 1: 1, 2: 1, 3: 2, 102: 17, 512: 59, 1023: 100, 1024: 100, 1025: 101, 2048: 174,
		262143: 10000, 262144: 10000, 262145: 10000, math.MaxUint64: 10000,
	} {
		if got := cpuWeight(shares); got != want {
			t.Errorf("%d shares are the weight %d, want %d", shares, got, want)
		}
	}
	last := uint64(1)
	for shares := uint64(1); shares <= sharesMax; shares++ {
		got := cpuWeight(shares)
		if got < last || got > weightMax {
			t.Fatalf("%d shares are the weight %d, after %d", shares, got, last)
		}
		last = got
	}
}

func TestValidFile(t *testing.T) {
	for name, want := range map[string]bool{
		"memory.max": true, "hugetlb.2MB.rsvd.max": true, "io.bfq.weight": true, "cpu.max.burst": true,
		"memory.oom.group": true, "dmem.max": true, "net_cls.classid": true, "cpuset.cpus.partition": true,
		"cgroup.max.depth": true, "cgroup.max.descendants": true,
		"cgroup.procs": false, "cgroup.kill": false, "cgroup.freeze": false, "cgroup.threads": false,
		"cgroup.subtree_control": false, "cgroup.type": false, "cgroup.pressure": false, "cgroup.max.depth.x": false,
		"": false, ".": false, "..": false, ".max": false, "memory": false, "memory.": false, "Memory.max": false,
		"../memory.max": false, "a/memory.max": false, "memory.max/..": false, "memory.m/x": false, "/memory.max": false,
		"memory.max\n": false, "memory.max\x00": false, "memory.ma x": false, "memory.mäx": false, "mém.max": false, "memory.max-x": false,
	} {
		if got := ValidFile(name); got != want {
			t.Errorf("%q is valid: %v, want %v", name, got, want)
		}
	}
}

// FuzzWrites checks what holds for any resources: they mean writes or faults, each
// under the base, each file below the group, and the same ones every time.
func FuzzWrites(f *testing.F) {
	for _, c := range goldenCases(f) {
		f.Add(c.resources)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := resourcesOf(text)
		if err != nil {
			return
		}
		writes, faults := Writes(r, "/r")
		for _, w := range writes {
			checkWrite(t, &w)
		}
		for _, e := range faults {
			if !strings.HasPrefix(e.Pointer, "/r/") || e.Op == "" || e.Class != fault.Config || strings.ContainsRune(e.Error(), '\n') {
				t.Errorf("fault %q of class %v", e, e.Class)
			}
		}
		if again := printed(Writes(r, "/r")); again != printed(writes, faults) {
			t.Errorf("the second time:\n%s\nfirst:\n%s", again, printed(writes, faults))
		}
	})
}

func checkWrite(t *testing.T, w *Write) {
	if !ValidFile(w.File) || !strings.HasPrefix(w.Pointer, "/r/") || w.Value == "" || strings.ContainsAny(w.Value, "\n\x00") {
		t.Errorf("write %+v", *w)
	}
	if w.Lifts && !strings.Contains(w.Value, "max") {
		t.Errorf("%+v lifts no limit", *w)
	}
	if w.Instead != nil {
		if w.Instead.Controller() != w.Controller() {
			t.Errorf("%+v needs another controller instead", *w)
		}
		checkWrite(t, w.Instead)
	}
}
