package spec

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxDepth bounds the nesting of a config; the spec's own types nest to 7.
const maxDepth = 64

// decoder reads one JSON document into Go values, in one pass. It is stricter
// than encoding/json, which takes keys of any case and the last of several equal
// keys, so that two programs can read two configs from one file; and it looks
// only at the types that the document touches, which is what counts in a process
// that lives for milliseconds.
type decoder struct {
	data     string
	pos      int
	path     []segment
	warnings []string
	ignored  int  // unknown keys, those without a warning of their own too
	own      bool // brig wrote it: see Decode
}

// segment is one step of the JSON pointer to the current value: the key, or in a
// list the index from 1.
type segment struct {
	key   string
	index int
}

func parse(text string) (*specs.Spec, []string, error) {
	s := new(specs.Spec)
	d := decoder{data: text, path: make([]segment, 0, 8)}
	if err := d.document(reflect.ValueOf(s).Elem()); err != nil {
		return nil, nil, err
	}
	return s, d.warnings, nil
}

func (d *decoder) pointer() string {
	p := ""
	for _, s := range d.path {
		if s.index > 0 {
			p = fault.Pointer(p, s.index-1)
		} else {
			p = fault.Pointer(p, shorten(s.key))
		}
	}
	return p
}

// fail reports a fault of the value at hand.
func (d *decoder) fail(format string, args ...any) error {
	return fault.Configf(d.pointer(), format, args...)
}

// syntax reports bytes that are no JSON, by line and column.
func (d *decoder) syntax(format string, args ...any) error {
	seen := d.data[:min(d.pos, len(d.data))]
	line := strings.Count(seen, "\n") + 1
	column := len(seen) - strings.LastIndexByte(seen, '\n')
	e := fault.Configf(d.pointer(), format, args...)
	e.Op = "line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column) + ": " + e.Op
	return e
}

func (d *decoder) document(v reflect.Value) error {
	if d.peek() == 0 && d.pos >= len(d.data) {
		return d.syntax("the config is empty")
	}
	if err := d.value(v); err != nil {
		return err
	}
	if d.peek(); d.pos < len(d.data) {
		return d.syntax("something follows the config")
	}
	if more := d.ignored - len(d.warnings); more > 0 {
		d.warnings = append(d.warnings, strconv.Itoa(more)+" more unknown keys, ignored")
	}
	return nil
}

// peek skips white space and returns the next byte, 0 at the end.
func (d *decoder) peek() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) unexpected(want string) error {
	if d.peek(); d.pos >= len(d.data) {
		return d.syntax("the config ends where %s should be", want)
	}
	r, _ := utf8.DecodeRuneInString(d.data[d.pos:])
	return d.syntax("%q where %s should be", r, want)
}

// literal reads a word if it is the next one.
func (d *decoder) literal(word string) bool {
	if d.peek(); !strings.HasPrefix(d.data[d.pos:], word) {
		return false
	}
	d.pos += len(word)
	return true
}

// value decodes the next value into v, whose zero value stands for null where
// null can mean absence.
func (d *decoder) value(v reflect.Value) error {
	if d.peek() == 'n' {
		return d.null(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem())
	case reflect.Struct:
		if d.own && v.Type() == reflect.TypeFor[time.Time]() {
			return d.time(v)
		}
		return d.structure(v)
	case reflect.Map:
		return d.mapping(v)
	case reflect.Slice:
		if d.own && v.Type().Elem().Kind() == reflect.Uint8 {
			return d.raw(v)
		}
		return d.list(v)
	case reflect.String:
		s, err := d.text()
		if err == nil {
			v.SetString(s)
		}
		return err
	case reflect.Bool:
		return d.boolean(v)
	case reflect.Interface:
		return d.skipInto(v)
	}
	return d.number(v)
}

// null is refused for a number or a name: it must not become user 0.
func (d *decoder) null(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		if d.literal("null") {
			return nil
		}
	default:
		return d.wrongType(kindName(v))
	}
	return d.unexpected("a value")
}

func kindName(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}

func (d *decoder) boolean(v reflect.Value) error {
	switch {
	case d.literal("true"):
		v.SetBool(true)
	case d.literal("false"):
	default:
		return d.wrongType(kindName(v))
	}
	return nil
}

