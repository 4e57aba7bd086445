package spec

import (
	"reflect"
	"strings"
	"unicode/utf8"

	"brig/libcontainer/fault"
)

// maxDepth bounds nesting. The types of the specification are at most 8 deep;
// what is deeper is in unknown keys, and each level costs stack.
const maxDepth = 64

// decoder is one pass over one document.
type decoder struct {
	text     string
	pos      int
	path     []segment
	warnings []string
	unknown  int
}

// decode decodes the document into the value that v points to.
func decode(text string, v any) ([]string, *fault.Error) {
	d := decoder{text: text, path: make([]segment, 0, 16)}
	if f := d.document(reflect.ValueOf(v).Elem()); f != nil {
		return d.warnings, f
	}
	if more := d.unknown - len(d.warnings); more > 0 {
		d.warnings = append(d.warnings, warnf("", "%d more unknown keys are ignored", more)[2:])
	}
	return d.warnings, nil
}

func (d *decoder) document(v reflect.Value) *fault.Error {
	d.space()
	if d.pos == len(d.text) {
		return fault.Configf("", "the config is empty")
	}
	if strings.HasPrefix(d.text, "\ufeff") {
		return d.syntax("the config starts with a byte order mark")
	}
	if f := d.value(v); f != nil {
		return f
	}
	d.space()
	if d.pos < len(d.text) {
		return d.syntax("there is %s after the end of the config", d.found())
	}
	return nil
}

// value decodes the next value into v.
func (d *decoder) value(v reflect.Value) *fault.Error {
	d.space()
	switch v.Kind() {
	case reflect.String:
		return d.stringValue(v)
	case reflect.Struct:
		return d.structValue(v)
	case reflect.Slice:
		return d.sliceValue(v)
	case reflect.Pointer:
		return d.pointerValue(v)
	case reflect.Map:
		return d.mapValue(v)
	case reflect.Bool:
		return d.boolValue(v)
	case reflect.Int, reflect.Int32, reflect.Int64:
		return d.intValue(v)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return d.uintValue(v)
	case reflect.Interface:
		return d.anyValue(v)
	}
	return fault.Bugf("no decoder for %s", v.Type())
}

// null takes a null, which stands for an absent field where absent and empty
// differ. Where they do not, as for a number, it is refused: null must not become
// user id 0.
func (d *decoder) null() bool {
	if strings.HasPrefix(d.text[d.pos:], "null") {
		d.pos += len("null")
		return true
	}
	return false
}

func (d *decoder) pointerValue(v reflect.Value) *fault.Error {
	if d.null() {
		return nil
	}
	p := reflect.New(v.Type().Elem())
	v.Set(p)
	return d.value(p.Elem())
}

func (d *decoder) stringValue(v reflect.Value) *fault.Error {
	s, f := d.stringText()
	if f != nil {
		return f
	}
	v.SetString(s)
	return nil
}

// stringText reads a string that is a value and checks its control characters.
func (d *decoder) stringText() (string, *fault.Error) {
	if d.peek() != '"' {
		return "", d.wrongType("a string")
	}
	at := d.pos
	s, control, f := d.quoted()
	if f == nil && control {
		f = d.controls(s, at)
	}
	return s, f
}

func (d *decoder) boolValue(v reflect.Value) *fault.Error {
	switch rest := d.text[d.pos:]; {
	case strings.HasPrefix(rest, "true"):
		d.pos += len("true")
		v.SetBool(true)
	case strings.HasPrefix(rest, "false"):
		d.pos += len("false")
		v.SetBool(false)
	default:
		return d.wrongType("true or false")
	}
	return nil
}

