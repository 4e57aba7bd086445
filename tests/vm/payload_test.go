package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// top is the root of the tree.
const top = "../.."

// suite is a package whose tests run in the machine, as root and some as an
// ordinary user.
type suite struct {
	dir  string // below the root of the tree
	user string // who runs it
}

var suites = []suite{
	{dir: "libcontainer/spec", user: "tester"},
	{dir: "cgroups", user: "tester"},
	{dir: "tests/root", user: "root"},
	{dir: "tests/errors", user: "root"},
	{dir: "cgroups", user: "root"},
	{dir: "libcontainer", user: "root"},
	{dir: "tests/systemd", user: "root"},
}

// name is that of the suite's log, and stands before the names of its tests.
func (s suite) name() string { return strings.ReplaceAll(s.dir, "/", "-") + "-" + s.user }

func (s suite) program() string { return filepath.Base(s.dir) + ".test" }

// script runs every suite that has a test to run, and leaves a log and an exit status
// of each. Whatever a suite does, the next one runs.
func script(run string, want map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "export BRIG_NOTIFY=/job/notify BRIG_CYCLES=%s\n", Quote(os.Getenv("BRIG_CYCLES")))
	b.WriteString(Prologue)
	fmt.Fprintf(&b, "export SUITE_TIMEOUT=%s\n", limit(run))
	for _, s := range suites {
		tests := want[s.name()]
		if len(tests) == 0 {
			continue
		}
		_, inside, _ := strings.Cut(run, "/") // of the tests, its subtests
		if inside != "" {
			inside = "/" + inside
		}
		fmt.Fprintf(&b, "suite %s %s %s\n", s.dir, s.user, Quote("^("+strings.Join(tests, "|")+")$"+inside))
	}
	return b.String()
}

// build makes the programs of the tests, and says which tests each has.
func build(t *testing.T, p *Payload, dir, run string) map[string][]string {
	t.Helper()
	p.Add(t, top+"/brig", "brig")
	p.Build(t, "./tests/root/notify", dir+"/notify", "build", "-tags", tags)
	p.Add(t, dir+"/notify", "notify")
	p.AddTree(t, "docs") // a test compares a page with what it knows
	tests := map[string][]string{}
	for _, s := range suites {
		if _, done := tests[s.dir]; !done {
			program := filepath.Join(dir, s.program())
			p.Build(t, "./"+s.dir, program, "test", "-c", "-tags", tags)
			tests[s.dir] = Listed(t, program, run)
			p.Add(t, program, s.dir+"/"+s.program())
			p.AddTree(t, s.dir+"/testdata")
		}
	}
	return tests
}

// pack makes the payload of a machine: brig, the tests as programs, and what they read.
// It returns the tests that each suite has to bring a result of.
func pack(t *testing.T, name, run string, m machine) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	p := NewPayload(t, top, name)
	tests := build(t, p, dir, run)
	want := map[string][]string{}
	for _, s := range suites {
		for _, test := range tests[s.dir] {
			if m.has(test) {
				want[s.name()] = append(want[s.name()], test)
			}
		}
	}
	must(t, os.WriteFile(dir+"/run", []byte(script(run, want)), 0o644))
	p.Add(t, dir+"/run", "run")
	p.Close(t)
	return want
}

const tags = "osusergo,netgo"
