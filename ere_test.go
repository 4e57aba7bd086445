package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct{ pattern, yes, no string }{
		{"", "a ab", ""},
		{"b", "b abc", "a B"},
		{"^b", "b bc", "ab"},
		{"b$", "b ab", "bc"},
		{"^a.c$", "abc a-c", "ac abbc"},
		{"^a*$", "a aaa", "b ab"},
		{"^a+b?$", "a aab", "b abb"},
		{"^(ab|c)+$", "ab c abc cab", "a b abb"},
		{"^(a||b)$", "a b", "c ab"},
		{"^(a|b|cd|)x$", "ax bx cdx x", "cx abx"},
		{"^a{2}$", "aa", "a aaa"},
		{"^a{2,}$", "aa aaaa", "a"},
		{"^a{1,3}$", "a aaa", "aaaa b"},
		{"^(ab?){2,3}c$", "aac ababc aabac", "ac aaaac"},
		{"^a{0}b$", "b", "ab"},
		{"^(a*)*b$", "b aab", "a"},
		{"^(a|aa){1000}$", strings.Repeat("a", 1000) + " " + strings.Repeat("a", 2000), strings.Repeat("a", 999)},
		{"a{,2}", "a{,2}", "a aa"},
		{"a{x", "a{x", "a"},
		{"^[a-c_]+$", "abc a_", "d"},
		{"^[^a-c]$", "d -", "a"},
		{"^[]a]$", "a ]", "b"},
		{"^[^]a]$", "b", "a ]"},
		{"^[-a]$", "- a", "b"},
		{"^[a-]$", "- a", "b"},
		{"^[[:digit:][:upper:].]+$", "1A.", "a"},
		{"^[[:alnum:]]+[[:punct:]][[:lower:][:xdigit:]]$", "aB9-z x+F", "ab a-G"},
		{`^a\.b\+$`, "a.b+", "aXb+ a.bb"},
		{`^[\]\-x]$`, "] - x", "a"},
		{"^a$|^b$", "a b", "ab"},
		{"a^b", "", "ab a^b"},
	} {
		p, err := compile(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		for _, id := range strings.Fields(c.yes) {
			if !p.matches(id) {
				t.Errorf("%q does not match %q", c.pattern, id)
			}
		}
		for _, id := range strings.Fields(c.no) {
			if p.matches(id) {
				t.Errorf("%q matches %q", c.pattern, id)
			}
		}
	}
}

func TestPatternRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"(":                         "at character 2: there is a ( without a )",
		"(a|b":                      "at character 5: there is a ( without a )",
		"a)":                        "at character 2: there is a ) without a (",
		"*a":                        "at character 1: there is nothing to repeat",
		"(+)":                       "at character 2: there is nothing to repeat",
		"a|?":                       "at character 3: there is nothing to repeat",
		"{2}":                       "at character 1: there is nothing to repeat",
		"a{1001}":                   "at character 2: {1001} is no number of times up to 1000",
		"a{3,2}":                    "at character 2: {3,2} is no number of times up to 1000",
		"a{99999999999999999999}":   "at character 2: {99999999999999999999} is no number of times up to 1000",
		"((a{1000}){1000}":          "at character 17: it is too long",
		strings.Repeat("a|", 1<<15): "at character 10926: it is too long",
		strings.Repeat("ab", 1<<15): "at character 16386: it is too long",
		strings.Repeat("(", 1<<16):  "at character 102: it nests deeper than 100",
		"[a":                        "at character 3: there is a [ without a ]",
		"[]":                        "at character 3: there is a [ without a ]",
		"[a-":                       "at character 4: there is a [ without a ]",
		"[c-a]":                     "at character 5: c-a goes backwards",
		"[a-c-e]":                   "at character 5: a - in a set stands first, last or between two characters",
		"[[:word:]]":                "at character 2: there is no class [:word:]",
		`a\d`:                       "at character 3: there is no special character for the backslash before",
		`a\`:                        "at character 3: there is no special character for the backslash before",
		`[\`:                        "at character 3: there is no special character for the backslash before",
		"é":                         "at character 1: no ID has other characters than those of ASCII",
		"[é]":                       "at character 2: no ID has other characters than those of ASCII",
		"(?i)a":                     "at character 2: there is nothing to repeat",
	} {
		if p, err := compile(text); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %d states, %v", text, len(p), err)
		}
	}
}

// FuzzPattern compares with package regexp, where both take a pattern.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"^a(b|c)*d{2,3}[^x-z]$", "abcbdd-"}, {`[[:alpha:]]+\.x?|y`, "a.x"}, {"(a*)+|(b?){3}", "ab"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		p, err := compile(text)
		// regexp takes {00} for characters.
		if err != nil || regexp.MustCompile(`[{,]0[0-9]`).MatchString(text) || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+-.") != "" {
			return
		}
		other, err := regexp.CompilePOSIX(text)
		if err != nil {
			return // more than 1000 in intervals that are nested, for one
		}
		if got, want := p.matches(id), other.MatchString(id); got != want {
			t.Errorf("%q and %q: %v, and %v by regexp", text, id, got, want)
		}
	})
}
