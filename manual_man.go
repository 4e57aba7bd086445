//go:build manual

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// mainPage is brig(8).
func (m *manual) mainPage() string {
	b := page("brig", "minimal, hardened OCI container runtime")
	b.section("SYNOPSIS")
	b.line(`.B brig`)
	b.line(`.RI [ "global options" ]`)
	b.line(`.I command`)
	b.line(`.RI [ options ]`)
	b.line(`.RI [ arguments ]`)
	b.section("DESCRIPTION")
	b.prose(description)
	b.line(".PP")
	b.text("Each option may be written with one dash or two. Options stand before the arguments.")
	b.section("COMMANDS")
	for _, v := range m.verbs {
		b.line(".TP")
		b.line(fmt.Sprintf(`.BR brig\-%s (8)`, roff(v.name)))
		b.text(sentence(v.usage))
	}
	b.section("GLOBAL OPTIONS")
	b.options(m.globals)
	b.section("EXIT STATUS")
	for _, s := range [...][2]string{
		{"0", "Done."},
		{"1", "An error. Its one line is the last on stderr."},
		{"the payload's", "Of run and exec: 128 and the number of the signal if one killed it. exec has 255 for an error of its own."},
	} {
		b.line(".TP")
		b.line(".B " + roff(s[0]))
		b.text(s[1])
	}
	b.section("FILES")
	b.line(".TP")
	b.line(".I /run/brig/ID")
	b.line("State and journal of a container of root.")
	b.line(".TP")
	b.line(".I BUNDLE/config.json")
	b.line("The config, as the OCI runtime specification " + specVersion + " describes it.")
	b.section("SEE ALSO")
	for i, v := range m.verbs {
		end := ","
		if i == len(m.verbs)-1 {
			end = ""
		}
		b.line(fmt.Sprintf(`.BR brig\-%s (8)%s`, roff(v.name), end))
	}
	return b.String()
}

// verbPage is brig-VERB(8).
func (m *manual) verbPage(v verb) string {
	b := page("brig-"+v.name, v.usage)
	b.section("SYNOPSIS")
	b.line(".B brig " + roff(v.name))
	b.line(`.RI [ options ]`)
	if v.args != "" {
		b.line(".I " + roff(v.args))
	}
	b.section("DESCRIPTION")
	b.prose(sentence(v.usage))
	if v.description != "" {
		b.line(".PP")
		b.prose(v.description)
	}
	b.section("OPTIONS")
	b.options(v.options)
	b.section("SEE ALSO")
	b.line(".BR brig (8)")
	return b.String()
}

// roffPage writes in the man macros.
type roffPage struct{ strings.Builder }

func page(name, what string) *roffPage {
	b := &roffPage{}
	b.line(fmt.Sprintf(`.TH %s 8 "%s" "brig %s" "System Administration"`, strings.ToUpper(roff(name)), date(), roff(version)))
	b.section("NAME")
	b.line(roff(name) + ` \- ` + roff(what))
	return b
}

// date is that of the sources, so that the pages are the same whenever they are
// built (https://reproducible-builds.org/specs/source-date-epoch/).
func date() string {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format("2006-01-02")
}

func (b *roffPage) line(text string) { b.WriteString(text + "\n") }

// text fills lines that nobody has to scroll to read in the source.
func (b *roffPage) text(text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > 72 {
			b.line(roff(line))
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	b.line(roff(line))
}

func (b *roffPage) section(title string) { b.line(".SH " + title) }

// prose sets paragraphs; indented lines stay as they are.
func (b *roffPage) prose(text string) {
	example := false
	for _, l := range strings.Split(text, "\n") {
		indented := strings.HasPrefix(l, "  ")
		if l == "" {
			continue
		}
		if indented && !example {
			b.line(".PP\n.nf\n.RS")
		}
		if !indented && example {
			b.line(".RE\n.fi\n.PP")
		}
		example = indented
		if indented {
			b.line(roff(strings.TrimPrefix(l, "  ")))
		} else {
			b.text(l)
		}
	}
	if example {
		b.line(".RE\n.fi")
	}
}

func (b *roffPage) options(list []entry) {
	for _, o := range list {
		names := make([]string, len(o.names))
		for i, n := range o.names {
			names[i] = `\fB` + roff(n) + `\fR`
		}
		head := strings.Join(names, ", ")
		if o.value != "" {
			head += ` \fI` + roff(o.value) + `\fR`
		}
		text := sentence(o.usage)
		if o.many {
			text += " May be given several times."
		}
		if o.initial != "" {
			text += " Default: " + o.initial + "."
		}
		b.line(".TP\n" + head)
		b.text(text)
	}
}

// sentence begins with a capital and ends with a full stop, but for names.
func sentence(text string) string {
	if first := text[:1]; strings.ToLower(first) == first && !strings.HasPrefix(text, "brig") {
		text = strings.ToUpper(first) + text[1:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// roff keeps text from being taken for requests and hyphens for dashes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
