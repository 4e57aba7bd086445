package spec

import (
	"reflect"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

// number reads a number as JSON spells it.
func (d *decoder) number() (string, *fault.Error) {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return "", d.wrongType("a number")
	}
	start := d.pos
	end := start
	if d.text[end] == '-' {
		end++
	}
	whole := d.digits(end)
	switch {
	case whole == end:
		return "", d.syntax("a number without digits")
	case d.text[end] == '0' && whole > end+1:
		return "", d.syntax("a number starts with 0")
	}
	end = whole
	if strings.HasPrefix(d.text[end:], ".") {
		if end = d.digits(whole + 1); end == whole+1 {
			return "", d.syntax("a number without digits after '.'")
		}
	}
	if e := d.text[end:]; e != "" && e[0]|0x20 == 'e' {
		from := end + 1
		if len(e) > 1 && (e[1] == '+' || e[1] == '-') {
			from++
		}
		if end = d.digits(from); end == from {
			return "", d.syntax("a number without digits in its exponent")
		}
	}
	d.pos = end
	return d.text[start:end], nil
}

// digits returns the end of the digits that start at i.
func (d *decoder) digits(i int) int {
	for i < len(d.text) && '0' <= d.text[i] && d.text[i] <= '9' {
		i++
	}
	return i
}

// whole reads a number that has to be a whole one, spelt as one: 1e3 and 1.0 are
// read differently by different parsers.
func (d *decoder) whole() (string, *fault.Error) {
	start := d.pos
	s, f := d.number()
	if f == nil && strings.ContainsAny(s, ".eE") {
		d.pos = start
		return "", d.fault("want a whole number without fraction or exponent, found %s", shorten(s))
	}
	return s, f
}

func (d *decoder) intValue(v reflect.Value) *fault.Error {
	start := d.pos
	s, f := d.whole()
	if f != nil {
		return f
	}
	n, err := strconv.ParseInt(s, 10, v.Type().Bits())
	if err != nil {
		top := uint64(1)<<(v.Type().Bits()-1) - 1
		d.pos = start
		return d.fault("%s is not a number from -%d to %d", shorten(s), top+1, top)
	}
	v.SetInt(n)
	return nil
}

func (d *decoder) uintValue(v reflect.Value) *fault.Error {
	start := d.pos
	s, f := d.whole()
	if f != nil {
		return f
	}
	bits := v.Type().Bits()
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		d.pos = start
		return d.fault("%s is not a number from 0 to %d", shorten(s), ^uint64(0)>>(64-bits))
	}
	v.SetUint(n)
	return nil
}
