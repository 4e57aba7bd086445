package main

import (
	"os"
	"strings"
	"testing"
)

const sectionTable = `# a comment
The first | a/one | TestA|TestB

The second | two | TestC
`

func TestSections(t *testing.T) {
	name := t.TempDir() + "/sections"
	if err := os.WriteFile(name, []byte(sectionTable), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := readSections(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(arguments(list), " "), "-run ^(TestA|TestB)$|^(TestC)$ ./a/one ./two"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r := newReport()
	r.sections = list
	const events = `{"Action":"pass","Package":"m/a/one","Test":"TestA/x"}
{"Action":"output","Package":"m/a/one","Test":"TestA","Output":"    a_test.go:3: 7 of a kind\n"}
{"Action":"pass","Package":"m/a/one","Test":"TestA"}
{"Action":"fail","Package":"m/a/one","Test":"TestB"}
{"Action":"pass","Package":"m/a/one","Test":"TestC"}
`
	var out strings.Builder
	r.read(strings.NewReader(events), &out)
	out.Reset()
	if r.print(&out) {
		t.Error("complete, without a case of the second")
	}
	const want = `      2 cases, 1 failed, 0 skipped  The first
          TestA: 7 of a kind
      0 cases, 0 failed, 0 skipped  The second
2 passed, 1 failed, 0 skipped
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestBadSections(t *testing.T) {
	for text, why := range map[string]string{"title | package": "has no three columns", "t | p | Test(": "missing closing )"} {
		name := t.TempDir() + "/sections"
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSections(name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", text, err, why)
		}
	}
	if _, err := readSections(t.TempDir() + "/none"); err == nil {
		t.Error("a table that is not there is read")
	}
}
