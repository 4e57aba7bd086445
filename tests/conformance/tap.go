package main

import "strings"

// result is what one program says of one runtime.
type result struct {
	passed, failed, skipped int
	notes                   []string // why it failed, as it says
}

// ok says that the program ended well and found nothing to complain about.
func (r *result) ok() bool { return r.failed == 0 }

// readTAP counts the tests of a program's output. The programs of runtime-tools
// report what stopped them not as a test but as a YAML block of their own with an
// "error": such a block stands where it does not describe the test before it.
func readTAP(out string) result {
	var (
		r         result
		described = true // the last test has its YAML block, or there is none yet
		yaml, own bool   // inside of a block, which is the program's own
	)
	for _, line := range strings.Split(out, "\n") {
		switch {
		case strings.HasPrefix(line, "  ---"):
			yaml, own = true, described
			described = true
		case strings.HasPrefix(line, "  ..."):
			yaml = false
		case yaml:
			if text, found := strings.CutPrefix(strings.TrimSpace(line), `"error": "`); own && found && text != `"` && text != `",` {
				r.fail(strings.TrimRight(text, `",`))
			}
		case strings.HasPrefix(line, "Bail out!"):
			r.fail(line)
		case strings.HasPrefix(line, "ok "), strings.HasPrefix(line, "not ok "):
			r.test(line)
			described = false
		}
	}
	return r
}

func (r *result) test(line string) {
	upper := strings.ToUpper(line)
	switch {
	case strings.Contains(upper, "# SKIP"):
		r.skipped++
	case strings.HasPrefix(line, "ok "), strings.Contains(upper, "# TODO"):
		r.passed++
	default:
		r.fail(line)
	}
}

// fail counts a failure, of a test or of the whole program.
func (r *result) fail(note string) {
	r.failed++
	r.notes = append(r.notes, note)
}
