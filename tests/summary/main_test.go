package main

import (
	"strings"
	"testing"
)

// Events as go test -json writes them, cut to the fields that count.
const (
	passing = `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`
	subtests = `{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"    a_test.go:3: two is wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA/two"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`
	skipping = `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: needs root\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`
	dying = `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	parentOnly = `{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: afterwards\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`
	gaps = `{"Action":"pass","Package":"p","Test":"TestA/one/two/three"}
{"Action":"fail","Package":"p","Test":"TestA/one/two/four"}
{"Action":"fail","Package":"p","Test":"TestA/one"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`
	unbuilt = `{"ImportPath":"p","Action":"build-output","Output":"a.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, events, last string
		says               []string
	}{
		{"pass", passing, "1 passed, 0 failed, 0 skipped", []string{"ok    p  1.50s"}},
		{"a failed subtest counts once", subtests, "1 passed, 1 failed, 0 skipped", []string{"two is wrong", "FAIL  p"}},
		{"skip says why", skipping, "0 passed, 0 failed, 1 skipped", []string{"skip  p TestA: needs root"}},
		{"a package that dies", dying, "0 passed, 1 failed, 0 skipped", []string{"panic: boom", "FAIL  p"}},
		{"a parent that fails alone", parentOnly, "1 passed, 1 failed, 0 skipped", []string{"afterwards"}},
		{"a parent of names with a slash", gaps, "1 passed, 1 failed, 0 skipped", []string{"FAIL  p"}},
		{"a package that does not build", unbuilt, "0 passed, 1 failed, 0 skipped", []string{"undefined: x", "FAIL  p"}},
		{"go itself", "go: no such module\n", "0 passed, 0 failed, 0 skipped", []string{"go: no such module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			r := newReport()
			r.read(strings.NewReader(c.events), &out)
			r.print(&out)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != c.last {
				t.Errorf("last line %q, want %q", got, c.last)
			}
			for _, s := range c.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("no %q in\n%s", s, out.String())
				}
			}
		})
	}
}
