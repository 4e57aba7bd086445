package main

import (
	"fmt"
	"slices"
	"strings"
)

const head = `# Conformance

<!-- Written by make conformance; the reasons are in tests/conformance/reasons.txt. -->

The validation programs of [runtime-tools](https://github.com/opencontainers/runtime-tools), which belong to the
runtime-spec, run unchanged against brig and two other runtimes in the same environment: root on %s, in mount and
process id namespaces of their own, with a view of cgroup v2 only. Versions:

`

const legend = `
A cell counts tests passed / failed / skipped, in bold where the program fails. What stops a program as a whole (its exit status, an error
that it prints outside of a test, the time limit of %v) counts as one failure. A program whose tests all lie in such
errors counts nothing when it passes.

An old crun gets help (tests/conformance/crun), without which it would start none of these containers: it refuses a config of
a newer specification than its own, so each tells it 1.0.2; and where RLIMIT_MEMLOCK cannot be raised it gives up, so that
error is kept from it.

`

// reason is why brig fails a program.
type reason struct {
	text string
	host bool // it is the host that lacks something: on another brig may pass
}

// report is everything that the page says.
type report struct {
	kernel   string
	versions []string // of the suite and the runtimes, one a line
	timeout  string
	runtimes []string
	programs []string
	results  map[string][]result // of a program, by runtime
	reasons  map[string]reason
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, head, r.kernel)
	for _, v := range r.versions {
		fmt.Fprintf(&b, "- %s\n", v)
	}
	fmt.Fprintf(&b, legend, r.timeout)
	fmt.Fprintf(&b, "| program | %s |\n| --- |%s\n", strings.Join(r.runtimes, " | "), strings.Repeat(" --- |", len(r.runtimes)))
	passing := make([]int, len(r.runtimes))
	for _, p := range r.programs {
		fmt.Fprintf(&b, "| %s |", p)
		for i, res := range r.results[p] {
			mark := ""
			if res.ok() {
				passing[i]++
			} else {
				mark = "**"
			}
			fmt.Fprintf(&b, " %s%d / %d / %d%s |", mark, res.passed, res.failed, res.skipped, mark)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "| programs without a failure, of %d |", len(r.programs))
	for _, n := range passing {
		fmt.Fprintf(&b, " %d |", n)
	}
	b.WriteString("\n")
	r.writeReasons(&b, "Programs that no runtime passes", false)
	r.writeReasons(&b, "Programs that brig fails and another runtime passes", true)
	return b.String()
}

// writeReasons says why brig fails a program; byOther tells those that another
// runtime passes.
func (r *report) writeReasons(b *strings.Builder, title string, byOther bool) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	none := true
	for _, p := range r.programs {
		if r.results[p][0].ok() || byOther != slices.ContainsFunc(r.results[p], func(res result) bool { return res.ok() }) {
			continue
		}
		fmt.Fprintf(b, "- %s: %s\n", p, r.reasons[p].text)
		none = false
	}
	if none {
		b.WriteString("None.\n")
	}
}

// unexplained are programs that brig fails without a reason in the list, and those
// with a reason that it passes.
func (r *report) unexplained() []string {
	var list []string
	for _, p := range r.programs {
		switch ok, why := r.results[p][0].ok(), r.reasons[p]; {
		case !ok && why.text == "":
			list = append(list, p+": brig fails, and reasons.txt does not say why: "+strings.Join(r.results[p][0].notes, "; "))
		case ok && why.text != "" && !why.host:
			list = append(list, p+": brig passes, but reasons.txt says why it does not")
		}
	}
	for p := range r.reasons {
		if _, ok := r.results[p]; !ok {
			list = append(list, p+": reasons.txt explains a program that does not exist")
		}
	}
	slices.Sort(list)
	return list
}

// readReasons reads lines of "program: reason", or "program?: reason" if it is the
// host that lacks something.
func readReasons(text string) (map[string]reason, error) {
	reasons := map[string]reason{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		program, why, ok := strings.Cut(line, ": ")
		program, host := strings.CutSuffix(program, "?")
		if !ok || why == "" {
			return nil, fmt.Errorf("reasons.txt:%d: want \"program: reason\"", i+1)
		}
		if reasons[program].text != "" {
			return nil, fmt.Errorf("reasons.txt:%d: %s is there twice", i+1, program)
		}
		reasons[program] = reason{why, host}
	}
	return reasons, nil
}
