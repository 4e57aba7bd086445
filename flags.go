package main

import (
	"flag"
	"io"
)

// kind is what a flag has for a value.
type kind int

const (
	isToggle kind = iota
	isText
	isNumber
	isList
)

// option is a flag of the command table.
type option struct {
	kind    kind
	name    string
	aliases []string
	usage   string // what stands for the value is in backquotes
	initial string // of text
}

// text is a flag with a value.
func text(name, initial, usage string, aliases ...string) option {
	return option{isText, name, aliases, usage, initial}
}

// toggle is a flag without a value.
func toggle(name, usage string, aliases ...string) option {
	return option{isToggle, name, aliases, usage, ""}
}

// number is a flag whose value is a whole number, 0 without it.
func number(name, usage string, aliases ...string) option {
	return option{isNumber, name, aliases, usage, ""}
}

// texts is a flag that may be given several times.
func texts(name, usage string, aliases ...string) option {
	return option{isList, name, aliases, usage, ""}
}

// helpOption is one of brig and of every command.
var helpOption = option{name: "help", aliases: []string{"h"}, usage: "show help"}

// setting is what a command line says of an option.
type setting struct {
	option *option
	text   string
	on     bool
	number int
	list   []string
}

// parse takes the flags from the front of a command line, as the flag package reads
// them: with one dash or two, for go-runc writes -no-subreaper.
func (c *call) parse(args []string, options []option) ([]string, error) {
	options = append(options[:len(options):len(options)], helpOption)
	set := flag.NewFlagSet("brig", flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are printed once, by report
	set.Usage = func() {}
	settings := make([]setting, len(options))
	for i := range options {
		settings[i].option = &options[i]
		settings[i].register(set, options[i].name)
		for _, alias := range options[i].aliases {
			settings[i].register(set, alias)
		}
	}
	c.settings = append(c.settings, settings)
	err := set.Parse(args)
	return set.Args(), err
}

// register has a set know the option by a name; what it says by any name is one setting.
func (s *setting) register(set *flag.FlagSet, name string) {
	switch s.option.kind {
	case isToggle:
		set.BoolVar(&s.on, name, false, "")
	case isText:
		set.StringVar(&s.text, name, s.option.initial, "")
	case isNumber:
		set.IntVar(&s.number, name, 0, "")
	case isList:
		set.Func(name, "", func(value string) error {
			s.list = append(s.list, value)
			return nil
		})
	}
}
