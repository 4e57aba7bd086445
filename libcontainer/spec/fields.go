package spec

import (
	"reflect"
	"strings"
)

// fields are the members that a struct type can have. Only the types that a
// document touches are looked at.
func (d *decoder) fields(t reflect.Type) []structField {
	for i := range d.types {
		if d.types[i].typ == t {
			return d.types[i].fields
		}
	}
	fields := fieldsOf(t, nil, nil)
	d.types = append(d.types, structType{typ: t, fields: fields})
	return fields
}

// fieldsOf lists the JSON names of a struct with those of the structs embedded in
// it.
func fieldsOf(t reflect.Type, prefix []int, out []structField) []structField {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(append(make([]int, 0, len(prefix)+1), prefix...), i)
		switch {
		case f.Anonymous && name == "":
			out = fieldsOf(f.Type, index, out)
		case name == "-" || !f.IsExported():
		case name == "":
			out = append(out, structField{f.Name, index})
		default:
			out = append(out, structField{name, index})
		}
	}
	return out
}

// field decodes one member of a struct; seen has a bit for each member that was
// there already.
func (d *decoder) field(v reflect.Value, fields []structField, seen *uint64, key string) error {
	for i, f := range fields {
		if f.name != key {
			continue
		}
		if *seen&(1<<i) != 0 {
			return d.fail("the key is there twice")
		}
		*seen |= 1 << i
		return d.value(v.FieldByIndex(f.index))
	}
	d.unknown(key, fields)
	return d.skip()
}

// unknown warns of a key that the spec does not have there.
func (d *decoder) unknown(key string, fields []structField) {
	text := d.pointer() + ": unknown key, ignored"
	best, distance := "", 3
	for _, f := range fields {
		n := editDistance(strings.ToLower(key), strings.ToLower(f.name))
		if n < distance && n < len(f.name) {
			best, distance = f.name, n
		}
	}
	if best != "" {
		text += ` (did you mean "` + best + `"?)`
	}
	d.warnings = append(d.warnings, text)
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
