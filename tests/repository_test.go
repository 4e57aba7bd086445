package tests

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is how long a file may be; the exceptions are tables.
const maxLines = 400

func mayBeLong(name string) bool {
	switch filepath.Base(name) {
	case "tables.go", "default.go", "fields.go":
		return true
	}
	return strings.HasSuffix(name, "_gen.go") || strings.HasSuffix(name, "_test.go")
}

func TestPackagesAreDocumented(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no doc comment", p.ImportPath)
		}
	}
}

// What is built before main starts is paid for by every start of a container.
func TestNothingIsBuiltAtInit(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasPrefix(p.ImportPath, "brig/tests") || strings.HasPrefix(p.ImportPath, "brig/integration") {
			continue
		}
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range parsed.Decls {
				if what := builtAtInit(decl); what != "" {
					t.Errorf("%s: %s: use a switch, or an array of plain values", file, what)
				}
			}
		}
	}
}

// builtAtInit says what of a declaration runs before main: an init function, and
// maps and calls in package-level variables, but for sentinel errors.
func builtAtInit(decl ast.Decl) string {
	if f, ok := decl.(*ast.FuncDecl); ok {
		if f.Recv == nil && f.Name.Name == "init" {
			return "func init"
		}
		return ""
	}
	found := ""
	if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				found = "a function value at package level"
				return false
			case *ast.CompositeLit:
				if _, ok := n.Type.(*ast.MapType); ok {
					found = "a map at package level"
				}
			case *ast.CallExpr:
				if name := callee(n); !harmless(name) {
					found = "a call of " + name + " at package level"
				}
			}
			return true
		})
	}
	return found
}

func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return "a function"
}

// harmless names calls that the compiler does itself, or that cost nothing.
func harmless(name string) bool {
	switch name {
	case "errors.New", "len", "string", "uint8", "uint16", "uint32", "uint64", "int", "syscall.Errno", "unix.Errno":
		return true
	}
	return false
}

func TestBuiltAtInit(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"func init() {}", "func init"},
		{"func (x T) init() {}", ""},
		{"var m = map[string]int{}", "a map at package level"},
		{"var m = []map[string]int{}", ""},
		{`var r = regexp.MustCompile("x")`, "a call of regexp.MustCompile at package level"},
		{"var f = func() {}", "a function value at package level"},
		{`var e = errors.New("x")`, ""},
		{"var a = [...]string{3: `x`}", ""},
		{"var n = make([]int, 3)", "a call of make at package level"},
		{"func f() { var m = map[string]int{} }", ""},
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+c.code, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := builtAtInit(parsed.Decls[0]); got != c.want {
			t.Errorf("%s: got %q, want %q", c.code, got, c.want)
		}
	}
}

// tracked are the files of the repository, or what lies there if it is no clone.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not a git clone")
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestFilesAreShort(t *testing.T) {
	for _, name := range tracked(t) {
		ext := filepath.Ext(name)
		if ext != ".go" && ext != ".c" && ext != ".h" || mayBeLong(name) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // removed and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(raw, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: one subject a file", name, n, maxLines)
		}
	}
}

// Nothing in the repository depends on the machine of one who works on it: where
// this clone is, and where its user's modules are, is written nowhere.
func TestNoPathOfAMachine(t *testing.T) {
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	private := []string{top + "/", "/Users/", "/go/pkg/mod/"}
	for _, name := range tracked(t) {
		raw, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || bytes.IndexByte(raw, 0) >= 0 || name == "tests/repository_test.go" {
			continue
		}
		for i, line := range strings.Split(string(raw), "\n") {
			for _, path := range private {
				if strings.Contains(line, path) {
					t.Errorf("%s:%d: a path of one machine: %s", name, i+1, line)
				}
			}
		}
	}
}
