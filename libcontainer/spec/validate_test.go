package spec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestRules runs the cases of testdata/rules.txt. A namespace file named
// /run/netns/host stands for brig's own.
func TestRules(t *testing.T) {
	testBlocks(t, "testdata/rules.txt", func(t *testing.T, input []string) []string {
		o := Options{OwnNamespace: func(_ specs.LinuxNamespaceType, path string) bool { return path == "/run/netns/host" }}
		if input[0] == "rootless" {
			o.Rootless = true
			input = input[1:]
		}
		if input[0] == "base" {
			input = input[1:]
		}
		s, unknown, err := Parse(configWith(t, input...))
		if err != nil || len(unknown) > 0 {
			t.Fatalf("the case does not parse: %v %q", err, unknown)
		}
		return lines(Validate(s, o))
	})
}

// Every rule reports at or below its own section, and every fault is one of the
// config.
func TestRulesKeepToTheirSection(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	reported := make(map[string]int)
	for _, part := range strings.Split(string(text), "\n\n") {
		input := slices.DeleteFunc(readBlock(part).input, func(s string) bool { return !strings.HasPrefix(s, "/") })
		s, _, err := Parse(configWith(t, input...))
		if err != nil {
			t.Fatal(err)
		}
		for n, r := range rules() {
			c := newCheck(s, Options{Rootless: true})
			r.run(c)
			for _, e := range c.faults {
				reported[fmt.Sprint(n)]++
				if e.Class != fault.Config || e.Pointer == "" || !strings.HasPrefix(e.Pointer, r.section) {
					t.Errorf("the rule for %q reports %s", r.section, e)
				}
			}
			for _, w := range c.warnings {
				reported[fmt.Sprint(n)]++
				if !strings.HasPrefix(w, r.section+"/") && !strings.HasPrefix(w, r.section+":") {
					t.Errorf("the rule for %q warns %s", r.section, w)
				}
			}
		}
	}
	for n, r := range rules() {
		if reported[fmt.Sprint(n)] == 0 {
			t.Errorf("no case of testdata/rules.txt breaks rule %d, for %q", n, r.section)
		}
	}
}

// All faults of a config come together, in the same order each time.
func TestFaultsTogether(t *testing.T) {
	data := configWith(t,
		`/process/cwd = "x"`, `/process/user/uid = 4294967295`, `/root/path = ""`, `/hostname = "h"`,
		`/linux/namespaces = []`, `/linux/sysctl = {"kernel.panic": "1", "net.a": "1", "vm.x": "1", "fs.y": "1"}`)
	s, _, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	_, first := Validate(s, Options{})
	var list fault.List
	if !errors.As(first, &list) || len(list) != 8 {
		t.Fatalf("%d faults: %v", len(list), first)
	}
	for range 20 {
		if _, again := Validate(s, Options{}); again.Error() != first.Error() {
			t.Fatalf("\n%v\nthen\n%v", first, again)
		}
	}
}

// An empty config is many faults and no panic, and so is one without any of its
// sections.
func TestValidateEmpty(t *testing.T) {
	_, err := Validate(new(specs.Spec), Options{Rootless: true})
	got := lines(nil, err)
	want := []string{
		"! /ociVersion: the version of the specification is missing",
		"! /root: the root file system is missing",
		"! /process: the process is missing",
		"! /linux/namespaces: an ordinary user needs a user namespace for a container",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}

// Configs that a program makes do not pass the decoder, which refuses NUL.
func TestValidateNUL(t *testing.T) {
	const nul = "/a\x00b"
	for pointer, set := range map[string]func(*specs.Spec){
		"/root/path":            func(s *specs.Spec) { s.Root.Path = nul },
		"/process/cwd":          func(s *specs.Spec) { s.Process.Cwd = nul },
		"/process/args/0":       func(s *specs.Spec) { s.Process.Args = []string{nul} },
		"/process/env/0":        func(s *specs.Spec) { s.Process.Env = []string{"a=" + nul} },
		"/mounts/0/destination": func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: nul, Type: "tmpfs"}} },
		"/mounts/0/source":      func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/a", Type: "tmpfs", Source: nul}} },
		"/mounts/0/type":        func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/a", Type: nul}} },
		"/mounts/0/options/0": func(s *specs.Spec) {
			s.Mounts = []specs.Mount{{Destination: "/a", Type: "tmpfs", Options: []string{nul}}}
		},
		"/linux/namespaces/0/path": func(s *specs.Spec) { s.Linux.Namespaces[0] = specs.LinuxNamespace{Type: "network", Path: nul} },
		"/linux/devices/0/path":    func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: nul, Type: "c"}} },
		"/linux/maskedPaths/0":     func(s *specs.Spec) { s.Linux.MaskedPaths = []string{nul} },
		"/linux/sysctl/net.a":      func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.a": nul} },
	} {
		s, _, err := Parse([]byte(baseConfig))
		if err != nil {
			t.Fatal(err)
		}
		set(s)
		_, err = Validate(s, Options{OwnNamespace: func(specs.LinuxNamespaceType, string) bool { return false }})
		var e *fault.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: a NUL is accepted", pointer)
			continue
		}
		if !slices.ContainsFunc(err.(fault.List), func(e *fault.Error) bool { return e.Pointer == pointer }) {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

func TestMapOfManyRanges(t *testing.T) {
	s, _, err := Parse(configWith(t, `/linux/namespaces/- = {"type": "user"}`, `/linux/gidMappings = [{"containerID":0,"hostID":0,"size":1}]`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint32(340) {
		s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: i, HostID: 100 + i, Size: 1})
	}
	if _, err := Validate(s, Options{}); err != nil {
		t.Errorf("340 ranges: %v", err)
	}
	s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 340, HostID: 999, Size: 1})
	_, err = Validate(s, Options{})
	if want := "/linux/uidMappings: 341 mappings are more than the 340 of the kernel"; err == nil || err.Error() != want {
		t.Errorf("341 ranges: %v", err)
	}
}

