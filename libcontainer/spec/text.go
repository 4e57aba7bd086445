package spec

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string. NUL is refused everywhere, since every string of a config
// ends up in a C string (runc#3287); other control characters where nothing legal
// can contain them, so that no line-based file or log can be split by one
// (CVE-2022-4318).
func (d *decoder) text() (string, error) {
	if d.peek() != '"' {
		return "", d.wrongType("a string")
	}
	s, control, err := d.quoted()
	if err == nil && (control < 0 || control > 0 && !d.freeText()) {
		err = d.badControl(s)
	}
	return s, err
}

// key reads the key of a member. Keys end up in messages, and none has a control
// character in it.
func (d *decoder) key() (string, error) {
	s, control, err := d.quoted()
	if err == nil && control != 0 {
		err = d.badControl(s)
	}
	return s, err
}

func (d *decoder) badControl(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return d.fail("a NUL byte in a string")
	}
	r, _ := utf8.DecodeRuneInString(s[strings.IndexFunc(s, isControl):])
	return d.fail("the control character %q in a string", r)
}

// quoted reads a string. Without an escape it is a piece of the config, no copy.
// control is 0 if it holds no control character, negative if it holds a NUL.
func (d *decoder) quoted() (s string, control int, err error) {
	d.pos++
	start, plain := d.pos, true
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			s = d.data[start:d.pos]
			if !plain {
				control, err = d.checkText(s)
			}
			d.pos++
			return s, control, err
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", 0, d.syntax("the control character %#02x in a string", c)
		case c >= 0x7f:
			plain = false
		}
		d.pos++
	}
	return "", 0, d.syntax("a string has no end")
}

// escaped reads the rest of a string that has an escape at the current place.
func (d *decoder) escaped(start int) (s string, control int, err error) {
	out := append([]byte(nil), d.data[start:d.pos]...)
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			control, err = d.checkText(string(out))
			d.pos++
			return string(out), control, err
		case c == '\\':
			if out, err = d.escape(out); err != nil {
				return "", 0, err
			}
		case c < ' ':
			return "", 0, d.syntax("the control character %#02x in a string", c)
		default:
			out = append(out, c)
			d.pos++
		}
	}
	return "", 0, d.syntax("a string has no end")
}

func (d *decoder) escape(out []byte) ([]byte, error) {
	d.pos++
	if d.pos >= len(d.data) {
		return nil, d.syntax("a string has no end")
	}
	c := d.data[d.pos]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		d.pos++
		return append(out, "\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return nil, d.syntax("%q is no escape", `\`+string(rune(c)))
	}
	d.pos++
	r, err := d.hex4()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		if !strings.HasPrefix(d.data[d.pos:], `\u`) {
			return nil, d.syntax("half of a surrogate pair")
		}
		d.pos += 2
		low, err := d.hex4()
		if err != nil {
			return nil, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, d.syntax("half of a surrogate pair")
		}
	}
	return utf8.AppendRune(out, r), nil
}

func (d *decoder) hex4() (rune, error) {
	if d.pos+4 > len(d.data) {
		return 0, d.syntax("a string has no end")
	}
	n, err := strconv.ParseUint(d.data[d.pos:d.pos+4], 16, 16)
	if err != nil {
		return 0, d.syntax(`\u without four hexadecimal digits`)
	}
	d.pos += 4
	return rune(n), nil
}

func (d *decoder) checkText(s string) (control int, err error) {
	if !utf8.ValidString(s) {
		return 0, d.syntax("a string is not UTF-8")
	}
	switch {
	case strings.IndexByte(s, 0) >= 0:
		control = -1
	case strings.IndexFunc(s, isControl) >= 0:
		control = 1
	}
	return control, nil
}

// isControl knows the C1 controls too: some terminals take U+009B for ESC [.
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// freeText says that the current value may hold any text: what the payload or a
// hook gets as it is, annotations, and values of kernel files, which are checked
// where their meaning is known.
func (d *decoder) freeText() bool {
	p := d.path
	switch {
	case d.own:
		return true
	case len(p) < 2:
		return false
	case p[0].key == "annotations":
		return true
	case p[0].key == "process":
		return p[1].key == "args" || p[1].key == "env" || p[1].key == "commandLine"
	case p[0].key == "hooks":
		return len(p) > 4 && (p[3].key == "args" || p[3].key == "env")
	case p[0].key == "linux":
		return p[1].key == "sysctl" || len(p) > 3 && p[1].key == "resources" && p[2].key == "unified"
	}
	return false
}

// skip reads over a value that nobody asked for.
func (d *decoder) skip() error {
	switch c := d.peek(); {
	case c == '{':
		var seen nameSet
		return d.object(func(key string) error {
			if _, ok := seen.add(key, 0); !ok {
				return d.twice()
			}
			return d.skip()
		})
	case c == '[':
		return d.elements(func(int) error { return d.skip() })
	case c == '"':
		_, err := d.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		if text := d.numeral(); !isNumber(text) {
			return d.fail("%s is no number", shorten(text))
		}
		return nil
	case d.literal("true"), d.literal("false"), d.literal("null"):
		return nil
	}
	return d.unexpected("a value")
}

// isNumber checks the grammar of a number in JSON.
func isNumber(text string) bool {
	whole, exponent, hasExponent := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	if hasExponent {
		if exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
			exponent = exponent[1:]
		}
		if !isDigits(exponent) {
			return false
		}
	}
	whole, fraction, hasFraction := strings.Cut(whole, ".")
	if hasFraction && !isDigits(fraction) {
		return false
	}
	return isDigits(whole) && (len(whole) == 1 || whole[0] != '0')
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// skipInto reads over a value of a type that the spec leaves open; that it was
// there is all that brig wants to know.
func (d *decoder) skipInto(v reflect.Value) error {
	if err := d.skip(); err != nil {
		return err
	}
	v.Set(reflect.ValueOf(true))
	return nil
}

// shorten keeps a message readable, whatever the config holds.
func shorten(s string) string {
	const most = 128
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
