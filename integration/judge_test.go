package integration

import (
	"os"
	"strings"
	"testing"

	"brig/tests/vm"
)

// report gives the results of brig, each under its name, with what is to be said of each
// beside crun's, and returns the row of the page.
func report(t *testing.T, client string, files map[string]string) row {
	t.Helper()
	j := judge(vm.Results(t, files["brig.log"]), vm.Results(t, files["crun.log"]), reasons(t, client))
	for _, v := range j.verdicts {
		t.Run(v.name, func(t *testing.T) {
			switch v.action {
			case "fail":
				t.Error(v.text)
			case "skip":
				t.Skip(v.text)
			}
		})
	}
	for _, problem := range j.problems {
		t.Error(problem)
	}
	// 1 says that scenarios have failed, and those were looked at.
	for _, runtime := range runtimes {
		if status := strings.TrimSpace(files[runtime+".status"]); status != "0" && status != "1" {
			t.Errorf("%s's scenarios ended with status %q:\n%s", runtime, status, vm.Last(files[runtime+".log"], 40))
		}
	}
	j.row.client, j.row.version, j.row.kernel = client, strings.TrimSpace(files["version"]), strings.TrimSpace(files["kernel"])
	commit := commitOf(files["brig"])
	j.row.commit = commit[:min(7, len(commit))]
	return j.row
}

// judged is what a client's scenarios came to.
type judged struct {
	row      row
	verdicts []verdict
	problems []string // that are no scenario's: a setup that failed, one that did not come
}

// verdict on one scenario: pass, fail or skip.
type verdict struct{ name, action, text string }

// judge compares the results of brig with those of crun: what crun passes brig has to
// pass, and what both fail needs a reason. Each has to come to all that the other comes to.
func judge(brig, crun []vm.Result, why map[string]string) (j judged) {
	ours, theirs := j.scenarios("brig", brig), j.scenarios("crun", crun)
	for _, result := range brig {
		name, ok := scenarioName(result.Test)
		if !ok {
			continue
		}
		other, both := theirs[name]
		if !both {
			j.problems = append(j.problems, name+": brig came to it, and crun did not")
		}
		j.row.add(name, result, other, why[name])
		j.verdicts = append(j.verdicts, compare(name, result, other, why[name]))
	}
	for name, other := range theirs {
		j.row.other += count(other.Action == "pass")
		if _, ok := ours[name]; !ok {
			j.problems = append(j.problems, name+": crun came to it, and brig did not")
		}
	}
	if j.row.passed == 0 {
		j.problems = append(j.problems, "brig passed nothing")
	}
	return j
}

// scenarios are the results of the scenarios of one runtime. What else failed is a
// problem when it says something itself, as a setup does: a group fails with any of its scenarios.
func (j *judged) scenarios(runtime string, results []vm.Result) map[string]vm.Result {
	list := map[string]vm.Result{}
	for _, r := range results {
		if name, ok := scenarioName(r.Test); ok {
			list[name] = r
		} else if r.Action != "pass" && words(r) != "" {
			j.problems = append(j.problems, runtime+", "+r.Test+": "+vm.Last(r.Output, 20))
		}
	}
	return list
}

// compare says what is to be said of one scenario.
func compare(name string, brig, crun vm.Result, why string) verdict {
	switch {
	case brig.Action == "pass" && why != "":
		return verdict{name, "fail", "it passes: its line in reasons.txt is to go"}
	case brig.Action == "skip" && crun.Action == "pass":
		return verdict{name, "fail", "crun passes this, and brig is not asked:\n" + vm.Last(brig.Output, 2)}
	case brig.Action == "skip":
		return verdict{name, "skip", vm.Last(brig.Output, 2)}
	case brig.Action == "fail" && crun.Action == "pass":
		return verdict{name, "fail", "crun passes this:\n" + vm.Last(brig.Output, 40)}
	case brig.Action == "fail" && why == "":
		return verdict{name, "fail", "crun fails this too, and reasons.txt does not say why:\n" + vm.Last(brig.Output, 40) + "\ncrun:\n" + vm.Last(crun.Output, 20)}
	case brig.Action == "fail":
		return verdict{name, "skip", "it fails with crun too: " + why}
	}
	return verdict{name: name, action: "pass"}
}

