package nsenter

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The numbers of golang.org/x/sys are made from the kernel's headers.
func TestNumbersAreTheKernels(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatalf("where is golang.org/x/sys? %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "unix")
	for _, arch := range []string{"amd64", "arm64"} {
		want := constantsOf(t, filepath.Join(dir, "zsysnum_linux_"+arch+".go"))
		for s := Sys(0); s < sysLast; s++ {
			name := "SYS_" + strings.ToUpper(s.String())
			if n, ok := want[name]; !ok || n != int(s.number(arch)) {
				t.Errorf("%s: %s is %d, want %d", arch, s, s.number(arch), n)
			}
		}
	}
}

func constantsOf(t *testing.T, file string) map[string]int {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				numbers[spec.Names[0].Name], _ = strconv.Atoi(lit.Value)
			}
		}
		return true
	})
	return numbers
}

func TestTableIsWhole(t *testing.T) {
	for s := Sys(0); s < sysLast; s++ {
		row := sysTable[s]
		if row.name == "" || s > 0 && row.name <= sysTable[s-1].name {
			t.Errorf("row %d: %q is not in its place", s, row.name)
		}
		if len(row.format) > MaxArgs {
			t.Errorf("%s: %d operands", s, len(row.format))
		}
		for _, arch := range []string{"amd64", "arm64"} {
			if back, ok := sysOf(arch, s.number(arch)); !ok || back != s {
				t.Errorf("%s: %d is also the number of %s", arch, s.number(arch), back)
			}
		}
	}
	if _, ok := sysOf("amd64", 165); ok {
		t.Error("mount(2) is no call of a program: it resolves its target by path")
	}
}
