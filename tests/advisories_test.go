package tests

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// advisory is a row of advisories.txt: advisories of one kind.
type advisory struct {
	class    string
	ids      []string
	of, why  string
	shownBy  []string
	lineText string
}

const advisoriesHead = `# Advisories

Every advisory of runc, crun and youki, and those of other runtimes and of engines that carry over to a runtime: why it
cannot apply to brig, and the tests that look for it. The tests are black boxes where that is possible: a container is started
under the condition of the advisory, and what it sees, and what the host sees, is looked at. ` + "`make security`" + ` runs them.
This page is written from tests/advisories.txt; a test of the table that is not there is a failure.
`

func advisories(t *testing.T) (list []advisory) {
	t.Helper()
	class := ""
	for line := range strings.Lines(readFile(t, "advisories.txt")) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "= "); ok {
			class = name
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != 4 || class == "" {
			t.Fatalf("no four columns below a class: %s", line)
		}
		list = append(list, advisory{class, strings.Split(f[0], ", "), f[1], f[2], strings.Split(f[3], ", "), line})
	}
	return list
}

// numberOfAdvisories is how many there are in all: one that is dropped is noticed.
const numberOfAdvisories = 93

var advisoryID = regexp.MustCompile(`^(CVE-20\d\d-\d{4,7}|GHSA(-[23456789cfghjmpqrvwx]{4}){3})$`)

// Each advisory is there once, with a reason and with tests that exist.
func TestAdvisoriesAreShown(t *testing.T) {
	known := map[string]map[string]map[string]bool{}
	seen := map[string]bool{}
	for _, a := range advisories(t) {
		for _, id := range a.ids {
			if !advisoryID.MatchString(id) || seen[id] {
				t.Errorf("%q is no advisory, or there twice", id)
			}
			seen[id] = true
		}
		if len(a.why) < 20 && !strings.HasPrefix(a.why, "as ") || len(a.of) < 3 {
			t.Errorf("no reason: %s", a.lineText)
		}
		for _, name := range a.shownBy {
			pkg, test, _ := strings.Cut(name, ".")
			if known[pkg] == nil {
				if packageDirs[pkg] == "" {
					t.Fatalf("unknown package %q: %s", pkg, a.lineText)
				}
				known[pkg] = functionsOf(t, packageDirs[pkg])
			}
			if !strings.HasPrefix(test, "Test") || known[pkg][test] == nil {
				t.Errorf("there is no test %s: %s", name, a.lineText)
			}
		}
	}
	if len(seen) != numberOfAdvisories {
		t.Errorf("%d advisories, not %d", len(seen), numberOfAdvisories)
	}
}

// docs/advisories.md says what the table says.
func TestAdvisoriesPage(t *testing.T) {
	const name = "../docs/advisories.md"
	var b strings.Builder
	b.WriteString(advisoriesHead)
	class := ""
	for _, a := range advisories(t) {
		if a.class != class {
			class = a.class
			fmt.Fprintf(&b, "\n## %s\n\n| advisory | of | why it cannot apply | shown by |\n| --- | --- | --- | --- |\n", class)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.Join(a.ids, ", "), a.of, a.why, strings.Join(a.shownBy, ", "))
	}
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compareLines(t, readFile(t, name), b.String())
}