// A large config that is all wrong is refused in a time that
// does not grow with the square of its size, and in few words.
func TestHugeLists(t *testing.T) {
	long := func(head, element, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := 0; b.Len() < MaxConfig/5; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(element, "N", strconv.Itoa(i)))
		}
		return b.String() + tail
	}
	for name, text := range map[string]string{
		"different mounts":  long(`{"mounts":[`, `{"destination":"/N"}`, `]}`),
		"the same mounts":   long(`{"mounts":[`, `{"destination":"/a"}`, `]}`),
		"options":           long(`{"mounts":[{"destination":"/a","options":[`, `"bind","x=N"`, `]}]}`),
		"different devices": long(`{"linux":{"devices":[`, `{"path":"/N"}`, `]}}`),
		"devices":           long(`{"linux":{"devices":[`, `{"type":"c","path":"/N"}`, `]}}`),
		"mappings":          long(`{"linux":{"namespaces":[{"type":"user"}],"uidMappings":[`, `{"size":1}`, `]}}`),
		"mapped groups":     long(`{"process":{"user":{"additionalGids":[`, `N`, `]}},"linux":{"namespaces":[{"type":"user"}],"gidMappings":[{"size":1}]}}`),
		"namespaces":        long(`{"linux":{"sysctl":{"net.a":"1"},"namespaces":[`, `{"type":"pid"}`, `]}}`),
		"sysctl":            long(`{"linux":{"sysctl":{`, `"net.N":"1"`, `}}}`),
		"env":               long(`{"process":{"env":[`, `"N"`, `]}}`),
		"capabilities":      long(`{"process":{"capabilities":{"bounding":[`, `"N"`, `]}}}`),
		"rlimits":           long(`{"process":{"rlimits":[`, `{"type":"N"}`, `]}}`),
		"annotations":       long(`{"annotations":{`, `"N":""`, `}}`),
		"unknown keys":      long(`{"process":{`, `"N":0`, `}}`),
		"masked paths":      long(`{"linux":{"maskedPaths":[`, `"N"`, `]}}`),
	} {
		s, unknown, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		warnings, err := Validate(s, Options{})
		if err == nil || len(err.(fault.List)) > maxFaults+1 || len(unknown)+len(warnings) > 2*(maxWarnings+1) {
			t.Errorf("%s: %d warnings, %v", name, len(warnings), err)
		}
	}
}

func TestMoreThanCanBeTold(t *testing.T) {
	s, _, err := Parse([]byte(baseConfig))
	if err != nil {
		t.Fatal(err)
	}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: make([]string, 70)}
	warnings, err := Validate(s, Options{})
	if err != nil || len(warnings) != maxWarnings+1 || warnings[maxWarnings] != "6 more faults and warnings" {
		t.Errorf("%q, %v", warnings, err)
	}
	s.Process.Env = make([]string, 110)
	warnings, err = Validate(s, Options{})
	list, ok := err.(fault.List)
	if !ok || len(warnings) != maxWarnings || len(list) != maxFaults+1 || list[maxFaults].Error() != "16 more faults and warnings" {
		t.Errorf("%d warnings, %v", len(warnings), err)
	}
}

func TestGroups(t *testing.T) {
	s, _, err := Parse([]byte(baseConfig))
	if err != nil {
		t.Fatal(err)
	}
	s.Process.User.AdditionalGids = make([]uint32, 65536)
	if _, err := Validate(s, Options{}); err != nil {
		t.Errorf("65536 groups: %v", err)
	}
	s.Process.User.AdditionalGids = make([]uint32, 65537)
	_, err = Validate(s, Options{})
	if want := "/process/user/additionalGids: 65537 groups are more than the 65536 of the kernel"; err == nil || err.Error() != want {
		t.Errorf("65537 groups: %v", err)
	}
}

// The specification wants a warning for what cannot be granted, and a container.
func TestWithheldCapabilities(t *testing.T) {
	s, _, err := Parse(configWith(t, `/process/capabilities = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_KILL"]}`))
	if err != nil {
		t.Fatal(err)
	}
	n, _ := CapabilityNumber("CAP_KILL")
	warnings, err := Validate(s, Options{Withheld: 1 << n})
	want := []string{
		"/process/capabilities/bounding/0: brig does not hold CAP_KILL itself, so it is not granted",
		"/process/capabilities/inheritable/0: brig does not hold CAP_KILL itself, so it is not granted",
	}
	if err != nil || !slices.Equal(warnings, want) {
		t.Errorf("got %q, %v", warnings, err)
	}
}

