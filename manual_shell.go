//go:build manual

package main

import (
	"fmt"
	"strings"
)

// signals are what kill is mostly asked for; others can be typed.
const signals = "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP WINCH"

// bash is the completion for bash, without a need for the package bash-completion.
func (m *manual) bash() string {
	var b strings.Builder
	b.WriteString(bashHead)
	fmt.Fprintf(&b, "\t%s) return 0 ;;\n", strings.Join(m.valued(), " | "))
	b.WriteString(bashParse)
	fmt.Fprintf(&b, "\tcommands='%s'\n\tglobals='%s'\n", strings.Join(m.names(), " "), spellings(m.globals))
	b.WriteString("\tcase $command in\n")
	for _, v := range m.verbs {
		fmt.Fprintf(&b, "\t%s) options='%s' ;;\n", v.name, spellings(v.options))
	}
	b.WriteString("\tesac\n\tcase $command:$previous in\n")
	b.WriteString(m.bashValues())
	b.WriteString(bashArguments)
	var old, runs []string
	for _, v := range m.verbs {
		if v.takesOldID() {
			old = append(old, v.name+":0")
		}
		if v.runsCommand() {
			runs = append(runs, v.name+":*")
		}
	}
	fmt.Fprintf(&b, "\t%s) _brig_words \"$(_brig_ids)\" ;;\n", strings.Join(old, " | "))
	fmt.Fprintf(&b, "\tkill:1) _brig_words '%s' ;;\n", signals)
	fmt.Fprintf(&b, "\t%s) _brig_files -f ;;\n", strings.Join(runs, " | "))
	b.WriteString("\tesac\n}\n\ncomplete -F _brig brig\n")
	return b.String()
}

const bashHead = `# bash completion for brig; written by make completions

# _brig_ids lists the containers of the root that the line names.
_brig_ids() {
	"${COMP_WORDS[0]}" ${root:+--root "$root"} list -q 2>/dev/null
}

_brig_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_brig_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
}

# _brig_valued says whether an option (COMMAND:OPTION) takes a value.
_brig_valued() {
	case $1 in
`

const bashParse = `	esac
	return 1
}

_brig() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' root='' options='' commands globals word i arguments=0
	COMPREPLY=()
	# bash takes an = for a word of its own.
	if [[ $current == '=' ]]; then
		current=''
	elif [[ $previous == '=' ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == -* && $arguments == 0 ]]; then
			if _brig_valued "$command:$word"; then
				[[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i++))
				((i++))
				[[ $command == '' && $word == -*root && $i -lt $COMP_CWORD ]] && root=${COMP_WORDS[i]}
			fi
		elif [[ $command == '' ]]; then
			command=$word
		else
			((arguments++))
		fi
	done
	[[ $arguments == 0 ]] || previous=''
`

const bashArguments = `	esac
	if [[ $command == '' ]]; then
		if [[ $current == -* ]]; then _brig_words "$globals"; else _brig_words "$commands"; fi
		return
	fi
	if [[ $current == -* && $arguments == 0 ]]; then
		_brig_words "$options"
		return
	fi
	case $command:$arguments in
`

// bashValues completes the value of an option.
func (m *manual) bashValues() string {
	var b strings.Builder
	m.eachValued(func(verb string, o entry) {
		action := ""
		switch {
		case len(o.choice) > 0:
			action = "_brig_words '" + strings.Join(o.choice, " ") + "'; "
		case o.value == "DIR":
			action = "_brig_files -d; "
		case o.value == "FILE":
			action = "_brig_files -f; "
		}
		fmt.Fprintf(&b, "\t%s) %sreturn ;;\n", strings.Join(patterns(verb, o), " | "), action)
	})
	return b.String()
}

func (m *manual) eachValued(visit func(verb string, o entry)) {
	for _, o := range m.globals {
		if o.value != "" {
			visit("", o)
		}
	}
	for _, v := range m.verbs {
		for _, o := range v.options {
			if o.value != "" {
				visit(v.name, o)
			}
		}
	}
}

// valued are the options that take a value, as COMMAND:OPTION.
func (m *manual) valued() []string {
	var list []string
	m.eachValued(func(verb string, o entry) { list = append(list, patterns(verb, o)...) })
	return list
}

// patterns are the ways to write an option: one dash is as good as two.
func patterns(verb string, o entry) []string {
	var list []string
	for _, n := range o.names {
		bare := strings.TrimLeft(n, "-")
		list = append(list, verb+":-"+bare, verb+":--"+bare)
	}
	return list
}

func (m *manual) names() []string {
	var list []string
	for _, v := range m.verbs {
		list = append(list, v.name)
	}
	return list
}

func spellings(list []entry) string {
	var words []string
	for _, o := range list {
		words = append(words, o.names...)
	}
	return strings.Join(words, " ")
}

