package vm

import "testing"

// TestResults reads the log of a suite: leaves, what failed, and why one was skipped.
func TestResults(t *testing.T) {
	const log = "\x16=== RUN   TestA\n\x16=== RUN   TestA/one\n    a_test.go:3: broken\n\x16--- FAIL: TestA (0.00s)\n    \x16--- FAIL: TestA/one (0.00s)\n" +
		"\x16=== RUN   TestB\n    b_test.go:1: needs more\n\x16--- SKIP: TestB (0.00s)\n\x16=== RUN   TestC\n\x16--- PASS: TestC (0.00s)\n\x16FAIL\n"
	want := map[string]string{"TestA": "fail", "TestA/one": "fail", "TestB": "skip", "TestC": "pass"}
	results := Results(t, log)
	if len(results) != len(want) {
		t.Errorf("%d results: %+v", len(results), results)
	}
	for _, r := range results {
		if want[r.Test] != r.Action {
			t.Errorf("%s: %s and not %s", r.Test, r.Action, want[r.Test])
		}
		if said := r.said(); r.Test == "TestB" && said != "    b_test.go:1: needs more\n" {
			t.Errorf("the reason is %q", said)
		}
	}
}
