package main

import (
	"fmt"
	"io"
	"strings"

	"brig/libcontainer/fault"
)

// row is one of the command table.
type row struct {
	name    string
	command func() *command
}

// command is a verb, and how it is used.
type command struct {
	name, usage, args, description string
	flags                          []option
	action                         func(*call) error
}

// call is one command line, taken apart.
type call struct {
	verb           string
	args           []string    // what follows the flags of the verb
	settings       [][]setting // of brig, and of the verb
	status         int         // exit status; of an error, if it is not 0
	stdout, stderr io.Writer
}

// run executes the command of a command line, without the name of the program.
func (c *call) run(args []string) error {
	rest, err := c.parse(args, globalFlags())
	switch {
	case err != nil:
		return misused(err, "brig --help")
	case c.on("help"):
		return c.help()
	case c.on("version"):
		return c.version()
	case len(rest) == 0:
		return c.help()
	}
	if err := openLog(c); err != nil {
		return err
	}
	v := find(rest[0])
	switch {
	case v == nil && (rest[0] == "checkpoint" || rest[0] == "restore"):
		return fault.Configf("", "%s: this version of brig makes no checkpoints and restores none", rest[0])
	case v == nil:
		return fault.Configf("", "no such command: %q", rest[0]).WithHint("see brig --help")
	}
	c.verb = v.name
	c.args, err = c.parse(rest[1:], v.flags)
	switch {
	case err != nil:
		return misused(err, "brig "+v.name+" --help")
	case c.on("help"):
		return c.helpOf(v)
	}
	return v.action(c)
}

// misused is an error of the flag package, whose words engines look for (podman takes
// "flag needs an argument" for a flag that is there).
func misused(err error, help string) error {
	return fault.Configf("", "%v", err).WithHint("see %s", help)
}

// find returns the command of a name, and nil if there is none.
func find(name string) *command {
	for i := range table {
		if table[i].name == name {
			return table[i].command()
		}
	}
	return nil
}

// setting is what was said of an option of the verb, or else of brig.
func (c *call) setting(name string, want kind) *setting {
	for i := len(c.settings) - 1; i >= 0; i-- {
		for k := range c.settings[i] {
			if s := &c.settings[i][k]; s.option.name == name && s.option.kind == want {
				return s
			}
		}
	}
	panic("brig " + c.verb + " has no such flag " + name)
}

func (c *call) text(name string) string { return c.setting(name, isText).text }

func (c *call) on(name string) bool { return c.setting(name, isToggle).on }

func (c *call) number(name string) int { return c.setting(name, isNumber).number }

func (c *call) list(name string) []string { return c.setting(name, isList).list }

// arg is an argument of the verb, "" if there are not as many.
func (c *call) arg(i int) string {
	if i >= len(c.args) {
		return ""
	}
	return c.args[i]
}

func (c *call) version() error {
	_, err := fmt.Fprintf(c.stdout, "brig version %s\ncommit: %s\nspec: %s\n", version, commit, specVersion)
	return err
}

// help prints what brig is and its commands.
func (c *call) help() error {
	var rows [][2]string
	for i := range table {
		rows = append(rows, [2]string{table[i].name, table[i].command().usage})
	}
	var b strings.Builder
	section(&b, "NAME", "brig - "+summary)
	section(&b, "USAGE", "brig [global options] command [command options]")
	section(&b, "VERSION", version)
	section(&b, "DESCRIPTION", description)
	section(&b, "COMMANDS", columns(rows))
	section(&b, "GLOBAL OPTIONS", columns(optionRows(globalFlags())))
	_, err := io.WriteString(c.stdout, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// helpOf prints how to use a command.
func (c *call) helpOf(v *command) error {
	var b strings.Builder
	section(&b, "NAME", "brig "+v.name+" - "+v.usage)
	section(&b, "USAGE", strings.TrimSpace("brig "+v.name+" [command options] "+v.args))
	if v.description != "" {
		section(&b, "DESCRIPTION", v.description)
	}
	section(&b, "OPTIONS", columns(optionRows(v.flags)))
	_, err := io.WriteString(c.stdout, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func section(b *strings.Builder, title, text string) {
	fmt.Fprintf(b, "\n%s:\n", title)
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString("   ")
		}
		b.WriteString(line)
	}
	b.WriteByte('\n')
}

// columns sets what is to the right below each other.
func columns(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = fmt.Sprintf("%-*s  %s", width, r[0], r[1])
	}
	return strings.Join(lines, "\n")
}

// optionRows are the options with what they do, --help too, which all have.
func optionRows(options []option) [][2]string {
	var rows [][2]string
	for _, o := range append(options[:len(options):len(options)], helpOption) {
		names := make([]string, 0, 1+len(o.aliases))
		for _, name := range append([]string{o.name}, o.aliases...) {
			names = append(names, strings.TrimSpace(dashed(name)+" "+o.placeholder()))
		}
		usage := strings.ReplaceAll(o.usage, "`", "")
		if o.initial != "" {
			usage += fmt.Sprintf(" (default: %q)", o.initial)
		}
		rows = append(rows, [2]string{strings.Join(names, ", "), usage})
	}
	return rows
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// placeholder is what stands for the value: that in backquotes, or VALUE or N.
func (o *option) placeholder() string {
	if _, after, ok := strings.Cut(o.usage, "`"); ok {
		name, _, _ := strings.Cut(after, "`")
		return name
	}
	switch o.kind {
	case isToggle:
		return ""
	case isNumber:
		return "N"
	}
	return "VALUE"
}
