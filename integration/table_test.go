package integration

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"brig/tests/vm"
)

// table is the page docs/compatibility.md.
type table struct{ rows []row }

// row is a client on a machine.
type row struct {
	client, machine, version, kernel string
	commit                           string // of brig, its first digits; + behind them where more was changed
	all, passed, other               int
	more                             []string // passed with brig and failed with crun, with what that said
	notAsked                         []string // passed with brig and skipped with crun, with the reason
	failed                           []string // with both, with the reason
	skipped                          []string // with brig, with the reason
}

// add counts one scenario.
func (r *row) add(name string, brig, crun vm.Result, why string) {
	r.all++
	switch brig.Action {
	case "pass":
		r.passed++
		switch crun.Action {
		case "pass":
		case "skip":
			r.notAsked = append(r.notAsked, strings.ReplaceAll(name, "_", " ")+": "+words(crun))
		default:
			r.more = append(r.more, strings.ReplaceAll(name, "_", " ")+": "+words(crun))
		}
	case "skip":
		r.skipped = append(r.skipped, strings.ReplaceAll(name, "_", " ")+": "+words(brig))
	case "fail":
		r.failed = append(r.failed, strings.ReplaceAll(name, "_", " ")+": "+why)
	}
}

// words are the few that say why a scenario ended as it did.
func words(r vm.Result) string {
	said := ""
	for line := range strings.Lines(r.Output) {
		line = strings.TrimSpace(fromTest.ReplaceAllString(line, ""))
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = line
		if strings.HasPrefix(line, "FAILED: ") || strings.HasPrefix(line, "SKIP: ") {
			_, said, _ = strings.Cut(line, ": ")
			break
		}
	}
	const enough = 200
	if len(said) > enough {
		said = strings.ToValidUTF8(said[:enough], "") + "…"
	}
	return said
}

// fromTest is what the testing package puts before a line.
var fromTest = regexp.MustCompile(`^\s*[a-z_]+_test\.go:[0-9]+: `)

// put takes a row in, in the place of the one that it had before.
func (t *table) put(r row) {
	same := func(old row) bool { return old.client == r.client && old.machine == r.machine }
	t.rows = append(slices.DeleteFunc(t.rows, same), r)
}

// The headings of the lists.
const (
	skipTitle     = "## Skipped"
	failTitle     = "## Fails with both"
	moreTitle     = "## Passes with brig and fails with crun"
	notAskedTitle = "## Passes with brig and was not asked of crun"
)

func (t *table) String() string {
	slices.SortFunc(t.rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.client, b.client), -strings.Compare(a.machine, b.machine))
	})
	var b strings.Builder
	b.WriteString(`# Compatibility

Each client of brig runs its scenarios (text files in [integration](../integration); those of CRI are Go) with its own
programs on a machine of its own, offline, first with brig and then with crun. ` + "`make integration`" + ` does so and writes this page; with
CLIENT or KERNEL it writes the rows of those.

| scenarios of | version | Debian | Linux | commit of brig | scenarios | pass with brig | pass with crun |
| --- | --- | --- | --- | --- | --- | --- | --- |
`)
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %d | %d |\n", r.client, r.version, r.machine, r.kernel, r.commit, r.all, r.passed, r.other)
	}
	section(&b, failTitle, t.rows, func(r row) []string { return r.failed })
	section(&b, skipTitle, t.rows, func(r row) []string { return r.skipped })
	section(&b, moreTitle, t.rows, func(r row) []string { return r.more })
	section(&b, notAskedTitle, t.rows, func(r row) []string { return r.notAsked })
	return b.String()
}

// parse reads a page that String wrote.
func parse(page string) *table {
	t := &table{}
	heading := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			heading = line
		}
		if cells := strings.Split(strings.Trim(line, "| "), " | "); len(cells) == 8 {
			r := row{client: cells[0], version: cells[1], machine: cells[2], kernel: cells[3], commit: cells[4]}
			if _, err := fmt.Sscan(strings.Join(cells[5:], " "), &r.all, &r.passed, &r.other); err == nil {
				t.rows = append(t.rows, r)
			}
		}
		for i, r := range t.rows {
			name, ok := strings.CutPrefix(line, "- "+r.client+", "+r.machine+": ")
			switch {
			case ok && heading == failTitle:
				t.rows[i].failed = append(r.failed, name)
			case ok && heading == skipTitle:
				t.rows[i].skipped = append(r.skipped, name)
			case ok && heading == notAskedTitle:
				t.rows[i].notAsked = append(r.notAsked, name)
			case ok:
				t.rows[i].more = append(r.more, name)
			}
		}
	}
	return t
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
		fmt.Fprintf(b, "\n%s\n\n%s", title, strings.Join(lines, ""))
	}
}

