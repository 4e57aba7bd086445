package root_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// patch applies a JSON merge patch (RFC 7396) to the config.
func (b *box) patch(text string) {
	b.t.Helper()
	b.config = merge(b.config, decode(b.t, text)).(map[string]any)
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

// add appends to an array of the config, which a merge patch cannot.
func (b *box) add(pointer string, entries ...string) {
	b.t.Helper()
	keys := strings.Split(pointer[1:], "/")
	object := b.config
	for _, key := range keys[:len(keys)-1] {
		next, ok := object[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[key] = next
		}
		object = next
	}
	last := keys[len(keys)-1]
	list, _ := object[last].([]any)
	for _, e := range entries {
		list = append(list, decode(b.t, e))
	}
	object[last] = list
}

// mount appends an entry to /mounts.
func (b *box) mount(destination, kind, source string, options ...string) {
	b.t.Helper()
	raw, err := json.Marshal(map[string]any{"destination": destination, "type": kind, "source": source, "options": options})
	must(b.t, err)
	b.add("/mounts", string(raw))
}

func encode(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	must(t, err)
	return string(raw)
}
