package spec

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"brig/libcontainer/fault"
)

// quoted reads a string. Without escapes it is a piece of the text, not a copy.
// It says whether the string holds a control character.
func (d *decoder) quoted() (s string, control bool, f *fault.Error) {
	start, ascii := d.pos+1, true
	for i := start; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			d.pos = i + 1
			s = d.text[start:i]
			if !ascii {
				control, f = d.checkUnicode(s, start)
			}
			return s, control || strings.IndexByte(s, 0x7f) >= 0, f
		case c == '\\':
			return d.escaped(start, i)
		case c < ' ':
			d.pos = i
			return "", false, d.syntax("a control character in a string is not escaped")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	d.pos = len(d.text)
	return "", false, d.syntax("a string has no end")
}

// escaped reads the rest of a string from its first escape on.
func (d *decoder) escaped(start, i int) (s string, control bool, f *fault.Error) {
	buf := append(make([]byte, 0, i-start+32), d.text[start:i]...)
	for i < len(d.text) {
		switch c := d.text[i]; {
		case c == '"':
			d.pos = i + 1
			control, f = d.checkUnicode(string(buf), start)
			return string(buf), control, f
		case c < ' ':
			d.pos = i
			return "", false, d.syntax("a control character in a string is not escaped")
		case c != '\\':
			buf = append(buf, c)
			i++
		default:
			r, size := unescape(d.text[i:])
			if size == 0 {
				d.pos = i
				return "", false, d.syntax("a string holds an escape that JSON does not know, or half of a surrogate pair")
			}
			buf = utf8.AppendRune(buf, r)
			i += size
		}
	}
	d.pos = len(d.text)
	return "", false, d.syntax("a string has no end")
}

// unescape reads the escape at the beginning of s; size 0 says that it is none.
func unescape(s string) (r rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unescapeUnit(s)
	}
	return 0, 0
}

// unescapeUnit reads \uXXXX, or two of them that are a surrogate pair. One half
// alone has no meaning: encoding/json would make another character of it.
func unescapeUnit(s string) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(s[6:]); ok {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 12
		}
	}
	return 0, 0
}

// hex4 reads the digits of a \uXXXX.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// checkUnicode refuses bytes that are not UTF-8 and looks for control characters.
func (d *decoder) checkUnicode(s string, at int) (control bool, f *fault.Error) {
	if !utf8.ValidString(s) {
		d.pos = at
		return false, d.syntax("a string is not UTF-8")
	}
	return strings.ContainsFunc(s, isControl), nil
}

// isControl counts the C1 controls too: a terminal takes U+009B for ESC [.
func isControl(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0
}

// controls refuses control characters where they have no place. NUL has none
// anywhere: the kernel would see a shorter string than the checks did. Others are
// legal in what the payload gets as it is; elsewhere they could only write a
// second line into a log, a file or a D-Bus message.
func (d *decoder) controls(s string, at int) *fault.Error {
	d.pos = at
	if strings.IndexByte(s, 0) >= 0 {
		return d.fault("the string holds a NUL")
	}
	if d.controlsAllowed() {
		return nil
	}
	if len(d.path) > 1 && d.path[0].key == "linux" && d.path[1].key == "sysctl" &&
		!strings.ContainsFunc(s, func(r rune) bool { return isControl(r) && r != '\t' }) {
		return nil // lists of numbers, as in tcp_rmem, are separated by tabs
	}
	return d.fault("the string holds a control character: %q", shorten(s))
}

// controlsAllowed says whether the value being read may hold control characters.
func (d *decoder) controlsAllowed() bool {
	p := d.path
	switch p[0].key {
	case "annotations":
		return true
	case "process":
		return len(p) > 2 && (p[1].key == "args" || p[1].key == "env")
	case "hooks":
		return len(p) > 4 && (p[3].key == "args" || p[3].key == "env")
	case "linux":
		// A value of unified is lines, one write each.
		return len(p) > 3 && p[1].key == "resources" && p[2].key == "unified"
	}
	return false
}