func (d *decoder) sliceValue(v reflect.Value) *fault.Error {
	if d.null() {
		return nil
	}
	if list, ok := v.Addr().Interface().(*[]string); ok {
		return d.stringList(list)
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.array(func(i int) *fault.Error {
		v.Grow(1)
		v.SetLen(i + 1)
		return d.value(v.Index(i))
	})
}

// stringList is sliceValue without reflection, for what most of a config is.
func (d *decoder) stringList(list *[]string) *fault.Error {
	*list = []string{}
	return d.array(func(int) *fault.Error {
		s, f := d.stringText()
		*list = append(*list, s)
		return f
	})
}

func (d *decoder) mapValue(v reflect.Value) *fault.Error {
	if d.null() {
		return nil
	}
	if m, ok := v.Addr().Interface().(*map[string]string); ok {
		return d.stringMap(m)
	}
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	return d.object(func(key string) *fault.Error {
		k := reflect.ValueOf(key)
		if v.MapIndex(k).IsValid() {
			return d.duplicate()
		}
		e := reflect.New(t.Elem()).Elem()
		if f := d.value(e); f != nil {
			return f
		}
		v.SetMapIndex(k, e)
		return nil
	})
}

// stringMap is mapValue without reflection.
func (d *decoder) stringMap(m *map[string]string) *fault.Error {
	*m = map[string]string{}
	return d.object(func(key string) *fault.Error {
		if _, ok := (*m)[key]; ok {
			return d.duplicate()
		}
		s, f := d.stringText()
		(*m)[key] = s
		return f
	})
}

func (d *decoder) structValue(v reflect.Value) *fault.Error {
	var (
		seen  uint64 // one bit for each field
		next  int    // keys mostly come in the order of the fields
		extra keySet
	)
	return d.object(func(key string) *fault.Error {
		field, n, ok := findField(v, key, next)
		if !ok {
			if !extra.add(key) {
				return d.duplicate()
			}
			d.warnUnknown(v.Type(), key)
			return d.skip()
		}
		if seen&(1<<n) != 0 {
			return d.duplicate()
		}
		seen |= 1 << n
		next = n + 1
		return d.value(field)
	})
}

// object reads the members of an object. At the call the key is on the path and
// the value is next.
func (d *decoder) object(member func(key string) *fault.Error) *fault.Error {
	if d.peek() != '{' {
		return d.wrongType("an object")
	}
	return d.items('}', func(int) *fault.Error {
		if d.peek() != '"' {
			return d.syntax("a key in quotes is missing before %s", d.found())
		}
		key, control, f := d.quoted()
		if f != nil {
			return f
		}
		if control {
			return d.fault("a key holds a control character: %q", shorten(key))
		}
		if d.space(); d.peek() != ':' {
			return d.syntax("the key %q has no ':' after it but %s", shorten(key), d.found())
		}
		d.pos++
		d.space()
		d.path = append(d.path, segment{key: key})
		f = member(key)
		d.path = d.path[:len(d.path)-1]
		return f
	})
}

// array reads the elements of an array. At the call the index is on the path and
// the element is next.
func (d *decoder) array(element func(i int) *fault.Error) *fault.Error {
	if d.peek() != '[' {
		return d.wrongType("an array")
	}
	return d.items(']', func(i int) *fault.Error {
		d.path = append(d.path, segment{index: i + 1})
		f := element(i)
		d.path = d.path[:len(d.path)-1]
		return f
	})
}

// items reads what stands between brackets, separated by commas.
func (d *decoder) items(closing byte, item func(i int) *fault.Error) *fault.Error {
	if len(d.path) >= maxDepth {
		return d.fault("values are nested more than %d deep", maxDepth)
	}
	d.pos++
	for i := 0; ; i++ {
		d.space()
		if i == 0 && d.peek() == closing {
			break
		}
		if f := item(i); f != nil {
			return f
		}
		d.space()
		if d.peek() == closing {
			break
		}
		if d.peek() != ',' {
			return d.syntax("',' or '%c' is missing before %s", closing, d.found())
		}
		d.pos++
	}
	d.pos++
	return nil
}

// space skips the four characters that JSON knows as white space.
func (d *decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the next byte; at the end of the text, one that starts nothing.
func (d *decoder) peek() byte {
	if d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

// found says in words what comes next.
func (d *decoder) found() string {
	if d.pos == len(d.text) {
		return "the end of the file"
	}
	switch c := d.text[d.pos]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if strings.HasPrefix(d.text[d.pos:], word) {
			return word
		}
	}
	r, _ := utf8.DecodeRuneInString(d.text[d.pos:])
	return quoteRune(r)
}
