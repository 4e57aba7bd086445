package main

import (
	"slices"
	"testing"
)

func TestReadTAP(t *testing.T) {
	for _, c := range []struct {
		name, out               string
		passed, failed, skipped int
		notes                   []string
	}{
		{"nothing", "", 0, 0, 0, nil},
		{"no tests", "TAP version 13\n1..0\n", 0, 0, 0, nil},
		{"all kinds", "TAP version 13\nok 1 - a\nnot ok 2 - b\nok 3 # SKIP c\nnot ok 4 # TODO d\n1..4\n", 2, 1, 1, []string{"not ok 2 - b"}},
		{"a test's own error", "ok 1 - a\n  ---\n  {\n    \"error\": \"wanted\"\n  }\n  ...\n", 1, 0, 0, nil},
		{"an error before all tests", "  ---\n  {\n    \"error\": \"stopped\",\n    \"x\": 1\n  }\n  ...\n1..0\n", 0, 1, 0, []string{"stopped"}},
		{"a second block is the program's", "ok 1\n  ---\n  {\n  }\n  ...\n  ---\n  {\n    \"error\": \"stopped\"\n  }\n  ...\n", 1, 1, 0, []string{"stopped"}},
		{"an empty error is none", "  ---\n  {\n    \"error\": \"\",\n  }\n  ...\n", 0, 0, 0, nil},
		{"no tests within a block", "  ---\n  {\n    \"stdout\": \"\nnot ok 1\nok 2\"\n  }\n  ...\nok 1\n", 1, 0, 0, nil},
		{"bail out", "ok 1\nBail out! no root\n", 1, 1, 0, []string{"Bail out! no root"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readTAP(c.out)
			if r.passed != c.passed || r.failed != c.failed || r.skipped != c.skipped || !slices.Equal(r.notes, c.notes) {
				t.Errorf("got %+v", r)
			}
			if r.ok() != (c.failed == 0) {
				t.Errorf("ok is %v", r.ok())
			}
		})
	}
}
