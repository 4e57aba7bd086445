package vm

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// Result is how a test of a machine ended: a leaf, or a test that failed itself.
type Result struct {
	Test   string
	Action string // pass, fail or skip
	Output string
}

// event is one line of test2json.
type event struct{ Action, Test, Output string }

// Results reads the log of a suite. A test that has subtests is among them only if it
// did not pass.
func Results(t *testing.T, log string) []Result {
	t.Helper()
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
	var list []Result
	for _, e := range ends {
		if e.Test == "" || parents[e.Test] && e.Action == "pass" {
			continue
		}
		r := Result{Test: e.Test, Action: e.Action}
		if b := output[e.Test]; b != nil {
			r.Output = b.String()
		}
		list = append(list, r)
	}
	return list
}

// Report gives each test of a suite as a test of its own. A test without a result has
// failed, and so has a suite that did not come to its end, whatever its tests say.
func Report(t *testing.T, want []string, log, status string) {
	t.Helper()
	failed, seen := 0, map[string]bool{}
	results := Results(t, log)
	for _, r := range results {
		first, _, _ := strings.Cut(r.Test, "/")
		seen[first] = true
		if r.Action == "fail" {
			failed++
		}
		t.Run(r.Test, func(t *testing.T) { r.repeat(t) })
	}
	for _, test := range want {
		if !seen[test] {
			t.Run(test, func(t *testing.T) { t.Error("no result came back") })
		}
	}
	if status = strings.TrimSpace(status); status == "" || (status != "0") != (failed > 0) {
		t.Errorf("the suite ended with status %q after %d tests, %d of them failed:\n%s", status, len(results), failed, Last(log, 40))
	}
}

// repeat is a test of the machine, told again.
func (r Result) repeat(t *testing.T) {
	switch r.Action {
	case "fail":
		t.Error(Last(r.Output, 60))
	case "skip":
		t.Skip(Last(r.said(), 3))
	}
}

// said is what a test printed itself, without the lines that the runner adds.
func (r Result) said() string {
	var b strings.Builder
	for line := range strings.Lines(r.Output) {
		if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
