package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// section is a line of a table of sections: a title, a package, and a pattern of tests
// there.
type section struct {
	title, pkg string
	pattern    *regexp.Regexp

	passed, failed, skipped int
}

// readSections reads a table whose lines have three columns, with | between them. Lines
// that begin with # say nothing.
func readSections(name string) ([]*section, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var list []*section
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		title, rest, ok := strings.Cut(line, "|")
		pkg, pattern, also := strings.Cut(rest, "|")
		if !ok || !also {
			return nil, fmt.Errorf("%s: %q has no three columns", name, line)
		}
		re, err := regexp.Compile("^(" + strings.TrimSpace(pattern) + ")$")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, &section{title: strings.TrimSpace(title), pkg: strings.TrimSpace(pkg), pattern: re})
	}
	return list, nil
}

// arguments make go test run the tests of the sections.
func arguments(list []*section) []string {
	var patterns, packages []string
	for _, s := range list {
		patterns = append(patterns, s.pattern.String())
		packages = append(packages, "./"+s.pkg)
	}
	slices.Sort(packages)
	return append([]string{"-run", strings.Join(patterns, "|")}, slices.Compact(packages)...)
}

// count adds the result of a leaf to the section that it belongs to.
func count(list []*section, key, result string) {
	pkg, test, _ := strings.Cut(key, " ")
	top, _, _ := strings.Cut(test, "/")
	for _, s := range list {
		if !s.has(pkg, top) {
			continue
		}
		switch result {
		case "pass":
			s.passed++
		case "skip":
			s.skipped++
		default:
			s.failed++
		}
		return
	}
}

// printSections says how many cases each section had, and what its tests logged, which
// is what they counted themselves. A section without any case is a fault: its tests have
// got another name.
func (r *report) printSections(w io.Writer) (complete bool) {
	complete = true
	for _, s := range r.sections {
		cases := s.passed + s.failed + s.skipped
		fmt.Fprintf(w, "%7d cases, %d failed, %d skipped  %s\n", cases, s.failed, s.skipped, s.title)
		complete = complete && cases > 0
		for _, key := range slices.Sorted(maps.Keys(r.results)) {
			pkg, test, _ := strings.Cut(key, " ")
			if r.results[key] != "pass" || !s.has(pkg, test) {
				continue
			}
			for _, said := range logged(r.text(key)) {
				fmt.Fprintf(w, "          %s: %s\n", test, said)
			}
		}
	}
	return complete
}

// has says whether a test, and no subtest, is one of the section.
func (s *section) has(pkg, test string) bool {
	return strings.HasSuffix(pkg, "/"+s.pkg) && s.pattern.MatchString(test)
}

// logged are the lines that a test logged, without their places.
func logged(text string) (list []string) {
	for line := range strings.Lines(text) {
		if _, said, ok := strings.Cut(line, "_test.go:"); ok && strings.HasPrefix(line, " ") {
			_, said, _ = strings.Cut(said, ": ")
			list = append(list, strings.TrimSpace(said))
		}
	}
	return list
}
