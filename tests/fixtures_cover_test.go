package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"brig/nsenter"
)

const planSources = "../libcontainer/plan/"

// emitters are the sections of create.go and join.go.
func emitters(t *testing.T) []string {
	t.Helper()
	var names []string
	entry := regexp.MustCompile(`(?m)^\t\{"([A-Za-z-]+)", \(\*compiler\)\.`)
	for _, m := range entry.FindAllStringSubmatch(readFile(t, planSources+"create.go")+readFile(t, planSources+"join.go")+readFile(t, planSources+"hooks.go"), -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	if len(names) < 30 {
		t.Fatalf("create.go lists %d emitters: is it still written as this test reads it?", len(names))
	}
	return names
}

// calls are the system calls that the emitters use, by their names in Go.
func calls(t *testing.T) []string {
	t.Helper()
	known := map[string]bool{}
	for s := nsenter.Sys(0); s.String() != "invalid"; s++ {
		known[goName(s.String())] = true
	}
	files, err := filepath.Glob(planSources + "*.go")
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	reference := regexp.MustCompile(`\bnsenter\.([A-Z]\w*)`)
	for _, file := range files {
		if base := filepath.Base(file); strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, "verify") {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(readFile(t, file), -1) {
			if known[m[1]] && !slices.Contains(used, m[1]) {
				used = append(used, m[1])
			}
		}
	}
	return append(used, "Clone3") // by Builder.Fork
}

// goName spells the name of a system call as its constant.
func goName(name string) string {
	var b strings.Builder
	for _, part := range strings.Split(name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// Every emitter and every system call is shown by a fixture that is about it: the
// one of the complete program does not count.
func TestFixturesCoverTheCompiler(t *testing.T) {
	sections, used := map[string]bool{}, map[string]bool{}
	for _, f := range fixtures(t) {
		p, _, err := f.compile()
		if err != nil || slices.Contains(f.sections, "all") {
			continue
		}
		for i := range p.Instructions {
			in, section := &p.Instructions[i], p.StepOf(i).Section
			if !slices.Contains(f.sections, section) {
				continue
			}
			sections[section] = true
			if in.Op == nsenter.OpCall || in.Op == nsenter.OpFork {
				used[goName(in.Sys.String())] = true
			}
		}
	}
	for _, name := range emitters(t) {
		if !sections[name] {
			t.Errorf("no fixture shows a step of %q", name)
		}
	}
	for _, name := range calls(t) {
		if !used[name] {
			t.Errorf("no fixture shows a call of %s", name)
		}
	}
}

// A misspelt section would show nothing, and nobody would see.
func TestFixturesNameSections(t *testing.T) {
	known := append(emitters(t), "all", "none")
	for _, f := range fixtures(t) {
		for _, s := range f.sections {
			if !slices.Contains(known, s) {
				t.Errorf("%s: there is no section %q", f.name, s)
			}
		}
	}
}

// A bad config has an error, a good one has none; the names of the files say which
// is which, and which section of the config they are about.
func TestFixturesNames(t *testing.T) {
	seen := map[string]int{}
	for _, f := range fixtures(t) {
		section, rest, _ := strings.Cut(f.name, "-")
		seen[section]++
		if bad := strings.HasPrefix(rest, "bad-"); bad != (f.kind == "error") {
			t.Errorf("%s holds -- %s --", f.name, f.kind)
		}
		if f.kind == "error" && strings.Contains(f.want, "BUG") {
			t.Errorf("%s: a config makes a bug of brig: %s", f.name, f.want)
		}
	}
	for _, section := range [...]string{
		"mounts", "masks", "devices", "caps", "user", "rlimits", "sysctl", "namespaces", "root",
		"cwd", "exec", "seccomp", "hostname", "hooks", "process", "cgroups", "plan", "console", "join", "label",
		"time", "personality", "scheduler", "ioprio", "mempolicy", "affinity", "netdevices", "rdt",
	} {
		if seen[section] == 0 {
			t.Errorf("no fixture is about %s", section)
		}
		delete(seen, section)
	}
	for section := range seen {
		t.Errorf("fixtures about %s: what is that?", section)
	}
}

// meant are fields that mean something where they are absent: their steps are in
// every program.
var meant = [...]string{
	"/linux/gidMappings", "/linux/rootfsPropagation", "/linux/uidMappings", "/process/capabilities",
	"/process/capabilities/bounding", "/process/user/additionalGids", "/process/user/umask",
	"/linux/resources/memory/swap",
}

// An error names a field: each step's is one of the config.
func TestFixturesPointers(t *testing.T) {
	for _, f := range fixtures(t) {
		p, writes, err := f.compile()
		if err != nil {
			continue
		}
		var config any
		if err := json.Unmarshal(f.config, &config); err != nil {
			t.Fatal(err)
		}
		var pointers []string
		for _, s := range p.Steps {
			pointers = append(pointers, s.Pointer)
		}
		for _, w := range writes {
			pointers = append(pointers, w.Pointer)
		}
		for _, pointer := range pointers {
			if !exists(config, pointer) && !slices.Contains(meant[:], pointer) {
				t.Errorf("%s: the config has no %s", f.name, pointer)
			}
		}
	}
}

// exists follows a JSON pointer (RFC 6901).
func exists(v any, pointer string) bool {
	if pointer == "" {
		return true
	}
	if pointer[0] != '/' {
		return false
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		key := strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch node := v.(type) {
		case map[string]any:
			next, ok := node[key]
			if !ok {
				return false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(node) {
				return false
			}
			v = node[i]
		default:
			return false
		}
	}
	return true
}

func TestExists(t *testing.T) {
	var v any
	if err := json.Unmarshal([]byte(`{"a/b":[{"c~d":null}],"":1}`), &v); err != nil {
		t.Fatal(err)
	}
	for _, pointer := range [...]string{"", "/a~1b", "/a~1b/0", "/a~1b/0/c~0d", "/"} {
		if !exists(v, pointer) {
			t.Errorf("%q is not there", pointer)
		}
	}
	for _, pointer := range [...]string{"a", "/a", "/a~1b/1", "/a~1b/-1", "/a~1b/x", "/a~1b/0/c~0d/e"} {
		if exists(v, pointer) {
			t.Errorf("%q is there", pointer)
		}
	}
}

// The files of fixtures/ are all read.
func TestFixturesFiles(t *testing.T) {
	entries, err := os.ReadDir("fixtures")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != "base.json" && !strings.HasSuffix(name, ".txt") {
			t.Errorf("fixtures/%s is no fixture", name)
		}
	}
	if n := len(fixtures(t)); n < 90 {
		t.Errorf("only %d fixtures", n)
	}
}
