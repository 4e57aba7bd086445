package spec

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	type own struct {
		N    int             `json:"n"`
		When time.Time       `json:"when"`
		Raw  json.RawMessage `json:"raw,omitempty"`
		Text string          `json:"text"`
	}
	var got own
	err := Decode([]byte(`{"n":-7,"raw": {"a":[1,null]} ,"when":"2026-01-02T03:04:05.000000006Z","more":{},"text":"a\n\u009bb"}`), &got)
	if err != nil || got.N != -7 || string(got.Raw) != `{"a":[1,null]}` || got.Text != "a\n\u009bb" || got.When.Nanosecond() != 6 {
		t.Errorf("got %+v %v", got, err)
	}
	for _, text := range []string{
		``, `{`, `[]`, `{} {}`, `{"n":null}`, `{"n":1.5}`, `{"n":1,"n":2}`, `{"when":"yesterday"}`, `{"when":7}`,
		`{"raw":{"a":1,"a":2}}`, `{"raw":}`, `{"raw":{]}`, `{"text":"\u0000"}`, "{\"text\":\"\xff\"}", `{"N":1,"N":2}`,
	} {
		if err := Decode([]byte(text), new(own)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
