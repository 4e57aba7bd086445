package root_test

import (
	"regexp"
	"strings"
)

// call is one system call, as strace prints it.
type call struct {
	name   string
	args   []string
	result string // what it returned, "?" for one that did not
	errno  string
	line   string
}

// parseTrace reads the calls of one process.
func parseTrace(text string) []call {
	var calls []call
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		// Signals and the end of the process; and a call that a signal broke off
		// comes once more as it was restarted.
		if strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") || strings.Contains(line, "= ? ERESTART") {
			continue
		}
		c := call{line: line}
		var rest string
		c.name, c.args, rest = parseCall(normal(line))
		rest = strings.TrimPrefix(strings.TrimSpace(rest), "= ")
		c.result, rest, _ = strings.Cut(rest, " ")
		if c.result == "-1" {
			c.errno, _, _ = strings.Cut(rest, " ")
		}
		calls = append(calls, c)
	}
	return calls
}

// parseCall takes `name(arguments)rest` apart.
func parseCall(text string) (name string, args []string, rest string) {
	name, text, _ = strings.Cut(text, "(")
	depth, quoted, from := 0, false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case depth == 0 && (c == ')' || c == ','):
			if arg := strings.TrimSpace(text[from:i]); arg != "" {
				args = append(args, arg)
			}
			if from = i + 1; c == ')' {
				return name, args, text[from:]
			}
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		}
	}
	return name, args, ""
}

var (
	remark  = regexp.MustCompile(` /\*.*?\*/`)
	outputs = regexp.MustCompile(` => \{[^}]*\}`)
	pidfdAt = regexp.MustCompile(`pidfd=0x[0-9a-f]+`)
	allCPUs = regexp.MustCompile(`\[0 1 2[ 0-9]* 1023\]`)
)

// normal is the one place that evens out how strace and the plan print the same
// call.
func normal(line string) string {
	// strace remarks on numbers that it has no name for.
	line = remark.ReplaceAllString(line, "")
	// What the kernel stored is no argument.
	line = outputs.ReplaceAllString(line, "")
	// The plan prints the name of the place that the pidfd goes to.
	line = pidfdAt.ReplaceAllString(line, "pidfd=pidfd")
	line = allCPUs.ReplaceAllString(line, "[0-1023]")
	// This strace has no name for the whole of the field of access times.
	return strings.ReplaceAll(line, "MOUNT_ATTR_NOATIME|MOUNT_ATTR_STRICTATIME|0x40", "MOUNT_ATTR__ATIME")
}
