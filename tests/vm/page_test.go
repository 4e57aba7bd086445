package vm

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// page is what a run of all tests writes.
const page = top + "/docs/machines.md"

const pageHead = "# What ran on whole machines\n\n" +
	"`make test-vm` writes this page, a part for each machine: its suites with the number of their cases and the seconds that they\n" +
	"took, and their tests, with the number of cases of those that have several. How it works is in [testing.md](testing.md).\n"

// ran is a suite that has run.
type ran struct {
	dir, user, seconds string
	results            []Result
}

// record puts the part of a machine into the page, in the place of an older one.
func record(t *testing.T, m machine, files map[string]string) {
	t.Helper()
	var list []ran
	for _, s := range suites {
		if log := files[s.name()+".log"]; log != "" {
			list = append(list, ran{s.dir, s.user, strings.TrimSpace(files[s.name()+".seconds"]), Results(t, log)})
		}
	}
	old, _ := os.ReadFile(page)
	must(t, os.WriteFile(page, []byte(withPart(string(old), m.name, part(files, list))), 0o644))
}

// withPart is a page with one part anew. The parts are in the order of the machines.
func withPart(old, name, text string) string {
	parts := map[string]string{}
	for i, p := range strings.Split(old, "\n## ") {
		if title, rest, ok := strings.Cut(p, "\n"); ok && i > 0 {
			parts[title] = rest
		}
	}
	parts[name] = text
	var b strings.Builder
	b.WriteString(pageHead)
	for _, m := range machines {
		if text, ok := parts[m.name]; ok {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", m.name, strings.TrimSpace(text))
		}
	}
	return b.String()
}

// part is what the page says of one machine.
func part(files map[string]string, list []ran) string {
	var rows, tests strings.Builder
	all, skipped := 0, 0
	for _, s := range list {
		skips := 0
		for _, r := range s.results {
			if r.Action == "skip" {
				skips++
			}
		}
		all, skipped = all+len(s.results), skipped+skips
		fmt.Fprintf(&rows, "| `%s` | %s | %d | %d | %s |\n", s.dir, s.user, len(s.results), skips, s.seconds)
		fmt.Fprintf(&tests, "\n### `%s`, as %s\n\n%s\n", s.dir, s.user, wrap(counted(s.results)))
	}
	return fmt.Sprintf("Linux %s: %d cases, %d of them skipped, in %s with the machine's start.\n\n| suite | user | cases | skipped | seconds |\n| --- | --- | --- | --- | --- |\n%s%s",
		strings.TrimSpace(files["kernel"]), all, skipped, files["took"], rows.String(), tests.String())
}

// counted are the tests of a suite by name, with the number of their cases.
func counted(results []Result) []string {
	cases := map[string]int{}
	var names []string
	for _, r := range results {
		name, _, _ := strings.Cut(r.Test, "/")
		if cases[name]++; cases[name] == 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		if cases[name] > 1 {
			names[i] = fmt.Sprintf("%s (%d)", name, cases[name])
		}
	}
	return names
}

// wrap breaks a list into lines.
func wrap(words []string) string {
	const width = 120
	var b strings.Builder
	at := 0
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		switch {
		case at > 0 && at+1+len(word) > width:
			b.WriteByte('\n')
			at = 0
		case at > 0:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

// TestPage writes two parts, and one of them anew.
func TestPage(t *testing.T) {
	results := []Result{{Test: "TestA", Action: "pass"}, {Test: "TestB/x", Action: "pass"}, {Test: "TestB/y", Action: "skip"}}
	text := part(map[string]string{"kernel": "6.1\n", "took": "3m0s"}, []ran{{"tests/root", "root", "170", results}})
	const want = "Linux 6.1: 3 cases, 1 of them skipped, in 3m0s with the machine's start.\n\n" +
		"| suite | user | cases | skipped | seconds |\n| --- | --- | --- | --- | --- |\n| `tests/root` | root | 3 | 1 | 170 |\n\n### `tests/root`, as root\n\nTestA, TestB (2)\n"
	if text != want {
		t.Errorf("%q", text)
	}
	one := withPart("", "bookworm", text)
	if two := withPart(one, "trixie", "later"); two != pageHead+"\n## trixie\n\nlater\n\n## bookworm\n\n"+want {
		t.Errorf("%s", two)
	}
	if again := withPart(one, "bookworm", text); again != one {
		t.Errorf("%s", again)
	}
	if got := wrap([]string{strings.Repeat("a", 70), strings.Repeat("b", 60), "c"}); got != strings.Repeat("a", 70)+",\n"+strings.Repeat("b", 60)+", c" {
		t.Errorf("%q", got)
	}
}