// wrongType tells a value of another type from what is no value.
func (d *decoder) wrongType(want string) error {
	found := ""
	switch c := d.peek(); {
	case c == '"':
		found = "a string"
	case c == '{':
		found = "an object"
	case c == '[':
		found = "a list"
	case c == '-' || c >= '0' && c <= '9':
		found = "a number"
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(d.data[d.pos:], word) {
			found = word
		}
	}
	if found == "" {
		return d.unexpected(want)
	}
	return d.fail("%s where %s should be", found, want)
}

// number reads a whole number in plain digits: no fraction, no exponent, nothing
// that two readers could take for two numbers (CVE-2024-40635).
func (d *decoder) number(v reflect.Value) error {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return d.wrongType(kindName(v))
	}
	text := d.numeral()
	digits := strings.TrimPrefix(text, "-")
	if !isDigits(digits) || len(digits) > 1 && digits[0] == '0' {
		return d.fail("%s is not a whole number in plain digits", shorten(text))
	}
	bits := v.Type().Bits()
	if v.CanInt() {
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			top := int64(1<<(bits-1) - 1)
			return d.fail("%s is not between %d and %d", shorten(text), -top-1, top)
		}
		v.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return d.fail("%s is not between 0 and %d", shorten(text), ^uint64(0)>>(64-bits))
	}
	v.SetUint(n)
	return nil
}

// numeral reads all that could belong to a number.
func (d *decoder) numeral() string {
	start := d.pos
	for d.pos < len(d.data) && strings.IndexByte("+-.eE0123456789", d.data[d.pos]) >= 0 {
		d.pos++
	}
	return d.data[start:d.pos]
}

// list decodes a list. Lists of strings, which are most of a config, do without
// reflection.
func (d *decoder) list(v reflect.Value) error {
	if list, ok := v.Addr().Interface().(*[]string); ok {
		*list = []string{}
		return d.elements(func(int) error {
			s, err := d.text()
			*list = append(*list, s)
			return err
		})
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.elements(func(i int) error {
		v.Grow(1)
		v.SetLen(i + 1)
		return d.value(v.Index(i))
	})
}

func (d *decoder) mapping(v reflect.Value) error {
	if m, ok := v.Addr().Interface().(*map[string]string); ok {
		*m = map[string]string{}
		return d.object(func(key string) error {
			if _, ok := (*m)[key]; ok {
				return d.twice()
			}
			s, err := d.text()
			(*m)[key] = s
			return err
		})
	}
	v.Set(reflect.MakeMap(v.Type()))
	return d.object(func(key string) error {
		k := reflect.ValueOf(key)
		if v.MapIndex(k).IsValid() {
			return d.twice()
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element); err != nil {
			return err
		}
		v.SetMapIndex(k, element)
		return nil
	})
}

func (d *decoder) twice() error { return d.fail("the key is there twice") }

// elements reads the elements of a list; the current path is that of the element.
func (d *decoder) elements(element func(i int) error) error {
	if d.peek() != '[' {
		return d.wrongType("a list")
	}
	return d.items(']', func(i int) error {
		d.path = append(d.path, segment{index: i + 1})
		if err := element(i); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		return nil
	})
}

// object reads the members of an object; the current path is that of the member.
func (d *decoder) object(member func(key string) error) error {
	if d.peek() != '{' {
		return d.wrongType("an object")
	}
	return d.items('}', func(int) error {
		if d.peek() != '"' {
			return d.unexpected("a key")
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.unexpected("':'")
		}
		d.pos++
		d.path = append(d.path, segment{key: key})
		if err := member(key); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		return nil
	})
}

// items reads what stands between brackets, separated by commas. Each level has
// its own step on the path, so the path is as long as the nesting is deep.
func (d *decoder) items(closing byte, item func(i int) error) error {
	if len(d.path) >= maxDepth {
		return d.fail("the config nests deeper than %d levels", maxDepth)
	}
	d.pos++
	for i := 0; i > 0 || d.peek() != closing; i++ {
		if err := item(i); err != nil {
			return err
		}
		if d.peek() == closing {
			break
		}
		if d.peek() != ',' {
			return d.unexpected("',' or '" + string(closing) + "'")
		}
		d.pos++
	}
	d.pos++
	return nil
}
