package systemd

import (
	"encoding/binary"
	"errors"
	"strings"
)

// Variant is a value with its type, in D-Bus's signature.
type Variant struct {
	Signature string
	// Value is a bool, byte, int32, uint32, int64, uint64 or string; for an array
	// a []any, or []byte for "ay"; for a struct or a dictionary entry a []any.
	Value any
}

// Types of messages.
const (
	methodCall = 1
	reply      = 2
	failure    = 3
	signal     = 4
)

// Fields of a header.
const (
	fieldPath        = 1
	fieldInterface   = 2
	fieldMember      = 3
	fieldError       = 4
	fieldReplySerial = 5
	fieldDestination = 6
	fieldSignature   = 8
)

// maxMessage bounds what brig reads; D-Bus itself allows 128 MiB.
const maxMessage = 1 << 20

var errMessage = errors.New("a message that is not D-Bus")

// message is one message, in or out.
type message struct {
	kind                             byte
	serial, replySerial              uint32
	path, iface, member, destination string
	errorName, signature             string
	body                             []any
}

// encoder writes values with their alignment, which counts from the beginning of
// the message.
type encoder struct{ out []byte }

func (e *encoder) align(n int) {
	for len(e.out)%n != 0 {
		e.out = append(e.out, 0)
	}
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.out = binary.LittleEndian.AppendUint32(e.out, n)
}

func (e *encoder) uint64(n uint64) {
	e.align(8)
	e.out = binary.LittleEndian.AppendUint64(e.out, n)
}

func (e *encoder) string(s string) {
	e.uint32(uint32(len(s)))
	e.out = append(append(e.out, s...), 0)
}

func (e *encoder) signature(s string) {
	e.out = append(append(append(e.out, byte(len(s))), s...), 0)
}

// value writes one value of the first type of a signature, and returns the rest.
func (e *encoder) value(signature string, v any) string {
	kind, rest := firstType(signature)
	switch kind[0] {
	case 'y':
		e.out = append(e.out, v.(byte))
	case 'b':
		n := uint32(0)
		if v.(bool) {
			n = 1
		}
		e.uint32(n)
	case 'i':
		e.uint32(uint32(v.(int32)))
	case 'u':
		e.uint32(v.(uint32))
	case 'x':
		e.uint64(uint64(v.(int64)))
	case 't':
		e.uint64(v.(uint64))
	case 's', 'o':
		e.string(v.(string))
	case 'g':
		e.signature(v.(string))
	case 'v':
		variant := v.(Variant)
		e.signature(variant.Signature)
		e.value(variant.Signature, variant.Value)
	case 'a':
		e.array(kind[1:], v)
	case '(':
		e.align(8)
		fields := kind[1 : len(kind)-1]
		for _, field := range v.([]any) {
			fields = e.value(fields, field)
		}
	}
	return rest
}

func (e *encoder) array(element string, v any) {
	e.uint32(0)
	at := len(e.out)
	e.align(alignment(element[0]))
	from := len(e.out)
	switch list := v.(type) {
	case []byte:
		e.out = append(e.out, list...)
	case []any:
		for _, item := range list {
			e.value(element, item)
		}
	}
	binary.LittleEndian.PutUint32(e.out[at-4:], uint32(len(e.out)-from))
}

func alignment(kind byte) int {
	switch kind {
	case 'y', 'g', 'v':
		return 1
	case 'x', 't', '(', '{', 'd':
		return 8
	}
	return 4
}

