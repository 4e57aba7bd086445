package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each row of the command table is what its name says, takes flags that do not collide,
// and says how it is used.
func TestTable(t *testing.T) {
	var names []string
	for _, row := range table {
		names = append(names, row.name)
		v := row.command()
		if v.name != row.name || v.usage == "" || v.action == nil {
			t.Errorf("%s: got %+v", row.name, v)
		}
		c := &call{}
		if rest, err := c.parse([]string{"--", "--x"}, v.flags); err != nil || len(rest) != 1 {
			t.Errorf("%s: got %q %v", row.name, rest, err)
		}
		for _, o := range v.flags {
			for _, g := range globalFlags() {
				// As runc has it, spec --rootless is another thing than brig --rootless.
				if o.name == g.name && v.name+" "+o.name != "spec rootless" {
					t.Errorf("brig has --%s, and so has %s", g.name, v.name)
				}
			}
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("the commands are not in order: %q", names)
	}
}

// Each flag that the sources ask for is in the command table, with that kind of value: to
// ask for another panics.
func TestFlagsAreThere(t *testing.T) {
	kinds := map[string]kind{"text": isText, "on": isToggle, "number": isNumber, "list": isList}
	have := func(want option) bool {
		is := func(o option) bool { return o.name == want.name && o.kind == want.kind }
		return slices.ContainsFunc(append(globalFlags(), helpOption), is) ||
			slices.ContainsFunc(table[:], func(r row) bool { return slices.ContainsFunc(r.command().flags, is) })
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			ask, ok := n.(*ast.CallExpr)
			if !ok || len(ask.Args) != 1 {
				return true
			}
			method, ok := ask.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, ok := method.X.(*ast.Ident)
			what, known := kinds[method.Sel.Name]
			if literal, is := ask.Args[0].(*ast.BasicLit); ok && known && is && of.Name == "c" && !strings.HasSuffix(name, "_test.go") {
				flag, _ := strconv.Unquote(literal.Value)
				if asked++; !have(option{name: flag, kind: what}) {
					t.Errorf("%s asks for the flag %s by %s", name, flag, method.Sel.Name)
				}
			}
			return true
		})
	}
	if asked < 60 {
		t.Errorf("found %d places that ask for a flag", asked)
	}
}

func TestParse(t *testing.T) {
	options := []option{
		text("user", "nobody", "`UID`", "u"), toggle("tty", "", "t"), number("fds", "pass `N`"), texts("env", "", "e"),
	}
	for _, want := range []struct {
		line, user string
		tty        bool
		fds        int
		env, rest  string
	}{
		{"", "nobody", false, 0, "", ""},
		{"a -t", "nobody", false, 0, "", "a -t"},
		{"-t -u 7 --fds=3 a b", "7", true, 3, "", "a b"},
		{"--u=7 -tty --user 8 -fds -1", "8", true, -1, "", ""},
		{"-tty=false -e A=1 --env B=2 -env= -e=C - x", "nobody", false, 0, "A=1 B=2  C", "- x"},
		{"-- -t", "nobody", false, 0, "", "-t"},
		{"-u=", "", false, 0, "", ""},
	} {
		c := &call{}
		rest, err := c.parse(strings.Fields(want.line), options)
		if err != nil || c.text("user") != want.user || c.on("tty") != want.tty || c.number("fds") != want.fds ||
			strings.Join(c.list("env"), " ") != want.env || strings.Join(rest, " ") != want.rest {
			t.Errorf("%q: got %+v, rest %q, %v", want.line, c.settings, rest, err)
		}
	}
}

// A line that cannot be read is one error, which says where help is, and nothing else.
func TestRunRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"nosuch":                      `no such command: "nosuch" (see brig --help)`,
		"checkpoint --image-path x y": "checkpoint: this version of brig makes no checkpoints and restores none",
		"restore --lsm-mount-context": "restore: this version of brig makes no checkpoints and restores none",
		"--nosuch list":               "flag provided but not defined: -nosuch (see brig --help)",
		"list --nosuch":               "flag provided but not defined: -nosuch (see brig list --help)",
		"exec --preserve-fds":         "flag needs an argument: -preserve-fds (see brig exec --help)", // podman looks for these words
		"exec --preserve-fds x a b":   `invalid value "x" for flag -preserve-fds: parse error (see brig exec --help)`,
		"exec --tty=maybe a b":        `invalid boolean value "maybe" for -tty: parse error (see brig exec --help)`,
		"--root":                      "flag needs an argument: -root (see brig --help)",
		"---root=x list":              "bad flag syntax: ---root=x (see brig --help)",
		"--log-format xml list":       "invalid log-format: xml",
		"--rootless perhaps list":     "invalid --rootless: perhaps",
		"--cgroup-manager v1 nosuch":  "invalid --cgroup-manager: v1",
		"--log /nosuch/file run":      "open the log /nosuch/file: ENOENT: no such file or directory",
		"--log-level loud exec -h":    "invalid --log-level: loud",
		"state help":                  "container does not exist: help", // no command of a library's own
		"state h":                     "container does not exist: h",
		"state --help=false --x":      "flag provided but not defined: -x (see brig state --help)",
		"start --preserve-fds=1 some": "flag provided but not defined: -preserve-fds (see brig start --help)",
	} {
		var stdout, stderr strings.Builder
		if status := run(strings.Fields(line), &stdout, &stderr); status != 1 || stdout.Len() > 0 || stderr.String() != "brig: "+want+"\n" {
			t.Errorf("%q: got %d %q\n%s", line, status, stdout.String(), stderr.String())
		}
	}
}

// Help goes to stdout, wherever in the flags it is asked for, and names every flag.
func TestHelp(t *testing.T) {
	ask := func(line string) string {
		var stdout, stderr strings.Builder
		if status := run(strings.Fields(line), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
			t.Errorf("%q: got %d %q", line, status, stderr.String())
		}
		return stdout.String()
	}
	general := ask("--help")
	for _, line := range []string{"", "-h", "-help", "--debug --help list"} {
		if ask(line) != general {
			t.Errorf("%q says\n%s", line, ask(line))
		}
	}
	for _, row := range table {
		v := row.command()
		if !strings.Contains(general, "   "+v.name+" ") || !strings.Contains(general, v.usage) {
			t.Errorf("--help does not speak of %s", v.name)
		}
		text := ask(v.name + " --help")
		for _, o := range append(v.flags, helpOption) {
			if !strings.Contains(text, "   --"+o.name) {
				t.Errorf("%s --help does not speak of --%s:\n%s", v.name, o.name, text)
			}
		}
	}
	const want = `NAME:
   brig kill - send a signal (default SIGTERM) to the init of a container

USAGE:
   brig kill [command options] ID [SIGNAL]

OPTIONS:
   --all, -a    send it to all processes; no error if there are none
   --regex, -r  the ID is a regular expression (POSIX ERE): work on every container that it matches
   --help, -h   show help
`
	if got := ask("kill -h"); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := ask("-v"); got != "brig version "+version+"\ncommit: "+commit+"\nspec: "+specVersion+"\n" {
		t.Errorf("got %q", got)
	}
}
