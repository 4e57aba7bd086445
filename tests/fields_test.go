package tests

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// fieldRow is one line of fields.txt.
type fieldRow struct {
	pointer          string
	functions, tests []string
}

// nothing stands for a function where a field asks for nothing to be done.
const nothing = "nothing"

// packageDirs are the packages that fields.txt names, and where they are.
var packageDirs = map[string]string{
	"cgroups": "../cgroups", "nsenter": "../nsenter", "systemd": "systemd", "compiler": "../seccomp/compiler", "errors": "errors", "libcontainer": "../libcontainer", "plan": "../libcontainer/plan",
	"root": "root", "seccomp": "../seccomp", "spec": "../libcontainer/spec",
}

func fieldRows(t *testing.T) []fieldRow {
	t.Helper()
	var rows []fieldRow
	for i, line := range strings.Split(readFile(t, "fields.txt"), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		before, after, ok := strings.Cut(line, " : ")
		words := strings.Fields(before)
		r := fieldRow{tests: strings.Fields(after)}
		if ok && len(words) > 0 {
			r.pointer, r.functions = words[0], words[1:]
		}
		if len(r.functions) == 0 || len(r.tests) == 0 {
			t.Fatalf("fields.txt:%d: want POINTER FUNCTION … : TEST …", i+1)
		}
		rows = append(rows, r)
	}
	return rows
}

// treatedFields are the fields of the runtime-spec that have no fields themselves,
// or whose fields do not matter, and what brig does with each: accepted, refused or
// warned. The table is held against the types of specs-go, and each line of it
// against brig, by the tests of libcontainer/spec.
func treatedFields(t *testing.T) (order []string, how map[string]string) {
	t.Helper()
	how = map[string]string{}
	for line := range strings.Lines(readFile(t, "../libcontainer/spec/testdata/fields.txt")) {
		if what, pointer, ok := strings.Cut(strings.TrimSpace(line), " "); ok && what != "" && what[0] != '#' {
			how[pointer] = what
			order = append(order, pointer)
		}
	}
	parent := func(p string) bool {
		return slices.ContainsFunc(order, func(q string) bool {
			return strings.HasPrefix(q, p+"/")
		})
	}
	order = slices.DeleteFunc(order, parent)
	return order, how
}

// functionsOf are the functions and methods of a package, with those of its tests,
// and for each the fields that it selects.
func functionsOf(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	functions := map[string]map[string]bool{}
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no Go files, %v", dir, err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if functions[f.Name.Name] == nil {
				functions[f.Name.Name] = map[string]bool{}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					functions[f.Name.Name][s.Sel.Name] = true
				}
				return true
			})
		}
	}
	return functions
}

// Every field that brig accepts has a line: a new field of the runtime-spec, or one
// that is no longer refused, fails here until somebody says who handles it.
func TestFieldsAreComplete(t *testing.T) {
	order, how := treatedFields(t)
	rows := fieldRows(t)
	if !slices.IsSortedFunc(rows, func(a, b fieldRow) int { return strings.Compare(a.pointer, b.pointer) }) {
		t.Error("fields.txt is not sorted")
	}
	seen := map[string]bool{}
	for _, r := range rows {
		switch {
		case seen[r.pointer]:
			t.Errorf("fields.txt has %s twice", r.pointer)
		case how[r.pointer] == "refused":
			t.Errorf("fields.txt says who handles %s, which is refused", r.pointer)
		case !slices.Contains(order, r.pointer):
			t.Errorf("fields.txt has %s, which is no field, or has fields itself", r.pointer)
		}
		seen[r.pointer] = true
	}
	for _, pointer := range order {
		if how[pointer] != "refused" && !seen[pointer] {
			t.Errorf("fields.txt does not say who handles %s", pointer)
		}
	}
}

// What a line names exists, and a fixture that it names has the field.
func TestFieldsNameWhatExists(t *testing.T) {
	known := map[string]map[string]map[string]bool{}
	for name, dir := range packageDirs {
		known[name] = functionsOf(t, dir)
	}
	byName := map[string]*fixture{}
	for _, f := range fixtures(t) {
		byName[f.name] = f
	}
	for _, r := range fieldRows(t) {
		for _, name := range slices.Concat(r.functions, r.tests) {
			pkg, function, isGo := strings.Cut(name, ".")
			isTest := slices.Contains(r.tests, name)
			switch f := byName[name]; {
			case name == nothing && !isTest:
			case isGo && known[pkg][function] == nil:
				t.Errorf("%s: there is no %s", r.pointer, name)
			case isGo && isTest != strings.HasPrefix(function, "Test"):
				t.Errorf("%s: %s stands on the wrong side", r.pointer, name)
			case !isGo && !isTest:
				t.Errorf("%s: %s is no function with its package", r.pointer, name)
			case !isGo && f == nil:
				t.Errorf("%s: there is no fixture %s", r.pointer, name)
			case !isGo && !hasField(t, f, r.pointer):
				t.Errorf("%s: the config of the fixture %s has no such field", r.pointer, name)
			}
		}
	}
}

