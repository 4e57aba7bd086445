package spec

import (
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

// segment is one step of a JSON pointer: a key, or an index counted from 1.
type segment struct {
	key   string
	index int
}

// pointer is the JSON pointer of the value being read. It is put together only
// when there is something to say about it.
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

// position counts line and column, in bytes, of an offset.
func (d *decoder) position(at int) (line, column int) {
	before := d.text[:at]
	return strings.Count(before, "\n") + 1, at - strings.LastIndexByte(before, '\n')
}

// fault reports a fault of the value being read.
func (d *decoder) fault(format string, args ...any) *fault.Error {
	line, column := d.position(d.pos)
	return fault.Configf(d.pointer(), format, args...).WithHint("line %d, column %d", line, column)
}

// syntax reports that the text is not JSON.
func (d *decoder) syntax(format string, args ...any) *fault.Error {
	return d.fault("not JSON: "+format, args...)
}

func (d *decoder) wrongType(want string) *fault.Error {
	if d.pos == len(d.text) || !startsValue(d.text[d.pos:]) {
		return d.syntax("a value is missing before %s", d.found())
	}
	return d.fault("want %s, found %s", want, d.found())
}

func startsValue(rest string) bool {
	return strings.IndexByte(`"{[-0123456789`, rest[0]) >= 0 ||
		strings.HasPrefix(rest, "null") || strings.HasPrefix(rest, "true") || strings.HasPrefix(rest, "false")
}

func (d *decoder) duplicate() *fault.Error {
	return d.fault("the key is there twice")
}

// shorten keeps a message to one readable line, whatever the config holds.
func shorten(s string) string {
	const most = 128
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func quoteRune(r rune) string { return strconv.QuoteRune(r) }
