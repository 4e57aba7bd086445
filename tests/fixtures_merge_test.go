package tests

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// mergeJSON applies a merge patch (RFC 7396). The second result says what is
// wrong with the texts.
func mergeJSON(base, patch string) ([]byte, string) {
	target, problem := decodeJSON(base)
	if problem != "" {
		return nil, problem
	}
	change, problem := decodeJSON(patch)
	if problem != "" {
		return nil, problem
	}
	out := new(bytes.Buffer)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(merge(target, change)); err != nil {
		return nil, err.Error()
	}
	return out.Bytes(), ""
}

func decodeJSON(text string) (v any, problem string) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err.Error()
	}
	if d.More() {
		return nil, "something follows the JSON"
	}
	return v, ""
}

func merge(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for key, v := range change {
		if v == nil {
			delete(object, key)
		} else {
			object[key] = merge(object[key], v)
		}
	}
	return object
}

func TestMergeJSON(t *testing.T) {
	// The cases of RFC 7396, appendix A.
	for _, c := range [...][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":1}`, `{"a":18446744073709551615}`, `{"a":18446744073709551615}`},
	} {
		got, problem := mergeJSON(c[0], c[1])
		if problem != "" || strings.TrimSpace(string(got)) != c[2] {
			t.Errorf("%s with %s: got %s %s, want %s", c[0], c[1], got, problem, c[2])
		}
	}
}
