package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"brig/tests/vm"
)

// table is the page docs/compatibility.md.
type table struct{ rows []row }

// row is a client in one version.
type row struct {
	client, version, machine, kernel string
	passed, other, skipped           int
	more                             []string // passed with brig and not with crun
	failed                           []string // with both, with the reason
}

// add counts one scenario.
func (r *row) add(name string, brig, crun vm.Result, why string) {
	switch brig.Action {
	case "pass":
		r.passed++
		if crun.Action == "fail" {
			r.more = append(r.more, strings.ReplaceAll(name, "_", " "))
		}
	case "skip":
		r.skipped++
	case "fail":
		r.failed = append(r.failed, strings.ReplaceAll(name, "_", " ")+": "+why)
	}
}

func (t *table) String() string {
	var b strings.Builder
	b.WriteString(`# Compatibility

Each client of brig runs its scenarios (the text files in [integration](../integration)) with its own programs on a machine
of its own, offline, first with brig and then with crun. ` + "`make integration`" + ` does so and writes this page.

| client | on | scenarios | pass with brig | pass with crun |
| --- | --- | --- | --- | --- |
`)
	for _, r := range t.rows {
		all := r.passed + r.skipped + len(r.failed)
		fmt.Fprintf(&b, "| %s | Debian %s, Linux %s | %d | %d | %d |\n", r.version, r.machine, r.kernel, all, r.passed, r.other)
	}
	section(&b, "Fails with both", t.rows, func(r row) []string { return r.failed })
	section(&b, "Passes with brig and fails with crun", t.rows, func(r row) []string { return r.more })
	return b.String()
}

// section lists scenarios below a heading, if there are any; each once.
func section(b *strings.Builder, title string, rows []row, of func(row) []string) {
	var lines []string
	for _, r := range rows {
		for _, name := range of(r) {
			lines = append(lines, fmt.Sprintf("- %s, %s: %s\n", r.client, r.machine, name))
		}
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		fmt.Fprintf(b, "\n## %s\n\n%s", title, strings.Join(lines, ""))
	}
}

// TestTable is a page of three results.
func TestTable(t *testing.T) {
	r := row{client: "podman", version: "podman 5", machine: "trixie", kernel: "6.12", other: 1}
	r.add("run/a_b", vm.Result{Action: "pass"}, vm.Result{Action: "pass"}, "")
	r.add("run/c", vm.Result{Action: "pass"}, vm.Result{Action: "fail"}, "")
	r.add("run/d", vm.Result{Action: "fail"}, vm.Result{Action: "fail"}, "the kernel has none")
	page := (&table{rows: []row{r}}).String()
	for _, want := range []string{
		"| podman 5 | Debian trixie, Linux 6.12 | 3 | 2 | 1 |\n",
		"## Fails with both\n\n- podman, trixie: run/d: the kernel has none\n",
		"## Passes with brig and fails with crun\n\n- podman, trixie: run/c\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in:\n%s", want, page)
		}
	}
}

// TestReasons refuses a reason for a scenario that is not there.
func TestReasons(t *testing.T) {
	for _, client := range clients(t) {
		if _, err := os.Stat(client + "/go.mod"); err == nil {
			continue // the run itself says when a reason is of no use
		}
		names := map[string]bool{}
		for _, s := range everyScenario(t, client) {
			names[s] = true
		}
		for name := range reasons(t, client) {
			if !names[name] {
				t.Errorf("reasons.txt: %s has no scenario %s", client, name)
			}
		}
	}
}

// TestScenarioNames refuses two scenarios of one name, and a client without any.
func TestScenarioNames(t *testing.T) {
	for _, client := range clients(t) {
		if _, err := os.Stat(client + "/go.mod"); err == nil {
			continue // they are in Go
		}
		list := everyScenario(t, client)
		if len(list) == 0 {
			t.Errorf("%s has no scenario", client)
		}
		slices.Sort(list)
		for i := 1; i < len(list); i++ {
			if list[i] == list[i-1] {
				t.Errorf("%s has %s twice", client, list[i])
			}
		}
	}
}
