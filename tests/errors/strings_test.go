package errors_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// leaf is a string of the config, or a key of one of its maps.
type leaf struct {
	pointer string
	keyed   bool
	set     func(config reflect.Value, text string)
}

// leaves are all strings that a value of type t can hold.
func leaves(t reflect.Type, pointer string, get func(reflect.Value) reflect.Value) []leaf {
	switch t.Kind() {
	case reflect.String:
		return []leaf{{pointer: pointer, set: func(v reflect.Value, text string) { get(v).SetString(text) }}}
	case reflect.Pointer:
		return leaves(t.Elem(), pointer, func(v reflect.Value) reflect.Value {
			p := get(v)
			if p.IsNil() {
				p.Set(reflect.New(t.Elem()))
			}
			return p.Elem()
		})
	case reflect.Slice:
		return leaves(t.Elem(), fault.Pointer(pointer, 0), func(v reflect.Value) reflect.Value {
			list := get(v)
			if list.Len() == 0 {
				list.Set(reflect.MakeSlice(t, 1, 1))
			}
			return list.Index(0)
		})
	case reflect.Map:
		return mapLeaves(t, pointer, get)
	case reflect.Struct:
		return structLeaves(t, pointer, get)
	}
	return nil
}

// mapLeaves: maps are set whole, with one entry; only their keys, and their
// values where those are strings, hold text.
func mapLeaves(t reflect.Type, pointer string, get func(reflect.Value) reflect.Value) []leaf {
	entry := func(v reflect.Value, key string, value reflect.Value) {
		m := reflect.MakeMap(t)
		m.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), value)
		get(v).Set(m)
	}
	list := []leaf{{pointer: pointer, keyed: true, set: func(v reflect.Value, text string) { entry(v, text, reflect.New(t.Elem()).Elem()) }}}
	if t.Elem().Kind() == reflect.String {
		list = append(list, leaf{pointer: fault.Pointer(pointer, "key"), set: func(v reflect.Value, text string) { entry(v, "key", reflect.ValueOf(text)) }})
	}
	for _, inner := range leaves(t.Elem(), fault.Pointer(pointer, "key"), func(v reflect.Value) reflect.Value { return v }) {
		if t.Elem().Kind() != reflect.Struct {
			break
		}
		list = append(list, leaf{pointer: inner.pointer, keyed: inner.keyed, set: func(v reflect.Value, text string) {
			value := reflect.New(t.Elem()).Elem()
			inner.set(value, text)
			entry(v, "key", value)
		}})
	}
	return list
}

func structLeaves(t reflect.Type, pointer string, get func(reflect.Value) reflect.Value) []leaf {
	var list []leaf
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := fault.Pointer(pointer, name)
		switch {
		case name == "-" || !f.IsExported():
			continue
		case name == "" && f.Anonymous:
			at = pointer
		case name == "":
			at = fault.Pointer(pointer, f.Name)
		}
		list = append(list, leaves(f.Type, at, func(v reflect.Value) reflect.Value { return get(v).Field(i) })...)
	}
	return list
}

// withText is the base config with text at one place.
func withText(t *testing.T, l *leaf, text string) []byte {
	t.Helper()
	base, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	config := new(specs.Spec)
	if err := json.Unmarshal(base, config); err != nil {
		t.Fatal(err)
	}
	l.set(reflect.ValueOf(config).Elem(), text)
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), strings.Trim(string(mustJSON(t, text)), `"`)) {
		t.Fatalf("%s: the text is not in the config: %s", l.pointer, raw)
	}
	return raw
}

func mustJSON(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// compile does all that brig does with a config before it touches the host.
func compile(raw []byte) error {
	s, _, err := spec.Parse(raw)
	if err != nil {
		return err
	}
	if _, err := spec.Validate(s, spec.Options{}); err != nil {
		return err
	}
	_, err = plan.Create(&plan.Input{ID: "errors", Spec: s, Bundle: "/bundle", Rootfs: "/bundle/rootfs"})
	return err
}

// names says whether an error names a place of the config, or the object that
// the place is in.
func names(err error, pointer string) bool {
	var list fault.List
	var one *fault.Error
	if !errors.As(err, &list) && errors.As(err, &one) {
		list = fault.List{one}
	}
	for _, e := range list {
		if e.Class == fault.Config && e.Pointer != "" && (pointer == e.Pointer || strings.HasPrefix(pointer, e.Pointer+"/")) {
			return true
		}
	}
	return false
}

// TestNULInEveryString: a NUL would end a string where the kernel reads it, and
// leave the rest unseen (runc#3287).
func TestNULInEveryString(t *testing.T) {
	list := leaves(reflect.TypeFor[specs.Spec](), "", func(v reflect.Value) reflect.Value { return v })
	if len(list) < 130 {
		t.Fatalf("only %d strings found", len(list))
	}
	for i := range list {
		l := &list[i]
		for _, text := range [...]string{"\x00", "/a\x00b", "x=\x00"} {
			err := compile(withText(t, l, text))
			if !names(err, l.pointer) || !strings.Contains(err.Error(), "NUL") {
				t.Errorf("%s: %q: %v", l.pointer, text, err)
			}
		}
	}
}

// TestNewlineInEveryString: only what the payload gets as it is, and what nobody
// interprets, may have lines.
func TestNewlineInEveryString(t *testing.T) {
	allowed := []string{
		"/annotations/key", "/process/args/0", "/process/env/0", "/process/commandLine",
		// Checked by the package that compiles it.
		"/linux/resources/unified/key",
	}
	var accepted []string
	list := leaves(reflect.TypeFor[specs.Spec](), "", func(v reflect.Value) reflect.Value { return v })
	for i := range list {
		l := &list[i]
		err := compile(withText(t, l, "a=\nb"))
		if err == nil {
			accepted = append(accepted, l.pointer)
		} else if hook, _, ok := strings.Cut(l.pointer, "/0/"); ok && strings.HasPrefix(hook, "/hooks/") && names(err, hook+"/0/path") {
			continue // of a hook that has nothing but this string
		} else if !names(err, l.pointer) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", l.pointer, err)
		}
	}
	slices.Sort(accepted)
	slices.Sort(allowed)
	if !slices.Equal(accepted, allowed) {
		t.Errorf("a newline is accepted in %q, want %q", accepted, allowed)
	}
}
