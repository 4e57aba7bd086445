package spec

import (
	"math"
	"reflect"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

// maxDepth bounds the nesting of a config; the spec's own types nest to 7.
const maxDepth = 64

// decoder reads one JSON document into Go values, in one pass. It is stricter
// than encoding/json, which takes keys of any case and the last of several equal
// keys, so that two programs can read two configs from one file; and it looks
// only at the types that the document touches, which is what counts in a process
// that lives for milliseconds.
type decoder struct {
	data     []byte
	pos      int
	depth    int
	path     []segment
	warnings []string
	types    []structType
}

// segment is one step of the JSON pointer to the current value.
type segment struct {
	key   string
	index int // used when key is ""; a key "" has index -1
}

// structType is what the decoder needs of a struct type that it has met.
type structType struct {
	typ    reflect.Type
	fields []structField
}

type structField struct {
	name  string
	index []int
}

func (d *decoder) pointer() string {
	p := ""
	for _, s := range d.path {
		if s.key != "" || s.index < 0 {
			p = fault.Pointer(p, s.key)
		} else {
			p = fault.Pointer(p, s.index)
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
	line := 1
	column := 1
	for _, c := range seen {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
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

func (d *decoder) expect(c byte) error {
	if got := d.peek(); got != c {
		return d.unexpected(strconv.QuoteRune(rune(c)))
	}
	d.pos++
	return nil
}

func (d *decoder) unexpected(want string) error {
	if d.peek(); d.pos >= len(d.data) {
		return d.syntax("the config ends where %s should be", want)
	}
	return d.syntax("%q where %s should be", d.data[d.pos], want)
}

// literal reads a word if it is the next one.
func (d *decoder) literal(word string) bool {
	if d.peek(); !strings.HasPrefix(string(d.data[d.pos:min(len(d.data), d.pos+len(word))]), word) {
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
	if v.Type() == skippedType {
		return d.skip()
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem())
	case reflect.Struct:
		fields := d.fields(v.Type())
		seen := uint64(0)
		return d.object(v, func(key string) error { return d.field(v, fields, &seen, key) })
	case reflect.Map:
		return d.mapping(v)
	case reflect.Slice:
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

func (d *decoder) null(v reflect.Value) error {
	if !d.literal("null") {
		return d.unexpected("a value")
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return nil
	}
	return d.fail("null where %s should be", kindName(v))
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
		return d.wrongType(v)
	}
	return nil
}

// wrongType tells a value of another type from what is no value.
func (d *decoder) wrongType(v reflect.Value) error {
	switch c := d.peek(); {
	case c == '"', c == '{', c == '[', c == '-', c >= '0' && c <= '9', c == 't', c == 'f':
		return d.fail("%s should be here", kindName(v))
	}
	return d.unexpected(kindName(v))
}

// number reads a whole number in plain digits: no fraction, no exponent, nothing
// that two readers could take for two numbers (CVE-2024-40635).
func (d *decoder) number(v reflect.Value) error {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return d.wrongType(v)
	}
	start := d.pos
	for d.pos < len(d.data) && strings.IndexByte("+-.eE0123456789", d.data[d.pos]) >= 0 {
		d.pos++
	}
	text := string(d.data[start:d.pos])
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return d.fail("%s is not a whole number in plain digits", text)
	}
	bits := v.Type().Bits()
	if v.CanInt() {
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return d.fail("%s is not between %d and %d", text, int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits))
		}
		v.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return d.fail("%s is not between 0 and %d", text, uint64(math.MaxUint64)>>(64-bits))
	}
	v.SetUint(n)
	return nil
}

func (d *decoder) list(v reflect.Value) error {
	if d.peek() != '[' {
		return d.wrongType(v)
	}
	if err := d.deeper(); err != nil {
		return err
	}
	d.pos++
	out := reflect.MakeSlice(v.Type(), 0, 4)
	zero := reflect.Zero(v.Type().Elem())
	for i := 0; d.peek() != ']'; i++ {
		if i > 0 {
			if err := d.expect(','); err != nil {
				return err
			}
		}
		d.path = append(d.path, segment{index: i})
		out = reflect.Append(out, zero)
		if err := d.value(out.Index(i)); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	d.pos++
	d.depth--
	v.Set(out)
	return nil
}

func (d *decoder) deeper() error {
	if d.depth++; d.depth > maxDepth {
		return d.fail("the config nests deeper than %d levels", maxDepth)
	}
	return nil
}

func (d *decoder) mapping(v reflect.Value) error {
	if d.peek() == '{' {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return d.object(v, func(key string) error {
		if v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key())).IsValid() {
			return d.fail("the key is there twice")
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
		return nil
	})
}

// object reads the members of an object; the current path is that of the member.
func (d *decoder) object(v reflect.Value, member func(key string) error) error {
	if d.peek() != '{' {
		return d.wrongType(v)
	}
	if err := d.deeper(); err != nil {
		return err
	}
	d.pos++
	for i := 0; d.peek() != '}'; i++ {
		if i > 0 {
			if err := d.expect(','); err != nil {
				return err
			}
		}
		if d.peek() != '"' {
			return d.unexpected("a key")
		}
		key, err := d.text()
		if err != nil {
			return err
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		d.path = append(d.path, segment{key: key, index: -1})
		if err := member(key); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	d.pos++
	d.depth--
	return nil
}