// firstType splits a signature after its first complete type.
func firstType(signature string) (kind, rest string) {
	n := 0
	for n < len(signature) && signature[n] == 'a' {
		n++
	}
	if n < len(signature) && signature[n] == '(' {
		for depth := 0; n < len(signature); n++ {
			switch signature[n] {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth == 0 {
				break
			}
		}
	}
	n = min(n+1, len(signature))
	return signature[:n], signature[n:]
}

// encode is the message in bytes.
func (m *message) encode() []byte {
	body := encoder{}
	signature := m.signature
	for _, v := range m.body {
		signature = body.value(signature, v)
	}
	e := encoder{out: []byte{'l', m.kind, 0, 1}}
	e.uint32(uint32(len(body.out)))
	e.uint32(m.serial)
	var fields []any
	for _, f := range [...]struct {
		code  byte
		kind  string
		value string
	}{
		{fieldPath, "o", m.path},
		{fieldInterface, "s", m.iface},
		{fieldMember, "s", m.member},
		{fieldDestination, "s", m.destination},
		{fieldError, "s", m.errorName},
		{fieldSignature, "g", m.signature},
	} {
		if f.value != "" {
			fields = append(fields, []any{f.code, Variant{f.kind, f.value}})
		}
	}
	if m.replySerial != 0 {
		fields = append(fields, []any{byte(fieldReplySerial), Variant{"u", m.replySerial}})
	}
	e.value("a(yv)", fields)
	e.align(8)
	return append(e.out, body.out...)
}

// headerSize is that of the part of a message with a fixed length.
const headerSize = 16

// size is the length of a whole message whose first headerSize bytes are there.
func size(header []byte) (int, error) {
	if header[0] != 'l' || header[3] != 1 {
		return 0, errMessage
	}
	body, fields := binary.LittleEndian.Uint32(header[4:]), binary.LittleEndian.Uint32(header[12:])
	if body > maxMessage || fields > maxMessage {
		return 0, errMessage
	}
	return headerSize + int(fields+7)&^7 + int(body), nil
}

// decode reads a whole message. Of its body it reads what systemd's answers are made
// of, which is strings and numbers, up to the first that is something else.
func decode(raw []byte) (*message, error) {
	if len(raw) < headerSize {
		return nil, errMessage
	}
	n, err := size(raw)
	if err != nil || n != len(raw) {
		return nil, errMessage
	}
	m := &message{kind: raw[1], serial: binary.LittleEndian.Uint32(raw[8:])}
	d := decoder{raw: raw, at: 12}
	fields := int(d.uint32())
	end := d.at + fields
	for d.ok() && d.at < end {
		d.align(8)
		code := d.byte()
		signature := d.signature()
		if len(signature) != 1 {
			return nil, errMessage
		}
		m.field(code, d.value(signature[0]))
	}
	d.align(8)
	for _, kind := range []byte(m.signature) {
		if !strings.ContainsRune("ybiuxtsog", rune(kind)) {
			break
		}
		m.body = append(m.body, d.value(kind))
	}
	if d.failed {
		return nil, errMessage
	}
	return m, nil
}

func (m *message) field(code byte, v any) {
	text, _ := v.(string)
	switch code {
	case fieldPath:
		m.path = text
	case fieldInterface:
		m.iface = text
	case fieldMember:
		m.member = text
	case fieldDestination:
		m.destination = text
	case fieldError:
		m.errorName = text
	case fieldSignature:
		m.signature = text
	case fieldReplySerial:
		m.replySerial, _ = v.(uint32)
	}
}

// text is the nth value of the body if it is a string.
func (m *message) text(n int) string {
	if n < len(m.body) {
		s, _ := m.body[n].(string)
		return s
	}
	return ""
}

// decoder reads values; after the first that does not fit it has failed.
type decoder struct {
	raw    []byte
	at     int
	failed bool
}

func (d *decoder) ok() bool { return !d.failed }

func (d *decoder) take(n int) []byte {
	if d.failed || n < 0 || n > len(d.raw)-d.at {
		d.failed = true
		return make([]byte, min(max(n, 0), 8))
	}
	d.at += n
	return d.raw[d.at-n : d.at]
}

func (d *decoder) align(n int) { d.take((n - d.at%n) % n) }

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) uint32() uint32 {
	d.align(4)
	return binary.LittleEndian.Uint32(d.take(4))
}

func (d *decoder) uint64() uint64 {
	d.align(8)
	return binary.LittleEndian.Uint64(d.take(8))
}

func (d *decoder) string() string {
	text := d.take(int(d.uint32()))
	d.take(1)
	return string(text)
}

func (d *decoder) signature() string {
	text := d.take(int(d.byte()))
	d.take(1)
	return string(text)
}

func (d *decoder) value(kind byte) any {
	switch kind {
	case 'y':
		return d.byte()
	case 'b':
		return d.uint32() != 0
	case 'i':
		return int32(d.uint32())
	case 'u':
		return d.uint32()
	case 'x':
		return int64(d.uint64())
	case 't':
		return d.uint64()
	case 's', 'o':
		return d.string()
	case 'g':
		return d.signature()
	}
	d.failed = true
	return nil
}
