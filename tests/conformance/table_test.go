package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func exampleReport() *report {
	return &report{
		kernel: "Linux 9", timeout: "1s", versions: []string{"brig 1"}, runtimes: []string{"brig", "other"},
		programs: []string{"good", "hopeless", "theirs"},
		results: map[string][]result{
			"good":     {{passed: 3, skipped: 1}, {failed: 1}},
			"hopeless": {{failed: 2, notes: []string{"no"}}, {failed: 2}},
			"theirs":   {{passed: 1, failed: 1}, {passed: 2}},
		},
		reasons: map[string]reason{"hopeless": {text: "why not"}, "theirs": {text: "on purpose"}},
	}
}

func TestReport(t *testing.T) {
	got := exampleReport().String()
	for _, want := range []string{
		"| program | brig | other |\n| --- | --- | --- |\n",
		"| good | 3 / 0 / 1 | **0 / 1 / 0** |\n",
		"| programs without a failure, of 3 | 1 | 1 |\n",
		"## Programs that no runtime passes\n\n- hopeless: why not\n\n",
		"another runtime passes\n\n- theirs: on purpose\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if list := exampleReport().unexplained(); len(list) != 0 {
		t.Errorf("unexplained: %q", list)
	}
}

func TestUnexplained(t *testing.T) {
	r := exampleReport()
	r.reasons = map[string]reason{"good": {text: "x"}, "theirs": {text: "y"}, "gone": {text: "z"}}
	want := []string{
		"gone: reasons.txt explains a program that does not exist",
		"good: brig passes, but reasons.txt says why it does not",
		"hopeless: brig fails, and reasons.txt does not say why: no",
	}
	if got := r.unexplained(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	r.reasons["good"] = reason{text: "x", host: true}
	if got := r.unexplained(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "good") }) {
		t.Errorf("of what the host lacks: %q", got)
	}
}

func TestReadReasons(t *testing.T) {
	for _, bad := range []string{"a", "a: ", "a: b\na?: c"} {
		if _, err := readReasons(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// The page shows the reasons that are written down, and no others.
func TestPageIsCurrent(t *testing.T) {
	raw, err := os.ReadFile("reasons.txt")
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := readReasons(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	for program, why := range reasons {
		if !strings.Contains(string(page), "\n- "+program+": "+why.text+"\n") && (!why.host || strings.Contains(string(page), "\n- "+program+": ")) {
			t.Errorf("docs/conformance.md does not say of %s what reasons.txt says: run make conformance", program)
		}
	}
	for line := range strings.Lines(string(page)) {
		program, _, ok := strings.Cut(strings.TrimPrefix(line, "- "), ": ")
		if ok && strings.HasPrefix(line, "- ") && reasons[program].text == "" {
			t.Errorf("docs/conformance.md explains %s, and reasons.txt does not", program)
		}
	}
}
