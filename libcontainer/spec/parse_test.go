package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParse(t *testing.T) {
	testBlocks(t, "testdata/parse.txt", func(t *testing.T, input []string) []string {
		text := strings.Join(input, "\n")
		if s, err := strconv.Unquote(text); err == nil {
			text = s
		}
		s, warnings, err := Parse([]byte(text))
		if (s == nil) == (err == nil) {
			t.Errorf("config %v and error %v", s, err)
		}
		compareWithStandard(t, []byte(text), s, warnings, err)
		return lines(warnings, err)
	})
}

// compareWithStandard holds the decoder against encoding/json: what is accepted
// without a warning means the same to it, and what it cannot read is not accepted.
func compareWithStandard(t *testing.T, data []byte, s *specs.Spec, warnings []string, err error) {
	t.Helper()
	if err != nil {
		return
	}
	if !json.Valid(data) {
		t.Fatalf("accepted, but not JSON: %q", data)
	}
	if len(warnings) > 0 {
		return
	}
	other := new(specs.Spec)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(other); err != nil {
		t.Fatalf("accepted, but encoding/json says %v: %q", err, data)
	}
	if s.Windows != nil && s.Windows.CredentialSpec != nil && other.Windows.CredentialSpec != nil {
		// Only that it was there is kept.
		s.Windows.CredentialSpec, other.Windows.CredentialSpec = nil, nil
	}
	if !reflect.DeepEqual(s, other) {
		a, _ := json.Marshal(s)
		b, _ := json.Marshal(other)
		t.Fatalf("%q\nis read as    %s\nby the other %s", data, a, b)
	}
}

// A config with every field set comes out as it went in.
func TestParseEveryField(t *testing.T) {
	in := new(specs.Spec)
	fill(reflect.ValueOf(in).Elem())
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out, warnings, err := Parse(data)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %q", err, warnings)
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("%s", data)
	}
}

// Each key of the runtime-spec has its own pointer, and each is refused twice.
func TestEveryKeyTwice(t *testing.T) {
	keys := 0
	walkFields(reflect.TypeFor[specs.Spec](), "", func(pattern string) bool {
		keys++
		// The second of two keys is not looked at any further, so null will do.
		parts := strings.Split(pattern, "/")[1:]
		last := strconv.Quote(parts[len(parts)-1])
		first := filled(t, pattern)
		text := "{" + last + ":" + first + "," + last + ":null}"
		pointer := "/" + parts[len(parts)-1]
		for i := len(parts) - 2; i >= 0; i-- {
			step := parts[i]
			if step != "*" {
				text = `{"` + step + `":` + text + "}"
			} else if isMapAt(pattern, i) {
				step, text = "k", `{"k":`+text+"}"
			} else {
				step, text = "0", "["+text+"]"
			}
			pointer = "/" + step + pointer
		}
		_, _, err := Parse([]byte(text))
		if want := pointer + ": the key is there twice"; err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
		return true
	})
	if keys < 200 {
		t.Errorf("%d keys only", keys)
	}
}

// typeAt is the type of a step of a pattern.
func typeAt(pattern []string) reflect.Type {
	typ := reflect.TypeFor[specs.Spec]()
	for _, step := range pattern {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if step == "*" {
			typ = typ.Elem()
			continue
		}
		field, _, _ := findField(reflect.New(typ).Elem(), step, 0)
		typ = field.Type()
	}
	return typ
}

// isMapAt says whether step i, a *, is below a map.
func isMapAt(pattern string, i int) bool {
	return typeAt(strings.Split(pattern, "/")[1:][:i]).Kind() == reflect.Map
}

