//go:build manual

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// With the tag manual this is not brig but the program that writes its man pages
// and shell completions from the command table: `go run -tags manual . DIR`.

func init() {
	if err := writeManual(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func writeManual(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("takes the directory to write to, and got %d arguments", len(args))
	}
	m := newManual()
	files := map[string]string{
		"bash-completion/completions/brig":    m.bash(),
		"zsh/site-functions/_brig":            m.zsh(),
		"fish/vendor_completions.d/brig.fish": m.fish(),
		"man/man8/brig.8":                     m.mainPage(),
	}
	for _, v := range m.verbs {
		files["man/man8/brig-"+v.name+".8"] = m.verbPage(v)
	}
	for name, text := range files {
		name = filepath.Join(args[0], name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// manual is the command table as text.
type manual struct {
	globals []option
	verbs   []verb
}

type verb struct {
	name, usage, args, description string
	options                        []option
}

// takesOldID says that the first argument is a container that exists.
func (v *verb) takesOldID() bool {
	return strings.HasPrefix(v.args, "ID") && !slices.Contains([]string{"create", "run", "plan"}, v.name)
}

// runsCommand says that a command of the container follows the ID.
func (v *verb) runsCommand() bool { return strings.Contains(v.args, "CMD") }

type option struct {
	names   []string // as they are typed, the long one first
	usage   string
	value   string // what stands for the value; empty if it takes none
	initial string // the value when the option is not there
	many    bool
	choice  []string // all values there are, if that is a fixed list
}

func newManual() *manual {
	m := &manual{globals: options(globalFlags())}
	m.globals = append(m.globals, options([]cli.Flag{
		toggle("help", "show help", "h"), toggle("version", "print the version", "v"),
	})...)
	for _, c := range commands(new(int)) {
		v := verb{c.Name, c.Usage, c.ArgsUsage, c.Description, options(c.Flags)}
		v.options = append(v.options, options([]cli.Flag{toggle("help", "show help", "h")})...)
		m.verbs = append(m.verbs, v)
	}
	return m
}

var (
	placeholder = regexp.MustCompile("`([^`]+)`")
	choices     = regexp.MustCompile(`\b(\w+(?:, \w+)*) or (\w+)\b`)
)

func options(flags []cli.Flag) []option {
	list := make([]option, 0, len(flags))
	for _, f := range flags {
		list = append(list, optionOf(f))
	}
	return list
}

func optionOf(f cli.Flag) option {
	var o option
	switch f := f.(type) {
	case *boolFlag:
		o = option{names: f.names, usage: f.Usage}
	case *stringFlag:
		o = option{names: f.names, usage: f.Usage, value: "VALUE", initial: f.Value}
	case *intFlag:
		o = option{names: f.names, usage: f.Usage, value: "N", initial: f.GetDefaultText()}
	case *listFlag:
		o = option{names: f.names, usage: f.Usage, value: "VALUE", many: true}
	default:
		panic(fmt.Sprintf("a flag of type %T", f))
	}
	if p := placeholder.FindStringSubmatch(o.usage); p != nil {
		o.value = p[1]
	}
	o.usage = strings.ReplaceAll(o.usage, "`", "")
	if c := choices.FindStringSubmatch(o.usage); o.value == "VALUE" && c != nil {
		o.choice = append(strings.Split(c[1], ", "), c[2])
	}
	// What depends on who asks is not for a page that everybody reads.
	if o.names[0] == "root" {
		o.initial = "/run/brig, or for an ordinary user $XDG_RUNTIME_DIR/brig"
	}
	names := make([]string, len(o.names))
	for i, name := range o.names {
		names[i] = dashed(name)
	}
	o.names = names
	return o
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
