package main

import (
	"flag"

	"github.com/urfave/cli/v2"
)

// cli takes the names of a flag apart with a regular expression each time that it
// looks at one, some hundred times in a start: these flags know theirs.

type stringFlag struct {
	cli.StringFlag
	names []string
}

type boolFlag struct {
	cli.BoolFlag
	names []string
}

type intFlag struct {
	cli.IntFlag
	names []string
}

// Names returns the name and the aliases.
func (f *stringFlag) Names() []string { return f.names }

// Names returns the name and the aliases.
func (f *boolFlag) Names() []string { return f.names }

// Names returns the name and the aliases.
func (f *intFlag) Names() []string { return f.names }

// Apply registers the flag under all its names.
func (f *stringFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.names {
		set.String(name, f.Value, f.Usage)
	}
	return nil
}

// Apply registers the flag under all its names.
func (f *boolFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.names {
		set.Bool(name, f.Value, f.Usage)
	}
	return nil
}

// Apply registers the flag under all its names.
func (f *intFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.names {
		set.Int(name, f.Value, f.Usage)
	}
	return nil
}

// many is the value of a flag that may be given several times.
type many []string

// String is what cli prints as the default.
func (l *many) String() string { return "" }

// Set adds a value.
func (l *many) Set(value string) error {
	*l = append(*l, value)
	return nil
}

type listFlag struct {
	cli.GenericFlag
	names []string
}

// Names returns the name alone: cli allows only one form of a flag that has more,
// and these may be given in both.
func (f *listFlag) Names() []string { return f.names[:1] }

// String is the flag's line of the help, with all its names.
func (f *listFlag) String() string { return cli.FlagStringer(&f.GenericFlag) }

// Apply registers the flag under all its names.
func (f *listFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.names {
		set.Var(f.Value, name, f.Usage)
	}
	return nil
}

// texts is a flag that may be given several times; values reads it.
func texts(name, usage string, aliases ...string) cli.Flag {
	return &listFlag{cli.GenericFlag{Name: name, Aliases: aliases, Value: &many{}, Usage: usage}, append([]string{name}, aliases...)}
}

func values(c *cli.Context, name string) []string {
	l, ok := c.Generic(name).(*many)
	if !ok {
		return nil
	}
	return *l
}

// text is a flag with a value.
func text(name, value, usage string, aliases ...string) cli.Flag {
	return &stringFlag{cli.StringFlag{Name: name, Aliases: aliases, Value: value, Usage: usage}, append([]string{name}, aliases...)}
}

// toggle is a flag without a value.
func toggle(name, usage string, aliases ...string) cli.Flag {
	return &boolFlag{cli.BoolFlag{Name: name, Aliases: aliases, Usage: usage}, append([]string{name}, aliases...)}
}

// number is a flag whose value is a whole number.
func number(name string, value int, usage string, aliases ...string) cli.Flag {
	return &intFlag{cli.IntFlag{Name: name, Aliases: aliases, Value: value, Usage: usage}, append([]string{name}, aliases...)}
}
