package systemd

import (
	"encoding/hex"
	"reflect"
	"testing"
)

// The bytes of a call as the specification of D-Bus lays them out.
func TestEncode(t *testing.T) {
	m := &message{kind: methodCall, serial: 7, path: "/a", iface: "b.c", member: "D", destination: "e.f", signature: "sub", body: []any{"xy", uint32(258), true}}
	want := "6c010001" + "10000000" + "07000000" + "49000000" +
		"01016f00" + "02000000" + "2f610000" + "00000000" + // path
		"02017300" + "03000000" + "622e6300" + "00000000" + // interface
		"03017300" + "01000000" + "44000000" + "00000000" + // member
		"06017300" + "03000000" + "652e6600" + "00000000" + // destination
		"08016700" + "03737562" + "00" + "00000000000000" +
		"02000000" + "78790000" + "02010000" + "01000000"
	got := hex.EncodeToString(m.encode())
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What is written is read again, header and body.
func TestDecode(t *testing.T) {
	m := &message{
		kind: signal, serial: 3, replySerial: 9, path: "/org/x", iface: "org.x.Y", member: "Z", destination: ":1.4", errorName: "", signature: "uosxybtig",
		body: []any{uint32(4), "/o", "text", int64(-3), byte(7), true, uint64(1) << 60, int32(-1), "a(sv)"},
	}
	got, err := decode(m.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("got  %+v\nwant %+v", got, m)
	}
}

func TestEncodeContainers(t *testing.T) {
	for signature, c := range map[string]struct {
		value any
		want  string
	}{
		"au":    {[]any{uint32(1), uint32(2)}, "08000000" + "01000000" + "02000000"},
		"ay":    {[]byte{1, 2, 3}, "03000000" + "010203"},
		"as":    {[]any{"a", "bc"}, "0f000000" + "01000000" + "61000000" + "02000000" + "626300"},
		"at":    {[]any{uint64(5)}, "08000000" + "00000000" + "0500000000000000"},
		"a(sv)": {[]any{[]any{"k", Variant{"b", true}}}, "10000000" + "00000000" + "01000000" + "6b00" + "0162" + "00" + "000000" + "01000000"},
		"v":     {Variant{"at", []any{}}, "02617400" + "00000000"},
		"a(ss)": {[]any{}, "00000000" + "00000000"},
	} {
		var e encoder
		if rest := e.value(signature, c.value); rest != "" || hex.EncodeToString(e.out) != c.want {
			t.Errorf("%s: got %x and %q, want %s", signature, e.out, rest, c.want)
		}
	}
}

func TestFirstType(t *testing.T) {
	for signature, want := range map[string]string{"": "", "s": "s", "su": "s", "a(sv)a(sa(sv))": "a(sv)", "(s(uu))b": "(s(uu))", "aaay": "aaay", "ass": "as"} {
		if kind, rest := firstType(signature); kind != want || kind+rest != signature {
			t.Errorf("%q: %q and %q", signature, kind, rest)
		}
	}
}

// Whatever comes from the bus is a message or an error, and a message that is read
// can be written.
func FuzzDecode(f *testing.F) {
	f.Add((&message{kind: reply, serial: 1, replySerial: 2, signature: "o", body: []any{"/job/1"}}).encode())
	f.Add((&message{kind: failure, replySerial: 2, errorName: "a.b", signature: "s", body: []any{"no"}}).encode())
	f.Add([]byte("l\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decode(raw)
		if err != nil {
			return
		}
		if len(m.body) != len(m.signature) || len(m.signature) > 255 {
			return // what brig does not read of a message it cannot write
		}
		again, err := decode(m.encode())
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v\n%+v, %v", m, again, err)
		}
	})
}
