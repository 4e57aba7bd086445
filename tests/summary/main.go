// Command summary runs go test with the arguments it is given and prints a line
// for each package, the output of what failed, why tests were skipped, and at the
// end how many passed, failed and were skipped. It fails if go test does.
//
// With -sections FILE first, it runs the tests that a table names, and counts them by
// the sections of that.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	args, sections := os.Args[1:], []*section(nil)
	if len(args) > 1 && args[0] == "-sections" {
		var err error
		if sections, err = readSections(args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "summary:", err)
			os.Exit(1)
		}
		args = append(args[2:], arguments(sections)...)
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
	r := newReport()
	r.sections = sections
	r.read(out, os.Stdout)
	failed := cmd.Wait() != nil
	if complete := r.print(os.Stdout); failed || r.failed > 0 || !complete {
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// report counts leaves: a test with subtests is its subtests.
type report struct {
	results map[string]string // package and test → pass, fail or skip
	parents map[string]bool
	output  map[string]*strings.Builder
	skips   []string

	sections                []*section
	passed, failed, skipped int
}

func newReport() *report {
	return &report{results: map[string]string{}, parents: map[string]bool{}, output: map[string]*strings.Builder{}}
}

// read takes in the events and prints what happens as it happens.
func (r *report) read(in io.Reader, w io.Writer) {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				w.Write(line) // go itself speaks, before any test
			} else {
				r.add(e, w)
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *report) add(e event, w io.Writer) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.append(key, e.Output)
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e, w)
			return
		}
		r.results[key] = e.Action
		// A name may have a slash of its own, so that there is no test one above it.
		for i := strings.LastIndexByte(e.Test, '/'); i >= 0; i = strings.LastIndexByte(e.Test[:i], '/') {
			r.parents[e.Package+" "+e.Test[:i]] = true
		}
		if e.Action == "fail" {
			fmt.Fprint(w, r.text(key))
		}
		if e.Action == "skip" {
			r.skips = append(r.skips, key+": "+reason(r.text(key)))
		}
	}
}

func (r *report) append(key, text string) {
	b := r.output[key]
	if b == nil {
		b = &strings.Builder{}
		r.output[key] = b
	}
	b.WriteString(text)
}

func (r *report) text(key string) string {
	if b := r.output[key]; b != nil {
		return b.String()
	}
	return ""
}

// endPackage prints the package's line; a package that fails without a failed
// test (it did not build, it panicked) says why and counts as one failure.
func (r *report) endPackage(e event, w io.Writer) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(w, "ok    %s  %.2fs\n", e.Package, e.Elapsed)
	case "skip":
		fmt.Fprintf(w, "-     %s  no tests\n", e.Package)
	case "fail":
		if !r.failedIn(e.Package) {
			r.failed++
			fmt.Fprint(w, r.text(e.Package+" "))
			for key, b := range r.output {
				if strings.HasPrefix(key, e.Package+" ") && key != e.Package+" " && r.results[key] == "" {
					fmt.Fprint(w, b.String()) // what ran when the package died
				}
			}
		}
		fmt.Fprintf(w, "FAIL  %s  %.2fs\n", e.Package, e.Elapsed)
	}
}

func (r *report) failedIn(pkg string) bool {
	for key, result := range r.results {
		if result == "fail" && strings.HasPrefix(key, pkg+" ") {
			return true
		}
	}
	return false
}

// reason is what a skipped test said, without the frame around it.
func reason(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if _, said, ok := strings.Cut(line, ".go:"); ok {
			_, said, _ = strings.Cut(said, ": ")
			return said
		}
	}
	return "no reason given"
}

func (r *report) print(w io.Writer) (complete bool) {
	for key, result := range r.results {
		if r.parents[key] && (result != "fail" || r.failedBelow(key)) {
			continue
		}
		count(r.sections, key, result)
		switch {
		case result == "pass":
			r.passed++
		case result == "skip":
			r.skipped++
		default:
			r.failed++
		}
	}
	for _, s := range r.skips {
		fmt.Fprintln(w, "skip ", s)
	}
	complete = r.printSections(w)
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return complete
}

func (r *report) failedBelow(key string) bool {
	for k, result := range r.results {
		if result == "fail" && strings.HasPrefix(k, key+"/") {
			return true
		}
	}
	return false
}