// Of the functions of a line one at least looks at the field itself, or for an
// element at its list.
func TestFieldsAreHandledThere(t *testing.T) {
	known := map[string]map[string]map[string]bool{}
	for name, dir := range packageDirs {
		known[name] = functionsOf(t, dir)
	}
	for _, r := range fieldRows(t) {
		field := goField(r.pointer)
		if field == "" {
			t.Errorf("the runtime-spec has no %s", r.pointer)
			continue
		}
		list := ""
		if i := strings.LastIndex(r.pointer, "/*"); i >= 0 {
			list = goField(r.pointer[:i])
		}
		if !slices.ContainsFunc(r.functions, func(name string) bool {
			pkg, function, _ := strings.Cut(name, ".")
			selects := known[pkg][function]
			return name == nothing || selects[field] || list != "" && selects[list]
		}) {
			t.Errorf("%s: none of %s looks at a field %s", r.pointer, strings.Join(r.functions, ", "), field)
		}
	}
}

// goField is the name in Go of the field that a pointer leads to.
func goField(pointer string) string {
	return fieldBelow(reflect.TypeFor[specs.Spec](), strings.Split(pointer, "/")[1:])
}

func fieldBelow(typ reflect.Type, path []string) string {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if len(path) > 0 && path[0] == "*" && (typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map) {
		return fieldBelow(typ.Elem(), path[1:])
	}
	if typ.Kind() != reflect.Struct || len(path) == 0 {
		return ""
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			if found := fieldBelow(f.Type, path); found != "" {
				return found
			}
		case name == path[0] && len(path) == 1:
			return f.Name
		case name == path[0]:
			return fieldBelow(f.Type, path[1:])
		}
	}
	return ""
}

// hasField says whether the merged config of a fixture has a field.
func hasField(t *testing.T, f *fixture, pattern string) bool {
	t.Helper()
	var config any
	if err := json.Unmarshal(f.config, &config); err != nil {
		t.Fatal(err)
	}
	return reaches(config, strings.Split(pattern, "/")[1:])
}

// reaches follows a pointer in which * is any element of a list or a map.
func reaches(v any, path []string) bool {
	if len(path) == 0 {
		return v != nil
	}
	var next []any
	switch node := v.(type) {
	case []any:
		if path[0] == "*" {
			next = node
		}
	case map[string]any:
		for key, value := range node {
			if path[0] == "*" || path[0] == key {
				next = append(next, value)
			}
		}
	}
	return slices.ContainsFunc(next, func(v any) bool { return reaches(v, path[1:]) })
}

func TestReaches(t *testing.T) {
	var v any
	if err := json.Unmarshal([]byte(`{"a":[{"b":1},{"c":{"x":{"d":2}}}],"e":null}`), &v); err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]bool{
		"/a": true, "/a/*/b": true, "/a/*/c/*/d": true, "/a/b": false, "/a/*/d": false, "/e": false, "/f": false, "/a/*/b/*": false,
	} {
		if got := reaches(v, strings.Split(pointer, "/")[1:]); got != want {
			t.Errorf("%s: %t", pointer, got)
		}
	}
}

const fieldsHead = `# Fields

<!-- Written by go test ./tests -run Fields -update from tests/fields.txt; do not edit. -->

Every field of runtime-spec 1.3.0, the functions that handle it and the tests that show it. ` + "`*`" + ` stands for each
element of a list or a map. A test without a package is a fixture (` + "`tests/fixtures`" + `) whose config has the field.
What is refused is refused with the field's pointer, with everything below it, and never ignored:
` + "`TestEveryFieldAsTheTableSays`" + ` in ` + "`libcontainer/spec`" + ` sets each of these fields and looks for the error.

`

// docs/fields.md says what the tables say.
func TestFieldsPage(t *testing.T) {
	const name = "../docs/fields.md"
	rows := map[string]fieldRow{}
	for _, r := range fieldRows(t) {
		rows[r.pointer] = r
	}
	order, how := treatedFields(t)
	count := map[string]int{}
	var b strings.Builder
	for _, pointer := range order {
		count[how[pointer]]++
		r := rows[pointer]
		switch how[pointer] {
		case "refused":
			fmt.Fprintf(&b, "| %s | **refused** | spec.TestEveryFieldAsTheTableSays |\n", pointer)
		case "warned":
			fmt.Fprintf(&b, "| %s | ignored with a warning: %s | %s |\n", pointer, strings.Join(r.functions, ", "), linked(r.tests))
		default:
			by := strings.Join(r.functions, ", ")
			if by == nothing {
				by = "asks for nothing that cgroup v2 does not do anyway"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", pointer, by, linked(r.tests))
		}
	}
	want := fieldsHead + fmt.Sprintf("%d fields are handled, %d refused, %d ignored with a warning.\n\n", count["accepted"], count["refused"], count["warned"]) +
		"| field | handled by | shown by |\n| --- | --- | --- |\n" + b.String()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compareLines(t, readFile(t, name), want)
}

// linked turns the fixtures of a list into links.
func linked(tests []string) string {
	out := make([]string, len(tests))
	for i, name := range tests {
		out[i] = name
		if !strings.Contains(name, ".") {
			out[i] = fmt.Sprintf("[%s](%s)", name, path.Join("../tests/fixtures", name+".txt"))
		}
	}
	return strings.Join(out, ", ")
}
