package spec

import (
	"reflect"
	"strings"
)

// embeddedBit is where the numbers of the fields of an embedded struct start. No
// struct of specs-go has so many fields; a test says so.
const embeddedBit = 32

// findField finds the field with that JSON name and numbers it. It looks at field
// number next first. The name has to match in case too.
func findField(v reflect.Value, key string, next int) (field reflect.Value, number int, ok bool) {
	t := v.Type()
	n := t.NumField()
	if next >= n {
		next = 0
	}
	for k := range n {
		i := next + k
		if i >= n {
			i -= n
		}
		f := t.Field(i)
		name := jsonName(&f)
		if name == key {
			return v.Field(i), i, true
		}
		if name == "" && f.Anonymous {
			if field, number, ok = findField(v.Field(i), key, 0); ok {
				return field, embeddedBit + number, true
			}
		}
	}
	return reflect.Value{}, 0, false
}

// fieldNames appends the JSON names of the fields of t.
func fieldNames(t reflect.Type, names []string) []string {
	for i := range t.NumField() {
		f := t.Field(i)
		if name := jsonName(&f); name != "" {
			names = append(names, name)
		} else if f.Anonymous {
			names = fieldNames(f.Type, names)
		}
	}
	return names
}

// jsonName is the name in the tag of a field, which every field of specs-go has
// but the embedded ones.
func jsonName(f *reflect.StructField) string {
	rest, ok := strings.CutPrefix(string(f.Tag), `json:"`)
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, `,"`); i >= 0 {
		return rest[:i]
	}
	return ""
}
