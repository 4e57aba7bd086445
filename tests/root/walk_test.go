package root_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// instruction is a line of a plan.
type instruction struct {
	text   string
	kind   string // call, fork, store, if, goto, fail or exit
	call   call   // of a call or fork
	slot   string // that its result goes to
	target int    // of a fork, if or goto
	on     map[string]int
}

func parseInstruction(t *testing.T, text string) instruction {
	t.Helper()
	in := instruction{text: text, kind: "call", on: map[string]int{}}
	if word, rest, _ := strings.Cut(text, " "); !strings.Contains(word, "(") {
		in.kind = strings.TrimRight(word, "0123456789")
		if _, to, ok := strings.Cut(" "+rest, " goto "); ok {
			rest = to
		}
		if in.kind == "if" || in.kind == "goto" {
			in.target = number(t, rest)
		}
		return in
	}
	var rest string
	in.call.name, in.call.args, rest = parseCall(normal(text))
	result, branches, _ := strings.Cut(rest, "; ")
	in.slot = strings.TrimPrefix(result, " = ")
	if to, ok := strings.CutPrefix(branches, "the parent goes on at "); ok {
		in.kind, in.target = "fork", number(t, to)
		return in
	}
	for _, branch := range strings.Split(branches, ", ") {
		if errno, to, ok := strings.Cut(branch, ": "); ok {
			in.on[errno] = number(t, to)
		}
	}
	return in
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// values are the results that went to slots, by name. Several slots can have one
// name, so a name can stand for several values.
type values map[string][]string

// walker compares the calls of a process with a plan.
type walker struct {
	plan     []instruction
	trace    []call
	steps    int // left
	furthest int // call that nothing in the plan accounts for
	expected []string
	forks    []fork
}

// fork is the moment at which a process divides.
type fork struct {
	child string
	at    int
	env   values
}

const maxSteps = 200000

// walk goes on at an instruction of the plan and a call of the trace. Where the
// plan decides by what is in memory, either way is tried. It says whether the
// trace ends where the plan does.
func (w *walker) walk(at, next int, env values) bool {
	for w.steps > 0 && at < len(w.plan) {
		w.steps--
		in := &w.plan[at]
		switch in.kind {
		case "store":
			at++
			continue
		case "goto":
			at = in.target
			continue
		case "if":
			if w.walk(at+1, next, maps.Clone(env)) {
				return true
			}
			at = in.target
			continue
		case "fail":
			return false
		case "exit":
			return next == len(w.trace)-1 && w.trace[next].name == "exit_group"
		}
		if next == len(w.trace) || !w.same(in, w.trace[next], env) {
			w.missed(next, in)
			return false
		}
		c := w.trace[next]
		next++
		switch {
		case c.errno == "EINTR" || c.errno == "EAGAIN" && c.name == "openat2":
		case c.errno != "":
			to, ok := in.on[c.errno]
			if !ok {
				w.missed(next-1, in)
				return false
			}
			at = to
		case c.name == "execve":
			return next == len(w.trace)
		default:
			if in.slot != "" {
				env[in.slot] = append(slices.Clone(env[in.slot]), c.result)
			}
			at++
			if in.kind == "fork" && c.result != "0" {
				w.forks = append(w.forks, fork{c.result, at, maps.Clone(env)})
				at = in.target
			}
		}
	}
	return false
}

func (w *walker) missed(next int, in *instruction) {
	if next > w.furthest {
		w.furthest, w.expected = next, nil
	}
	if next == w.furthest {
		w.expected = append(w.expected, in.text)
	}
}

// same says whether a traced call is an instruction's.
func (w *walker) same(in *instruction, c call, env values) bool {
	if in.call.name != c.name || len(in.call.args) != len(c.args) {
		return false
	}
	for i, want := range in.call.args {
		if got := c.args[i]; want != got && !stands(want, got, env) {
			return false
		}
	}
	return true
}

var (
	// place is the name of a slot or buffer, with an offset into it.
	place = regexp.MustCompile(`^[a-z][A-Za-z0-9_.]*(\+\d+)?$`)
	// plainNumber is what the kernel takes by value; for memory strace prints what
	// is in it, or its address.
	plainNumber = regexp.MustCompile(`^\d+$`)
	// header is the address of a struct that the plan does not print.
	header = regexp.MustCompile(`^0x1[0-9a-f]{7}$`)
)

// stands says whether a name of the plan stands for a traced argument: a slot for
// a number that was its result, a buffer for whatever is in it.
func stands(name, got string, env values) bool {
	if header.MatchString(name) {
		return strings.HasPrefix(got, "{msg_name=NULL, ")
	}
	if !place.MatchString(name) {
		return false
	}
	if known, ok := env[name]; ok && plainNumber.MatchString(got) {
		return slices.Contains(known, got)
	}
	return true
}

// compare walks a trace from an instruction on, and reports where the two part.
func compare(t *testing.T, who string, plan []instruction, trace []call, at int, env values) *walker {
	t.Helper()
	w := &walker{plan: plan, trace: trace, steps: maxSteps}
	if !w.walk(at, 0, env) {
		got := "the end of the trace"
		if w.furthest < len(trace) {
			got = trace[w.furthest].line
		}
		t.Errorf("%s: call %d of %d\ntraced  %s\nplanned %s", who, w.furthest, len(trace), got, strings.Join(w.expected, "\n     or "))
	}
	return w
}

// TestWalk makes sure that the comparison finds what it is there to find.
func TestWalk(t *testing.T) {
	lines := []string{
		`openat2(AT_FDCWD, "a, (b", {flags=O_RDONLY|O_PATH, resolve=0}, 24) = fd; ENOENT: 2, EACCES: 4`,
		"goto 3",
		`mkdirat(fd, "x", 0755)`,
		"if word & 0x1 == 0x1 goto 5",
		"fail EIO \"if x goto 1\"",
		"close(fd)",
		`execve(path, ["a"], [])`,
	}
	var plan []instruction
	for _, text := range lines {
		plan = append(plan, parseInstruction(t, text))
	}
	open := `openat2(AT_FDCWD, "a, (b", {flags=O_RDONLY|O_PATH, resolve=0}, 24) = `
	exec := "\n" + `execve("/a", ["a"], [])  = 0`
	for trace, want := range map[string]bool{
		open + "7\nclose(7) = 0" + exec:                                                     true,
		open + "-1 EAGAIN (Try again)\n" + open + "7\nclose(7)   = 0" + exec:                true,
		open + "-1 ENOENT (No such file)\nmkdirat(3, \"x\", 0755) = 0\nclose(3) = 0" + exec: true,
		open + "7\nclose(8) = 0" + exec:                                                     false, // another fd
		open + "7\nclose(7) = 0":                                                            false, // no end
		open + "7\nclose(7) = 0\ngetpid() = 1" + exec:                                       false, // one too many
		open + "7\n" + strings.TrimPrefix(exec, "\n"):                                       false, // one too few
		open + "-1 ENOTDIR (Not a directory)\nclose(7) = 0" + exec:                          false, // no branch for it
		open + "-1 ENOENT (No such file)\nmkdirat(7, \"y\", 0755) = 0\nclose(7) = 0" + exec: false, // another name
		strings.Replace(open, "O_PATH", "O_DIRECTORY", 1) + "7\nclose(7) = 0" + exec:        false, // another flag
		open + "7\nclose(7) = 0\n" + `execve("/a", ["a", "b"], []) = 0`:                     false, // other arguments
		open + "-1 EACCES (Permission denied)" + exec:                                       false, // the plan fails there
	} {
		w := &walker{plan: plan, trace: parseTrace(trace), steps: maxSteps}
		if got := w.walk(0, 0, values{}); got != want {
			t.Errorf("got %v for\n%s\n%s", got, trace, fmt.Sprint(w.expected))
		}
	}
}
