package spec

import (
	"reflect"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

// keySet holds the keys of one object. A map only pays for objects with many.
type keySet struct {
	few  []string
	many map[string]struct{}
}

// add reports false when the key was there already.
func (k *keySet) add(key string) bool {
	for _, s := range k.few {
		if s == key {
			return false
		}
	}
	if len(k.few) < 16 {
		k.few = append(k.few, key)
		return true
	}
	if _, ok := k.many[key]; ok {
		return false
	}
	if k.many == nil {
		k.many = make(map[string]struct{})
	}
	k.many[key] = struct{}{}
	return true
}

// skip reads the value of an unknown key: it is ignored, but has to be JSON.
func (d *decoder) skip() *fault.Error {
	_, f := d.anything(false)
	return f
}

func (d *decoder) anyValue(v reflect.Value) *fault.Error {
	x, f := d.anything(true)
	if f == nil && x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return f
}

// anything reads any value, and keeps it in the types of encoding/json if asked.
func (d *decoder) anything(keep bool) (any, *fault.Error) {
	switch c := d.peek(); {
	case c == '"':
		return d.stringText()
	case c == '{':
		return d.anyObject(keep)
	case c == '[':
		return d.anyArray(keep)
	case c == '-' || '0' <= c && c <= '9':
		start := d.pos
		s, f := d.number()
		if f != nil || !keep {
			return nil, f
		}
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			d.pos = start
			return nil, d.fault("%s is too large a number", shorten(s))
		}
		return n, nil
	}
	if d.null() {
		return nil, nil
	}
	var b bool
	f := d.boolValue(reflect.ValueOf(&b).Elem())
	return b, f
}

func (d *decoder) anyObject(keep bool) (any, *fault.Error) {
	var (
		seen keySet
		m    map[string]any
	)
	if keep {
		m = make(map[string]any)
	}
	f := d.object(func(key string) *fault.Error {
		if !seen.add(key) {
			return d.duplicate()
		}
		x, f := d.anything(keep)
		if keep {
			m[key] = x
		}
		return f
	})
	return m, f
}

func (d *decoder) anyArray(keep bool) (any, *fault.Error) {
	list := []any{}
	f := d.array(func(int) *fault.Error {
		x, f := d.anything(keep)
		if keep {
			list = append(list, x)
		}
		return f
	})
	return list, f
}

// maxWarnings bounds what a config full of unknown keys can make brig print.
const maxWarnings = 64

// warnUnknown warns of a key that t does not have, and names the nearest it has.
func (d *decoder) warnUnknown(t reflect.Type, key string) {
	if d.unknown++; d.unknown > maxWarnings {
		return
	}
	w := warnf(d.pointer(), "unknown key is ignored")
	if near := nearest(fieldNames(t, nil), key); near != "" {
		w += " (did you mean " + strconv.Quote(near) + "?)"
	}
	d.warnings = append(d.warnings, w)
}

// nearest is the name that differs from key by case alone, or by the fewest
// letters, at most two and not half of them.
func nearest(names []string, key string) string {
	if len(key) > 64 {
		return ""
	}
	best, least := "", min(3, len(key)/2+1)
	for _, name := range names {
		if strings.EqualFold(name, key) {
			return name
		}
		if n := distance(strings.ToLower(name), strings.ToLower(key)); n < least {
			best, least = name, n
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			n := diagonal
			if a[i] != b[j] {
				n++
			}
			diagonal = row[j+1]
			row[j+1] = min(n, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