// zsh is the completion for zsh.
func (m *manual) zsh() string {
	var b strings.Builder
	b.WriteString(zshHead)
	for _, v := range m.verbs {
		fmt.Fprintf(&b, "\t\t%s\n", single(v.name+":"+v.usage))
	}
	b.WriteString("\t)\n\t_arguments -C -S \\\n")
	for _, o := range m.globals {
		fmt.Fprintf(&b, "\t\t%s \\\n", zshOption(o))
	}
	b.WriteString(zshBody)
	for _, v := range m.verbs {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments -S", v.name)
		for _, o := range v.options {
			fmt.Fprintf(&b, " \\\n\t\t\t%s", zshOption(o))
		}
		if v.takesOldID() {
			b.WriteString(" \\\n\t\t\t'1:container:_brig_ids'")
		} else if strings.HasPrefix(v.args, "ID") || strings.HasPrefix(v.args, "[ID") {
			b.WriteString(" \\\n\t\t\t'1:new ID: '")
		}
		if v.name == "kill" {
			fmt.Fprintf(&b, " \\\n\t\t\t'2:signal:(%s)'", signals)
		}
		if v.runsCommand() {
			b.WriteString(" \\\n\t\t\t'*::command:_normal'")
		}
		b.WriteString("\n\t\t;;\n")
	}
	b.WriteString("\tesac\n}\n\n_brig \"$@\"\n")
	return b.String()
}

const zshHead = `#compdef brig
# zsh completion for brig; written by make completions

_brig_ids() {
	local -a ids
	ids=(${(f)"$(_call_program containers brig ${brig_root:+--root=$brig_root} list -q 2>/dev/null)"})
	compadd -a ids
}

_brig() {
	local curcontext=$curcontext state line brig_root
	local -A opt_args
	local -a commands
	commands=(
`

const zshBody = `		'1:command:->command' \
		'*::arguments:->arguments'
	brig_root=${opt_args[--root]}
	case $state in
	command)
		_describe command commands
		return
		;;
	arguments)
		;;
	*)
		return
		;;
	esac
	curcontext=${curcontext%:*:*}:brig-$words[1]:
	case $words[1] in
`

// zshOption is one argument of _arguments.
func zshOption(o entry) string {
	text := strings.NewReplacer("[", `\[`, "]", `\]`).Replace(o.usage)
	action, equals := "", ""
	if o.value != "" {
		equals = "="
		action = ":" + strings.ReplaceAll(o.value, ":", `\:`) + ":"
		switch {
		case len(o.choice) > 0:
			action += "(" + strings.Join(o.choice, " ") + ")"
		case o.value == "DIR":
			action += "_files -/"
		case o.value == "FILE":
			action += "_files"
		default:
			action += " "
		}
	}
	spec := func(name string) string {
		e := equals
		if e != "" && len(name) == 2 {
			e = "+"
		}
		star := ""
		if o.many {
			star = "*"
		}
		return single(star + name + e + "[" + text + "]" + action)
	}
	exclusive := ""
	if !o.many {
		exclusive = single("(" + strings.Join(o.names, " ") + ")")
	}
	var list []string
	for _, n := range o.names {
		list = append(list, exclusive+spec(n))
	}
	return strings.Join(list, " ")
}

// single quotes for a shell.
func single(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// fish is the completion for fish.
func (m *manual) fish() string {
	var b strings.Builder
	b.WriteString(fishHead)
	for _, v := range m.verbs {
		fmt.Fprintf(&b, "complete -c brig -n __fish_use_subcommand -a %s -d %s\n", v.name, fishQuote(v.usage))
	}
	for _, o := range m.globals {
		b.WriteString(fishOption("__fish_use_subcommand", o))
	}
	for _, v := range m.verbs {
		seen := "__fish_seen_subcommand_from " + v.name
		for _, o := range v.options {
			b.WriteString(fishOption(seen, o))
		}
		if v.takesOldID() {
			fmt.Fprintf(&b, "complete -c brig -n %s -a '(__brig_ids)'\n", fishQuote(seen))
		}
		if v.name == "kill" {
			fmt.Fprintf(&b, "complete -c brig -n %s -a %s\n", fishQuote(seen), fishQuote(signals))
		}
		if v.runsCommand() {
			fmt.Fprintf(&b, "complete -c brig -n %s -F\n", fishQuote(seen))
		}
	}
	return b.String()
}

const fishHead = `# fish completion for brig; written by make completions

function __brig_ids
	set -l words (commandline -opc)
	set -l root
	for i in (seq 2 (count $words))
		switch $words[$i]
			case --root -root
				test $i -lt (count $words); and set root --root $words[(math $i + 1)]
			case '--root=*' '-root=*'
				set root $words[$i]
		end
	end
	$words[1] $root list -q 2>/dev/null
end

complete -c brig -f
`

func fishOption(condition string, o entry) string {
	line := "complete -c brig -n " + fishQuote(condition)
	for _, n := range o.names {
		bare := strings.TrimLeft(n, "-")
		if len(bare) == 1 {
			line += " -s " + bare
		} else {
			line += " -l " + bare
		}
	}
	switch {
	case len(o.choice) > 0:
		line += " -x -a " + fishQuote(strings.Join(o.choice, " "))
	case o.value == "DIR":
		line += " -x -a '(__fish_complete_directories)'"
	case o.value == "FILE":
		line += " -r -F"
	case o.value != "":
		line += " -x"
	}
	return line + " -d " + fishQuote(o.usage) + "\n"
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
