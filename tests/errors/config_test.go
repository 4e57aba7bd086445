package errors_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// deep is an array in an array, n times.
func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func configIs(make func(name string) error) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		name := w.bundle + "/config.json"
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if make == nil {
			return
		}
		if err := make(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFile is about the file config.json and its bytes.
func TestFile(t *testing.T) {
	check(t, []row{
		{name: "missing", prepare: configIs(nil), want: want{op: "open the config", errno: "ENOENT"}},
		{name: "directory", prepare: configIs(func(n string) error { return os.Mkdir(n, 0o755) }), want: want{op: "is not a regular file"}},
		{name: "fifo", prepare: configIs(func(n string) error { return unix.Mkfifo(n, 0o644) }), want: want{op: "is not a regular file"}},
		{name: "device", prepare: configIs(func(n string) error { return os.Symlink("/dev/zero", n) }), want: want{op: "is not a regular file"}},
		{name: "link loop", prepare: configIs(func(n string) error { return os.Symlink("config.json", n) }), want: want{op: "open the config", errno: "ELOOP"}},
		{
			name: "100 MB", prepare: configIs(func(n string) error { return os.WriteFile(n, make([]byte, 100<<20), 0o644) }),
			want: want{op: "has 104857600 bytes, more than 10485760"},
		},
		{name: "0 bytes", prepare: configIs(func(n string) error { return os.WriteFile(n, nil, 0o644) }), want: want{op: "the config is empty"}},
		{name: "white space", raw: " \n\t ", want: want{op: "the config is empty"}},
		{name: "no JSON", raw: "ociVersion: 1.3.0\n", want: want{op: "line 1, column 1: "}},
		{name: "binary", raw: "\x7fELF\x02\x01", want: want{op: "line 1, column 1: "}},
		{name: "byte order mark", raw: "\ufeff{}", want: want{op: "line 1, column 1: "}},
		{name: "null", raw: "null", want: want{op: "null where an object should be"}},
		{name: "a list", raw: "[]", want: want{op: "where an object should be"}},
		{name: "cut off", raw: `{"ociVersion": "1.3.0", "process": {`, want: want{pointer: "/process", op: "line 1, column 37: the config ends where"}},
		{name: "cut off in a string", raw: `{"ociVersion": "1.3`, want: want{pointer: "/ociVersion", op: "a string has no end"}},
		{name: "trailing data", raw: "{}\n{}", want: want{op: "line 2, column 1: something follows the config"}},
		{name: "depth 10000 in an unknown key", raw: `{"x": ` + deep(10000) + `}`, want: want{op: "nests deeper than 64 levels"}},
		{name: "depth 10000 without an end", raw: strings.Repeat(`{"x":`, 10000), want: want{op: "nests deeper than 64 levels"}},
		{name: "duplicate key", raw: `{"ociVersion": "1.3.0", "ociVersion": "1.3.0"}`, want: want{pointer: "/ociVersion", op: "the key is there twice"}},
		{
			name: "duplicate key of a map", raw: `{"ociVersion": "1.3.0", "annotations": {"a": "1", "a": "2"}}`,
			want: want{pointer: "/annotations/a", op: "the key is there twice"},
		},
		{name: "a comma too many", raw: `{"ociVersion": "1.3.0",}`, want: want{op: "line 1, column 24: "}},
		{name: "a comment", raw: "{ // no\n}", want: want{op: "line 1, column 3: "}},
		{name: "half a surrogate pair", raw: `{"ociVersion": "\ud800"}`, want: want{pointer: "/ociVersion", op: "half of a surrogate pair"}},
		{name: "no UTF-8", raw: "{\"ociVersion\": \"1.\xff\"}", want: want{pointer: "/ociVersion", op: "a string is not UTF-8"}},
		{name: "newline as it is in a string", raw: "{\"ociVersion\": \"1.\n\"}", want: want{pointer: "/ociVersion", op: "the control character 0x0a in a string"}},
	})
}

// TestTypes is about values of the wrong type, and numbers that are none.
func TestTypes(t *testing.T) {
	uid := func(value string) string {
		return `{"ociVersion": "1.3.0", "process": {"user": {"uid": ` + value + `}}}`
	}
	const pointer = "/process/user/uid"
	check(t, []row{
		{name: "args is a string", patch: `{"process": {"args": "/bin/true"}}`, want: want{pointer: "/process/args", op: "where a list should be"}},
		{name: "args holds a number", patch: `{"process": {"args": ["/bin/true", 1]}}`, want: want{pointer: "/process/args/1", op: "where a string should be"}},
		{name: "process is a list", patch: `{"process": []}`, want: want{pointer: "/process", op: "where an object should be"}},
		{name: "readonly is a string", patch: `{"root": {"readonly": "true"}}`, want: want{pointer: "/root/readonly", op: "where true or false should be"}},
		{name: "mounts is an object", patch: `{"mounts": {}}`, want: want{pointer: "/mounts", op: "where a list should be"}},
		{name: "hostname is an object", patch: `{"hostname": {}}`, want: want{pointer: "/hostname", op: "where a string should be"}},
		{name: "a key with a slash and a tilde", patch: `{"annotations": {"a/b~c": 1}}`, want: want{pointer: "/annotations/a~1b~0c", op: "where a string should be"}},
		{name: "uid -1", raw: uid("-1"), want: want{pointer: pointer, op: "-1 is not between 0 and 4294967295"}},
		{name: "uid 4294967295", patch: `{"process": {"user": {"uid": 4294967295}}}`, want: want{pointer: pointer, op: `4294967295 is not an id, it means "no change"`}},
		{name: "uid 4294967296", raw: uid("4294967296"), want: want{pointer: pointer, op: "4294967296 is not between 0 and 4294967295"}},
		{name: "uid 2^64", raw: uid("18446744073709551616"), want: want{pointer: pointer, op: "is not between 0 and 4294967295"}},
		{name: "uid 1e3", raw: uid("1e3"), want: want{pointer: pointer, op: "1e3 is not a whole number in plain digits"}},
		{name: "uid 1.0", raw: uid("1.0"), want: want{pointer: pointer, op: "1.0 is not a whole number in plain digits"}},
		{name: "uid 010", raw: uid("010"), want: want{pointer: pointer, op: "010 is not a whole number in plain digits"}},
		{name: "uid -0x1", raw: uid("0x1"), want: want{op: "line 1, column"}},
		{name: `uid "0"`, raw: uid(`"0"`), want: want{pointer: pointer, op: "where a whole number should be"}},
		{name: "uid true", raw: uid("true"), want: want{pointer: pointer, op: "a whole number should be"}},
		{name: "uid null", raw: uid("null"), want: want{pointer: pointer, op: "null where a whole number should be"}},
		{
			name: "additional gid beyond 32 bits", patch: `{"process": {"user": {"additionalGids": [1, 4294967296]}}}`,
			want: want{pointer: "/process/user/additionalGids/1", op: "is not between 0 and 4294967295"},
		},
		{
			name: "rlimit below 0", patch: `{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": -1, "hard": 1}]}}`,
			want: want{pointer: "/process/rlimits/0/soft", op: "-1 is not between 0 and 18446744073709551615"},
		},
	})
}