// scenarioName is what follows the name of the test function, for a scenario.
func scenarioName(test string) (string, bool) {
	_, name, ok := strings.Cut(test, "/")
	return name, ok && strings.Contains(name, "/")
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// reasons are those of reasons.txt, "CLIENT NAME: WHY" a line, for one client.
func reasons(t *testing.T, client string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("reasons.txt")
	must(t, err)
	list := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, why, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if rest, mine := strings.CutPrefix(name, client+" "); ok && mine {
			list[rest] = why
		}
	}
	return list
}

// TestJudge gives it logs as the machines write them.
func TestJudge(t *testing.T) {
	const good = "--- PASS: TestScenarios (1.00s)\n    --- PASS: TestScenarios/run (1.00s)\n        --- PASS: TestScenarios/run/one (0.50s)\n        --- PASS: TestScenarios/run/two (0.50s)\nPASS\n"
	const bad = "--- FAIL: TestScenarios (1.00s)\n    --- FAIL: TestScenarios/run (1.00s)\n        --- PASS: TestScenarios/run/one (0.50s)\n        --- FAIL: TestScenarios/run/two (0.50s)\n            scenario_test.go:43: two: exit status 1\n                FAILED: no\nFAIL\n"
	const skips = "--- PASS: TestScenarios (1.00s)\n    --- PASS: TestScenarios/run (1.00s)\n        --- PASS: TestScenarios/run/one (0.50s)\n        --- SKIP: TestScenarios/run/two (0.50s)\n            scenario_test.go:43: SKIP: none here\nPASS\n"
	const setup = "--- FAIL: TestScenarios (1.00s)\n    scenario_test.go:35: setup: exit status 1\nFAIL\n"
	const teardown = "--- FAIL: TestScenarios (1.00s)\n    --- FAIL: TestScenarios/run (1.00s)\n        --- PASS: TestScenarios/run/one (0.50s)\n        --- FAIL: TestScenarios/run/two (0.50s)\n            scenario_test.go:43: two: exit status 1\n    scenario_test.go:36: teardown: exit status 1\nFAIL\n"
	const half = "--- PASS: TestScenarios (1.00s)\n    --- PASS: TestScenarios/run (1.00s)\n        --- PASS: TestScenarios/run/one (0.50s)\nPASS\n"
	for _, c := range []struct{ name, brig, crun, why, two, problems string }{
		{name: "both pass", brig: good, crun: good, two: "pass"},
		{name: "crun fails", brig: good, crun: bad, two: "pass"},
		{name: "brig fails", brig: bad, crun: good, two: "fail crun passes this"},
		{name: "both fail", brig: bad, crun: bad, two: "fail crun fails this too"},
		{name: "both fail with a reason", brig: bad, crun: bad, why: "no network", two: "skip it fails with crun too: no network"},
		{name: "a reason too many", brig: good, crun: good, why: "no network", two: "fail it passes"},
		{name: "brig skips", brig: skips, crun: good, two: "fail crun passes this, and brig is not asked"},
		{name: "both skip", brig: skips, crun: skips, two: "skip "},
		{name: "crun comes to nothing", brig: good, crun: "", two: "pass", problems: "run/one: brig came to it, and crun did not|run/two: brig came to it, and crun did not"},
		{name: "crun's setup fails", brig: good, crun: setup, two: "pass", problems: "crun, TestScenarios: |run/one: brig came|run/two: brig came"},
		{name: "brig comes to half", brig: half, crun: good, problems: "run/two: crun came to it, and brig did not"},
		{name: "brig comes to nothing", brig: setup, crun: half, problems: "brig, TestScenarios: |run/one: crun came to it, and brig did not|brig passed nothing"},
		{name: "a teardown fails beside a scenario with a reason", brig: teardown, crun: bad, why: "no network", two: "skip ", problems: "brig, TestScenarios: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			why := map[string]string{}
			if c.why != "" {
				why["run/two"] = c.why
			}
			j := judge(vm.Results(t, c.brig), vm.Results(t, c.crun), why)
			got := ""
			for _, v := range j.verdicts {
				if v.name == "run/two" {
					got = v.action + " " + v.text
				}
			}
			if !strings.HasPrefix(got, c.two) || c.two == "" && got != "" {
				t.Errorf("run/two: %q, want %q", got, c.two)
			}
			var want []string
			if c.problems != "" {
				want = strings.Split(c.problems, "|")
			}
			if len(want) != len(j.problems) {
				t.Fatalf("problems %q, want %q", j.problems, want)
			}
			for i, problem := range j.problems {
				if !strings.HasPrefix(problem, want[i]) {
					t.Errorf("problem %q, want %q", problem, want[i])
				}
			}
		})
	}
}
