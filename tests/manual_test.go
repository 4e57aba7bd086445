package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const buildTags = "osusergo,netgo"

// writtenManual is where the man pages and completions are written to.
func writtenManual(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "-tags", buildTags+",manual", "..", dir)
	cmd.Env = append(cmd.Environ(), "SOURCE_DATE_EPOCH=86400")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// needShell is the path of a program that not every machine has.
func needShell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("needs " + name)
	}
	return path
}

// table is what --help of brig itself says: the options of brig (under "") and of
// each command.
func table(t *testing.T) map[string][]string {
	t.Helper()
	brig := filepath.Join(t.TempDir(), "brig")
	if out, err := exec.Command("go", "build", "-tags", buildTags, "-o", brig, "..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := func(args ...string) string {
		out, err := exec.Command(brig, append(args, "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	found := map[string][]string{"": optionsOf(help())}
	_, commands, _ := strings.Cut(help(), "\nCOMMANDS:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	for _, line := range strings.Split(commands, "\n") {
		if name := strings.Fields(line)[0]; name != "" {
			found[name] = optionsOf(help(name))
		}
	}
	if len(found) < 10 || !slices.Contains(found["run"], "--bundle") {
		t.Fatalf("is --help still written as this test reads it? %q", found)
	}
	return found
}

func optionsOf(help string) []string {
	_, after, _ := strings.Cut(help, "OPTIONS:\n")
	var list []string
	for line := range strings.Lines(after) {
		head, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		for _, word := range strings.Fields(head) {
			if word = strings.TrimSuffix(word, ","); regexp.MustCompile(`^--?[a-z][a-z-]*$`).MatchString(word) {
				list = append(list, word)
			}
		}
	}
	return list
}

// Whatever --help tells, the man pages and the completions tell too.
func TestManualIsComplete(t *testing.T) {
	dir := writtenManual(t)
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
	bash, zsh, fish := read("bash-completion/completions/brig"), read("zsh/site-functions/_brig"), read("fish/vendor_completions.d/brig.fish")
	all := table(t)
	for command, options := range all {
		page, bashLine, fishLines := "brig", "\tglobals='", "-n '__fish_use_subcommand'"
		if command != "" {
			page, bashLine, fishLines = "brig-"+command, "\t"+command+") options='", "-n '__fish_seen_subcommand_from "+command+"'"
			if !strings.Contains(read("man/man8/brig.8"), `.BR brig\-`+command+" (8)\n") {
				t.Errorf("brig(8) has no %s", command)
			}
		}
		man := strings.ReplaceAll(read("man/man8/"+page+".8"), `\-`, "-")
		zshPart := zsh
		if command != "" {
			_, zshPart, _ = strings.Cut(zsh, "\n\t"+command+")\n")
			zshPart, _, _ = strings.Cut(zshPart, ";;")
		}
		for _, o := range options {
			if !strings.Contains(man, `\fB`+o+`\fR`) {
				t.Errorf("%s(8) has no %s", page, o)
			}
			_, words, _ := strings.Cut(bash, bashLine)
			words, _, _ = strings.Cut(words, "'")
			if !slices.Contains(strings.Fields(words), o) {
				t.Errorf("bash: %q has no %s", command, o)
			}
			if !regexp.MustCompile(`'\*?` + o + `[=+]?\[`).MatchString(zshPart) {
				t.Errorf("zsh: %q has no %s", command, o)
			}
			flag := " -l " + strings.TrimLeft(o, "-") + " "
			if len(o) == 2 {
				flag = " -s " + o[1:] + " "
			}
			if !slices.ContainsFunc(strings.Split(fish, "\n"), func(l string) bool {
				return strings.Contains(l, fishLines) && strings.Contains(l, flag)
			}) {
				t.Errorf("fish: %q has no %s", command, o)
			}
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "man/man8/*"))
	if err != nil || len(pages) != len(all) {
		t.Errorf("%d pages for %d commands, %v", len(pages), len(all)-1, err)
	}
}

func TestManPages(t *testing.T) {
	mandoc := needShell(t, "mandoc")
	pages, err := filepath.Glob(filepath.Join(writtenManual(t), "man/man8/*"))
	if err != nil || len(pages) == 0 {
		t.Fatal(err)
	}
	for _, page := range pages {
		if out, err := exec.Command(mandoc, "-Tlint", "-W", "style", page).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
		if text := readFile(t, page); !strings.Contains(text, `"1970-01-02"`) {
			t.Errorf("%s does not have the date that it was given", page)
		}
	}
}

// stub is a directory with a brig that lists two containers and writes down what
// it was asked. (That of tests/root is asked for real ones.)
func stub(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >>" + dir + "/asked\n[ \"$*\" != 'list -q' ] || echo 'first second'\n" +
		"case $* in --root*\\ list\\ -q) echo other ;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "brig"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBashCompletion(t *testing.T) {
	bash := needShell(t, "bash")
	file := filepath.Join(writtenManual(t), "bash-completion/completions/brig")
	dir := stub(t)
	for _, d := range []string{"a dir", "adir"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(bash, "-n", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _brig; IFS='|'; echo "${COMPREPLY[*]}"`
	for _, c := range []struct {
		line []string
		want string
	}{
		{[]string{"st"}, "start|state"},
		{[]string{"--ro"}, "--root|--rootless"},
		{[]string{"start", ""}, "first|second"},
		{[]string{"start", "s"}, "second"},
		{[]string{"--root", "/r", "state", ""}, "other"},
		{[]string{"--root", "=", "/r", "state", ""}, "other"},
		{[]string{"--log", "state", "kill", ""}, "first|second"},
		{[]string{"delete", "-f", ""}, "first|second"},
		{[]string{"delete", "--force", "first", ""}, ""},
		{[]string{"kill", "first", "K"}, "KILL"},
		{[]string{"create", ""}, ""},
		{[]string{"create", "--pid-file", "x", "--bu"}, "--bundle"},
		{[]string{"create", "-b", "a"}, "a dir|adir"},
		{[]string{"create", "--bundle", "=", "ad"}, "adir"},
		{[]string{"list", "--format", ""}, "json|table"},
		{[]string{"list", "-f", "=", "j"}, "json"},
		{[]string{"--rootless", ""}, "auto|false|true"},
		{[]string{"exec", "first", "-"}, ""},
		{[]string{"no-such-command", ""}, ""},
	} {
		cmd := exec.Command(bash, append([]string{"--norc", "-c", script, file, "brig"}, c.line...)...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		words := strings.Split(strings.TrimSuffix(string(out), "\n"), "|")
		slices.Sort(words)
		if got := strings.Join(words, "|"); err != nil || got != c.want {
			t.Errorf("brig %q: got %q, want %q, %v", c.line, got, c.want, err)
		}
	}
}

func TestFishCompletion(t *testing.T) {
	fish := needShell(t, "fish")
	file := filepath.Join(writtenManual(t), "fish/vendor_completions.d/brig.fish")
	if out, err := exec.Command(fish, "-n", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := stub(t)
	for line, want := range map[string]string{
		"st": "start state", "start ": "first second", "--root /r state ": "other", "--root=/r state ": "other",
		"list --format ": "json table", "kill first K": "KILL", "create --bu": "--bundle", "create x": "",
	} {
		cmd := exec.Command(fish, "--no-config", "-c", fmt.Sprintf("source %s; complete -C 'brig %s'", file, line))
		cmd.Env = append(cmd.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		var words []string
		for l := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
			words = append(words, strings.Fields(word)...)
		}
		if got := strings.Join(words, " "); err != nil || got != want {
			t.Errorf("brig %s: got %q, want %q, %v", line, got, want, err)
		}
	}
}

// zshScript types a line and a tab into a zsh and prints what stands there then.
const zshScript = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1='>'; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; bindkey '^I' complete-word; echo rea''dy"
zpty -r z out '*ready*'
zpty -w -n z "brig $2"$'\t'
zpty -w z $'\C-A: \C-E; echo do\'\'ne'
zpty -r z out '*done*'
print -r -- "$out"
`

func TestZshCompletion(t *testing.T) {
	zsh := needShell(t, "zsh")
	file := filepath.Join(writtenManual(t), "zsh/site-functions/_brig")
	if out, err := exec.Command(zsh, "-n", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := stub(t)
	for _, c := range []struct{ line, want, asked string }{
		{"fea", "brig features ", ""},
		{"list --qu", "brig list --quiet ", ""},
		{"list --format=t", "brig list --format=table ", ""},
		{"--root /r start o", "brig --root /r start other ", "--root=/r list -q"},
		{"kill other KI", "brig kill other KILL ", ""},
	} {
		cmd := exec.Command("timeout", "20", zsh, "-f", "-c", zshScript, "zsh", filepath.Dir(file), c.line)
		cmd.Env = append(cmd.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("brig %s: want %q, got %q, %v", c.line, c.want, out, err)
		}
		if asked, _ := os.ReadFile(filepath.Join(dir, "asked")); !strings.Contains(string(asked), c.asked) {
			t.Errorf("brig %s: brig was asked %q", c.line, asked)
		}
	}
}

// TestInstall installs brig with its manual below a directory, and takes it away again. What
// else is there stays.
func TestInstall(t *testing.T) {
	needShell(t, "make")
	// A tree of its own: other tests use the program that make would link anew.
	tree, dest := t.TempDir(), t.TempDir()+"/a place"
	must(t, os.CopyFS(tree+"/share", os.DirFS(writtenManual(t))))
	for _, name := range []string{"Makefile", "brig"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(tree, name), text, 0o600))
	}
	must(t, os.MkdirAll(dest+"/opt/share/man/man8", 0o755))
	other := dest + "/opt/share/man/man8/other.8"
	must(t, os.WriteFile(other, nil, 0o600))
	run := func(target string) []string {
		cmd := exec.Command("make", "-C", tree, "-o", "build", "-o", "manual", target, "DESTDIR="+dest, "PREFIX=/opt")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
		var list []string
		must(t, filepath.WalkDir(dest, func(name string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && name != other {
				list = append(list, strings.TrimPrefix(name, dest+"/opt/"))
			}
			return err
		}))
		return list
	}
	list := run("install")
	for _, want := range []string{"bin/brig", "share/man/man8/brig.8", "share/bash-completion/completions/brig"} {
		if !slices.Contains(list, want) {
			t.Errorf("%s is not installed: %v", want, list)
		}
	}
	if out, err := exec.Command(dest+"/opt/bin/brig", "--version").CombinedOutput(); err != nil {
		t.Errorf("what is installed does not run: %v\n%s", err, out)
	}
	if list := run("uninstall"); len(list) > 0 {
		t.Errorf("uninstall leaves %v", list)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

// TestManualOfAnotherMachine asks for the manual of a brig that is built for another
// processor: the program that writes it runs here.
func TestManualOfAnotherMachine(t *testing.T) {
	needShell(t, "make")
	tree := t.TempDir()
	text, err := os.ReadFile("../Makefile")
	must(t, err)
	must(t, os.WriteFile(tree+"/Makefile", text, 0o600))
	// What make calls says which processor it was called for.
	for name, script := range map[string]string{
		"tests/deps.sh":          "",
		"nsenter/stage/embed.sh": "echo \"stage $1\" >>asked",
		"seccomp/build.sh":       "echo \"seccomp $GOARCH\" >>asked",
		"go":                     "if [ \"$1\" = env ]; then exec go \"$@\"; fi; echo \"go $1 $GOARCH\" >>asked",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(tree, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	if out, err := exec.Command("make", "-C", tree, "manual", "GOARCH="+other, "GO="+tree+"/go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	asked, err := os.ReadFile(tree + "/asked")
	must(t, err)
	here := runtime.GOARCH
	if want := "stage " + here + "\nseccomp " + here + "\ngo run " + here + "\n"; string(asked) != want {
		t.Errorf("make manual GOARCH=%s asked for\n%s and not for\n%s", other, asked, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
