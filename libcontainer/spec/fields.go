package spec

import (
	"reflect"
	"strings"
)

// structure decodes an object into a struct.
func (d *decoder) structure(v reflect.Value) error {
	var (
		seen    uint64 // a bit for each field that was there already
		next    int    // keys mostly come in the order of the fields
		unknown nameSet
	)
	return d.object(func(key string) error {
		field, n, ok := findField(v, key, next)
		if !ok {
			if _, ok := unknown.add(key, 0); !ok {
				return d.twice()
			}
			d.unknown(key, v.Type())
			return d.skip()
		}
		if seen&(1<<n) != 0 {
			return d.twice()
		}
		seen |= 1 << n
		next = n + 1
		return d.value(field)
	})
}

// embedded is where the numbers of the fields of an embedded struct start.
const embedded = 32

// findField finds the field with a JSON name, in the very same letters, and
// numbers it. Field number next comes first, which is mostly the one: no table of
// a type is built that would be used once or twice.
func findField(v reflect.Value, key string, next int) (field reflect.Value, number int, ok bool) {
	t := v.Type()
	count := t.NumField()
	for k := range count {
		i := (next + k) % count
		f := t.Field(i)
		name := jsonName(&f)
		if name == key && name != "" {
			return v.Field(i), i, true
		}
		if f.Anonymous && name == "" {
			if field, number, ok = findField(v.Field(i), key, 0); ok {
				return field, embedded + number, true
			}
		}
	}
	return reflect.Value{}, 0, false
}

// fieldNames appends the JSON names of a struct, with those of the structs
// embedded in it.
func fieldNames(t reflect.Type, names []string) []string {
	for i := range t.NumField() {
		f := t.Field(i)
		switch name := jsonName(&f); {
		case name != "":
			names = append(names, name)
		case f.Anonymous:
			names = fieldNames(f.Type, names)
		}
	}
	return names
}

// jsonName is the name in the tag of a field. Every field of the runtime-spec has
// one, and it is the first in the tag, but for embedded structs.
func jsonName(f *reflect.StructField) string {
	rest, ok := strings.CutPrefix(string(f.Tag), `json:"`)
	if !ok {
		return ""
	}
	return rest[:strings.IndexAny(rest, `,"`)]
}

// unknown warns of a key that the spec does not have there.
func (d *decoder) unknown(key string, t reflect.Type) {
	if d.ignored++; d.ignored > maxWarnings {
		return
	}
	text := d.pointer() + ": unknown key, ignored"
	if best := nearest(key, fieldNames(t, nil)); best != "" {
		text += ` (did you mean "` + best + `"?)`
	}
	d.warnings = append(d.warnings, text)
}

// nearest is the name that takes the fewest changes, at most two.
func nearest(key string, names []string) string {
	best, distance := "", 3
	if len(key) > 64 {
		return ""
	}
	for _, name := range names {
		n := editDistance(strings.ToLower(key), strings.ToLower(name))
		if n < distance && n < len(name) && n < len(key) {
			best, distance = name, n
		}
	}
	return best
}

// editDistance is the number of letters to insert, remove or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