// TestTable is a page of three results, and what a later run makes of it.
func TestTable(t *testing.T) {
	r := row{client: "podman", version: "podman 5", machine: "trixie", kernel: "6.12", commit: "0123456", other: 1}
	r.add("run/a_b", vm.Result{Action: "pass"}, vm.Result{Action: "pass"}, "")
	r.add("run/c", vm.Result{Action: "pass"}, vm.Result{Action: "fail", Output: "=== RUN x\nFAILED: no such file\n    scenario_test.go:70: run/c: exit status 1\n"}, "")
	r.add("run/e", vm.Result{Action: "skip", Output: "    pods_test.go:3: too old\n--- SKIP: run/e\n"}, vm.Result{Action: "skip"}, "")
	r.add("run/f", vm.Result{Action: "pass"}, vm.Result{Action: "skip", Output: "SKIP: crun has none\n"}, "")
	r.add("run/d", vm.Result{Action: "fail"}, vm.Result{Action: "fail"}, "the kernel has none")
	page := (&table{rows: []row{r}}).String()
	for _, want := range []string{
		"| podman | podman 5 | trixie | 6.12 | 0123456 | 5 | 3 | 1 |\n",
		failTitle + "\n\n- podman, trixie: run/d: the kernel has none\n",
		moreTitle + "\n\n- podman, trixie: run/c: no such file\n",
		notAskedTitle + "\n\n- podman, trixie: run/f: crun has none\n",
		skipTitle + "\n\n- podman, trixie: run/e: too old\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in:\n%s", want, page)
		}
	}
	if again := parse(page).String(); again != page {
		t.Errorf("read and written again it is:\n%s", again)
	}
	later := parse(page)
	later.put(row{client: "podman", version: "podman 6", machine: "sid", kernel: "7.0", commit: "89abcde", all: 1, passed: 1})
	later.put(row{client: "podman", version: "podman 5", machine: "trixie", kernel: "6.12", commit: "89abcde", all: 4, passed: 4})
	_, rows, _ := strings.Cut(later.String(), "| --- |\n")
	if want := "| podman | podman 5 | trixie | 6.12 | 89abcde | 4 | 4 | 0 |\n| podman | podman 6 | sid | 7.0 | 89abcde | 1 | 1 | 0 |\n"; rows != want {
		t.Errorf("the rows after a later run: %s", rows)
	}
}

// TestAltered is a tree in which the page was written, and then a scenario.
func TestAltered(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@localhost"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		must(t, os.WriteFile(dir+"/"+name, []byte(text), 0o644))
	}
	git("init", "-q")
	must(t, os.Mkdir(dir+"/docs", 0o755))
	must(t, os.Mkdir(dir+"/integration", 0o755))
	write("docs/compatibility.md", "before")
	write("integration/reasons.txt", "")
	git("add", ".")
	git("commit", "-qm", "one")
	first := git("rev-parse", "HEAD")
	write("docs/compatibility.md", "after")
	git("commit", "-qam", "the page")
	write("docs/compatibility.md", "after that")
	if altered(t, dir, first) {
		t.Error("the page counts")
	}
	write("integration/reasons.txt", "podman run/one: no network")
	if altered(t, dir, first) {
		t.Error("a reason counts")
	}
	write("run.txt", "")
	if !altered(t, dir, first) {
		t.Error("a new scenario does not count")
	}
	git("add", ".")
	git("commit", "-qm", "a scenario")
	if !altered(t, dir, first) {
		t.Error("a scenario of another commit does not count")
	}
	if altered(t, dir, git("rev-parse", "HEAD")) {
		t.Error("the commit itself counts")
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
