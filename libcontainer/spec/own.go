package spec

import (
	"reflect"
	"time"
)

// Decode reads JSON that brig wrote itself into a struct, as strictly as a config: it
// knows of no null for a number and of no second key of one name. Strings may have
// control characters, as paths do; a slice of bytes gets the JSON of a value, and a
// time is text. In a fresh process encoding/json takes longer to look at the type of
// a record than this takes to read it. Keys that the struct does not have are skipped.
func Decode(data []byte, into any) error {
	d := decoder{data: string(data), path: make([]segment, 0, 8), own: true}
	return d.document(reflect.ValueOf(into).Elem())
}

// time reads what time.Time writes as text.
func (d *decoder) time(v reflect.Value) error {
	text, err := d.text()
	if err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return d.fail("%s is no time", shorten(text))
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// raw keeps a value for later as it stands there.
func (d *decoder) raw(v reflect.Value) error {
	d.peek()
	start := d.pos
	if err := d.skip(); err != nil {
		return err
	}
	v.SetBytes([]byte(d.data[start:d.pos]))
	return nil
}
