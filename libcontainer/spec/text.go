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
		return "", d.wrongType(reflect.ValueOf(""))
	}
	d.pos++
	start := d.pos
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			s := string(d.data[start:d.pos])
			d.pos++
			return s, d.checkText(s)
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", d.syntax("the control character %#02x in a string", c)
		}
		d.pos++
	}
	return "", d.syntax("a string has no end")
}

// escaped reads the rest of a string that has an escape at the current place.
func (d *decoder) escaped(start int) (string, error) {
	out := append([]byte(nil), d.data[start:d.pos]...)
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			d.pos++
			return string(out), d.checkText(string(out))
		case c == '\\':
			var err error
			if out, err = d.escape(out); err != nil {
				return "", err
			}
		case c < ' ':
			return "", d.syntax("the control character %#02x in a string", c)
		default:
			out = append(out, c)
			d.pos++
		}
	}
	return "", d.syntax("a string has no end")
}

func (d *decoder) escape(out []byte) ([]byte, error) {
	d.pos++
	if d.pos >= len(d.data) {
		return nil, d.syntax("a string has no end")
	}
	c := d.data[d.pos]
	d.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		d.pos--
		return nil, d.syntax(`\%c is no escape`, c)
	}
	r, err := d.hex4()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		if !strings.HasPrefix(string(d.data[d.pos:min(len(d.data), d.pos+2)]), `\u`) {
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
	n, err := strconv.ParseUint(string(d.data[d.pos:d.pos+4]), 16, 16)
	if err != nil {
		return 0, d.syntax(`\u without four hexadecimal digits`)
	}
	d.pos += 4
	return rune(n), nil
}

func (d *decoder) checkText(s string) error {
	ascii := true
	control := byte(0)
	for i := range len(s) {
		c := s[i]
		if c == 0 {
			return d.fail("a NUL byte in a string")
		}
		if c < ' ' || c == 0x7f {
			control = c
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(s) {
		return d.fail("a string is not UTF-8")
	}
	if control != 0 && !d.freeText() {
		return d.fail("the control character %#02x in a string", control)
	}
	return nil
}

// freeText says that the current value may hold any text: what the payload or a
// hook gets as it is, annotations, and values of kernel files, which brig checks.
func (d *decoder) freeText() bool {
	for _, s := range d.path {
		switch s.key {
		case "args", "env", "annotations", "unified", "sysctl", "commandLine":
			return true
		}
	}
	return false
}

// skip reads over a value that nobody asked for.
func (d *decoder) skip() error {
	switch c := d.peek(); {
	case c == '{':
		return d.object(reflect.ValueOf(struct{}{}), func(string) error { return d.skip() })
	case c == '[':
		var list []skipped
		return d.list(reflect.ValueOf(&list).Elem())
	case c == '"':
		_, err := d.text()
		return err
	case c == 't' && d.literal("true"), c == 'f' && d.literal("false"), c == 'n' && d.literal("null"):
		return nil
	case c == '-' || c >= '0' && c <= '9':
		return d.skipNumber()
	}
	return d.unexpected("a value")
}

// skipped is the element type of a list that is skipped.
type skipped struct{}

var skippedType = reflect.TypeFor[skipped]()

func (d *decoder) skipNumber() error {
	start := d.pos
	for d.pos < len(d.data) && strings.IndexByte("+-.eE0123456789", d.data[d.pos]) >= 0 {
		d.pos++
	}
	text := string(d.data[start:d.pos])
	if _, err := strconv.ParseFloat(text, 64); err != nil || !jsonNumber(text) {
		return d.fail("%s is no number", text)
	}
	return nil
}

// jsonNumber checks the grammar, which is narrower than that of ParseFloat.
func jsonNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	if hasExponent && !digits(strings.TrimLeft(exponent[:min(1, len(exponent))], "+-")+exponent[min(1, len(exponent)):]) {
		return false
	}
	whole, fraction, hasFraction := strings.Cut(whole, ".")
	if hasFraction && !digits(fraction) {
		return false
	}
	return digits(whole) && (len(whole) == 1 || whole[0] != '0')
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// skipInto reads over a value of a type that the spec leaves open; that it was
// there is all that brig wants to know.
func (d *decoder) skipInto(v reflect.Value) error {
	if err := d.skip(); err != nil {
		return err
	}
	v.Set(reflect.ValueOf(true))
	return nil
}