// filled is the JSON of something in the field of a pattern.
func filled(t *testing.T, pattern string) string {
	t.Helper()
	v := reflect.New(typeAt(strings.Split(pattern, "/")[1:])).Elem()
	fill(v)
	data, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every string of a config, and every key of a map, refuses NUL; other control
// characters are only taken where the payload gets them.
func TestControlCharactersInEveryString(t *testing.T) {
	full := new(specs.Spec)
	fill(reflect.ValueOf(full).Elem())
	full.Windows.CredentialSpec = map[string]any{"x": "x"}
	data, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for i := 0; ; {
		at := bytes.Index(data[i:], []byte(`"x"`))
		if at < 0 {
			break
		}
		i += at
		with := func(text string) string { return string(data[:i]) + text + string(data[i+3:]) }
		_, _, err := Parse([]byte(with(`"a\u0000b"`)))
		if err == nil || !strings.Contains(err.Error(), "NUL byte") || err.Error()[0] != '/' {
			t.Errorf("NUL at %d: %v in %s", i, err, with("<here>"))
		}
		if _, _, err = Parse([]byte(with(`"a\nb"`))); err == nil {
			places = append(places, string(data[max(0, i-40):i]))
		} else if !strings.Contains(err.Error(), `the control character '\n'`) {
			t.Errorf("newline at %d: %v", i, err)
		}
		i += 3
	}
	// process: commandLine, args, env; six hooks with args and env each; the
	// annotations; sysctl; unified.
	if want := 3 + 6*2 + 1 + 1 + 1; len(places) != want {
		t.Errorf("%d places take a newline, not %d:\n%s", len(places), want, strings.Join(places, "\n"))
	}
}

func TestDepth(t *testing.T) {
	for _, depth := range []int{maxDepth - 1, maxDepth} {
		for _, open := range []string{"[", `{"a":`} {
			closing := strings.NewReplacer("[", "]", `{"a":`, "}").Replace(open)
			text := `{"x":` + strings.Repeat(open, depth) + "1" + strings.Repeat(closing, depth) + "}"
			_, _, err := Parse([]byte(text))
			if ok := depth < maxDepth; ok != (err == nil) {
				t.Errorf("%d levels of %s: %v", depth, open, err)
			}
		}
	}
	// Millions of brackets must not take millions of stack frames.
	_, _, err := Parse(bytes.Repeat([]byte(`{"linux":[`), MaxConfig/10))
	if err == nil {
		t.Error("brackets without end are accepted")
	}
	_, _, err = Parse([]byte(`{"x":` + strings.Repeat("[", 5<<20)))
	if err == nil || !strings.Contains(err.Error(), "nests deeper than 64 levels") {
		t.Errorf("brackets without end: %v", err)
	}
}

// A key without letters is none of the struct's, also where that has another embedded
// in it, which has no name of its own.
func TestEmptyKeyIsUnknown(t *testing.T) {
	s, warnings, err := Parse([]byte(`{"linux":{"resources":{"blockIO":{"weightDevice":[{"":{"major":8},"weight":7}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Linux.Resources.BlockIO.WeightDevice[0]; d.Major != 0 || *d.Weight != 7 || len(warnings) != 1 {
		t.Errorf("got %+v, warnings %q", d, warnings)
	}
}

// What a huge or hostile config makes brig print is bounded.
func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("k", 1<<20)
	var many strings.Builder
	many.WriteString("{")
	for i := range 100000 {
		fmt.Fprintf(&many, `"unknown%d":0,`, i)
	}
	many.WriteString(`"hostname":"h"}`)
	s, warnings, err := Parse([]byte(many.String()))
	if err != nil || s.Hostname != "h" {
		t.Fatal(err)
	}
	if len(warnings) != maxWarnings+1 || warnings[maxWarnings] != "99936 more unknown keys, ignored" {
		t.Errorf("%d warnings, the last %q", len(warnings), warnings[len(warnings)-1])
	}
	if _, _, err := Parse([]byte(many.String()[:many.Len()-1] + `,"unknown99999":0}`)); err == nil {
		t.Error("the last of many unknown keys is there twice")
	}
	if _, warnings, _ = Parse([]byte(`{"` + long + `":1}`)); len(warnings) != 1 || len(warnings[0]) > 256 {
		t.Errorf("%d warnings for a long key", len(warnings))
	}
	for _, text := range []string{
		`{"annotations":{"` + long + `":1}}`,
		`{"process":{"user":{"uid":` + strings.Repeat("1", 1<<20) + `}}}`,
		`{"process":{"user":{"uid":1` + strings.Repeat("e", 1<<20) + `}}}`,
		`{"linux":{"resources":{"memory":{"limit":` + strings.Repeat("1", 1<<20) + `}}}}`,
		`{"x":` + strings.Repeat(".", 1<<20) + `}`,
		`{"x":-` + strings.Repeat(".", 1<<20) + `}`,
	} {
		if _, _, err := Parse([]byte(text)); err == nil || len(err.Error()) > 512 {
			t.Errorf("%.40s…: %.600v", text, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	data := append([]byte("{}"), bytes.Repeat([]byte(" "), MaxConfig-2)...)
	if _, _, err := Parse(data); err != nil {
		t.Errorf("%d bytes: %v", len(data), err)
	}
	if _, _, err := Parse(append(data, ' ')); err == nil || err.Error() != "the config has 10485761 bytes, more than 10485760" {
		t.Errorf("one byte more: %v", err)
	}
}

// A position is that of the byte that is wrong.
func TestPositions(t *testing.T) {
	text := "{\n\t\"process\": {\n\t\t\"args\": [\"a\"; \"b\"]\n\t}\n}"
	_, _, err := Parse([]byte(text))
	want := `/process/args: line 3, column 15: ';' where ',' or ']' should be`
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// What the decoder takes for granted of the types.
func TestTypesOfTheSpec(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(typ.Elem())
		case reflect.Map:
			if typ.Key() != reflect.TypeFor[string]() {
				t.Errorf("%s has keys that are no strings", typ)
			}
			visit(typ.Elem())
		case reflect.Struct:
			anonymous := 0
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Anonymous {
					anonymous++
				} else if jsonName(&f) == "" || jsonName(&f) == "-" || !f.IsExported() || strings.Contains(string(f.Tag), ",string") {
					t.Errorf("%s.%s has the tag %s", typ, f.Name, f.Tag)
				}
				visit(f.Type)
			}
			if anonymous > 1 || typ.NumField() > embedded {
				t.Errorf("%s has %d fields and %d embedded structs", typ, typ.NumField(), anonymous)
			}
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Interface:
		default:
			t.Errorf("%s is of a kind that the decoder does not know", typ)
		}
		for _, unmarshaler := range []reflect.Type{typ, reflect.PointerTo(typ)} {
			if unmarshaler.Implements(reflect.TypeFor[json.Unmarshaler]()) {
				t.Errorf("%s decodes itself", typ)
			}
		}
	}
	visit(reflect.TypeFor[specs.Spec]())
}

func FuzzParse(f *testing.F) {
	full := new(specs.Spec)
	fill(reflect.ValueOf(full).Elem())
	data, err := json.Marshal(full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(baseConfig))
	f.Add([]byte(`{"x":[1,-2.5e+3,"\ud83d\ude00",{"y":null}],"process":{"user":{"uid":1}}}`))
	f.Add([]byte(`{"linux":{"resources":{"blockIO":{"weightDevice":[{"major":8,"weight":1}]},"rdma":{"d":{}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, warnings, err := Parse(data)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\n\x00") {
				t.Errorf("not one line: %q", text)
			}
			return
		}
		for _, w := range warnings {
			if strings.ContainsAny(w, "\n\x00\x1b") {
				t.Errorf("not one line: %q", w)
			}
		}
		compareWithStandard(t, data, s, warnings, nil)
		if _, err := Validate(s, Options{Rootless: true}); err != nil && strings.Contains(err.Error(), "BUG") {
			t.Error(err)
		}
	})
}