// The kernel is asked which namespace a path is: a link to brig's own is brig's own.
func TestOwnNamespace(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "ns"), filepath.Join(dir, "file")
	if err := os.Symlink("/proc/self/ns/net", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{link: true, "/proc/self/ns/net": true, dir + "/none": true, file: false, "/proc/self/ns/ipc": false} {
		if got := ownNamespace(specs.NetworkNamespace, path); got != want {
			t.Errorf("ownNamespace(%s) = %t", path, got)
		}
		s, _, err := Parse(configWith(t, `/linux/sysctl = {"net.core.somaxconn": "1"}`))
		if err != nil {
			t.Fatal(err)
		}
		s.Linux.Namespaces[4].Path = path
		if _, err := Validate(s, Options{}); (err != nil) != want {
			t.Errorf("net.* with the namespace %s: %v", path, err)
		}
	}
	if !ownNamespace(specs.IPCNamespace, "/proc/self/ns/ipc") {
		t.Error("the own ipc namespace is taken for another one")
	}
}

// fieldTable reads testdata/fields.txt: how brig treats each field of the
// runtime-spec, by pointer pattern.
func fieldTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		how, pattern, ok := strings.Cut(line, " ")
		if !ok || table[pattern] != "" {
			t.Fatalf("testdata/fields.txt: %q", line)
		}
		table[pattern] = how
	}
	return table
}

// Every field of the runtime-spec is accounted for. When a new version of it adds
// one, this test fails until somebody decides what brig does with it.
func TestEveryField(t *testing.T) {
	table := fieldTable(t)
	used := make(map[string]bool)
	walkFields(reflect.TypeFor[specs.Spec](), "", func(pattern string) bool {
		how := table[pattern]
		used[pattern] = true
		switch how {
		case "accepted":
			return true
		case "refused", "warned":
			return false
		}
		t.Errorf("%s is neither accepted nor refused: decide, and say so in testdata/fields.txt", pattern)
		return false
	})
	for pattern := range table {
		if !used[pattern] {
			t.Errorf("testdata/fields.txt has %s, which the runtime-spec has not", pattern)
		}
	}
}

// What the table calls refused is refused at its pointer, what it calls warned is
// warned of, and what it calls accepted is not called unsupported.
func TestEveryFieldAsTheTableSays(t *testing.T) {
	for pattern, how := range fieldTable(t) {
		s, _, err := Parse([]byte(baseConfig))
		if err != nil {
			t.Fatal(err)
		}
		pointer := setField(t, reflect.ValueOf(s).Elem(), pattern)
		warnings, err := Validate(s, Options{})
		all := strings.Join(lines(warnings, err), "\n")
		at := slices.ContainsFunc(strings.Split(all, "\n"), func(l string) bool {
			return l == "! "+pointer+": "+otherPlatform
		})
		switch how {
		case "refused":
			if !at {
				t.Errorf("%s is not refused:\n%s", pointer, all)
			}
		case "warned":
			if !strings.Contains(all, "? "+pointer+": ") {
				t.Errorf("%s is not warned of:\n%s", pointer, all)
			}
		default:
			if at {
				t.Errorf("%s is refused:\n%s", pointer, all)
			}
		}
	}
}

// walkFields visits the fields of a type by pointer, with * for each element, and
// what is below those for which visit returns true.
func walkFields(typ reflect.Type, at string, visit func(pattern string) bool) {
	switch typ.Kind() {
	case reflect.Pointer:
		walkFields(typ.Elem(), at, visit)
	case reflect.Slice, reflect.Map:
		if e := typ.Elem(); e.Kind() == reflect.Struct {
			walkFields(e, at+"/*", visit)
		}
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := jsonName(&f)
			if name == "" {
				walkFields(f.Type, at, visit)
			} else if visit(at + "/" + name) {
				walkFields(f.Type, at+"/"+name, visit)
			}
		}
	}
}

// setField sets the field of a pattern to something, and returns its pointer.
func setField(t *testing.T, v reflect.Value, pattern string) string {
	t.Helper()
	pointer := ""
	for _, key := range strings.Split(pattern, "/")[1:] {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Slice:
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			}
			v, key = v.Index(0), "0"
		case reflect.Map:
			// The elements of maps are looked at as a whole.
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("k"), reflect.New(v.Type().Elem()).Elem())
			return pointer + "/k"
		default:
			field, _, ok := findField(v, key, 0)
			if !ok {
				t.Fatalf("no field %s in %s", key, v.Type())
			}
			v = field
		}
		pointer += "/" + key
	}
	fill(v)
	return pointer
}

// fill sets v to something that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		v.SetMapIndex(reflect.ValueOf("k"), e)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf(true))
	default:
		if v.CanInt() {
			v.SetInt(1)
		} else {
			v.SetUint(1)
		}
	}
}
