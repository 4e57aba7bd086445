//go:build manual

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
	globals []entry
	verbs   []verb
}

type verb struct {
	name, usage, args, description string
	options                        []entry
}

// takesOldID says that the first argument is a container that exists.
func (v *verb) takesOldID() bool {
	return strings.HasPrefix(v.args, "ID") && !slices.Contains([]string{"create", "run", "plan"}, v.name)
}

// runsCommand says that a command of the container follows the ID.
func (v *verb) runsCommand() bool { return strings.Contains(v.args, "CMD") }

// entry is an option in words.
type entry struct {
	names   []string // as they are typed, the long one first
	usage   string
	value   string // what stands for the value; empty if it takes none
	initial string // the value when the option is not there
	many    bool
	choice  []string // all values there are, if that is a fixed list
}

func newManual() *manual {
	m := &manual{globals: entries(globalFlags())}
	for i := range table {
		c := table[i].command()
		m.verbs = append(m.verbs, verb{c.name, c.usage, c.args, c.description, entries(c.flags)})
	}
	return m
}

// choices are the words of a usage like "text or json".
var choices = regexp.MustCompile(`\b(\w+(?:, \w+)*) or (\w+)\b`)

// entries are options as the pages show them, with --help, which all have.
func entries(options []option) []entry {
	var list []entry
	for _, o := range append(options[:len(options):len(options)], helpOption) {
		list = append(list, entryOf(&o))
	}
	return list
}

func entryOf(o *option) entry {
	e := entry{usage: strings.ReplaceAll(o.usage, "`", ""), value: o.placeholder(), initial: o.initial, many: o.kind == isList}
	if c := choices.FindStringSubmatch(e.usage); e.value == "VALUE" && c != nil {
		e.choice = append(strings.Split(c[1], ", "), c[2])
	}
	if o.kind == isNumber {
		e.initial = "0"
	}
	// What depends on who asks is not for a page that everybody reads.
	if o.name == "root" {
		e.initial = "/run/brig, or for an ordinary user $XDG_RUNTIME_DIR/brig"
	}
	for _, name := range append([]string{o.name}, o.aliases...) {
		e.names = append(e.names, dashed(name))
	}
	return e
}
