package seccomp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const small = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}`

// entry loads a profile and returns its file in the cache.
func entryOf(t *testing.T, c Cache, p *specs.LinuxSeccomp) (*Filter, string) {
	t.Helper()
	f, err := c.Load(p)
	if err != nil {
		t.Fatal(err)
	}
	return f, c.path(c.key(p))
}

func TestCacheHit(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	p := profileOf(t, small)
	f, path := entryOf(t, c, p)
	for file, mode := range map[string]os.FileMode{c.Dir: 0o700 | os.ModeDir, path: 0o600} {
		if st, err := os.Stat(file); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v %v", file, st.Mode(), err)
		}
	}
	// Another filter under the same key is what a hit returns.
	other := &Filter{Program: append(bytes.Clone(f.Program), f.Program...), Flags: 6, Listener: true}
	if err := os.WriteFile(path, encode(c.key(p), other), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := c.Load(p)
	if err != nil || !bytes.Equal(got.Program, other.Program) || got.Flags != 6 || !got.Listener {
		t.Errorf("got %+v %v", got, err)
	}
}

// Whatever is wrong with an entry, the filter is compiled anew and replaces it.
func TestCacheMistrusts(t *testing.T) {
	p := profileOf(t, small)
	wrong := &Filter{Program: bytes.Repeat([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}, 3)}
	key := Cache{}.key(p)
	valid := encode(key, wrong)
	change := func(i int) []byte {
		b := bytes.Clone(valid)
		b[i] ^= 1
		return b
	}
	for name, spoil := range map[string]func(path string) error{
		"empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"truncated":   func(path string) error { return os.WriteFile(path, valid[:len(valid)-1], 0o600) },
		"header only": func(path string) error { return os.WriteFile(path, valid[:cacheHeader], 0o600) },
		"no program":  func(path string) error { return os.WriteFile(path, encode(key, &Filter{}), 0o600) },
		"half insn": func(path string) error {
			return os.WriteFile(path, encode(key, &Filter{Program: make([]byte, 12)}), 0o600)
		},
		"other key": func(path string) error {
			return os.WriteFile(path, encode(strings.Repeat("0", len(key)), wrong), 0o600)
		},
		"shorter key": func(path string) error { return os.WriteFile(path, encode(key[1:], wrong), 0o600) },
		"key length":  func(path string) error { return os.WriteFile(path, change(len(cacheMagic)+16), 0o600) },
		"magic":       func(path string) error { return os.WriteFile(path, change(0), 0o600) },
		"flags":       func(path string) error { return os.WriteFile(path, change(len(cacheMagic)), 0o600) },
		"program":     func(path string) error { return os.WriteFile(path, change(cacheHeader+4), 0o600) },
		"checksum":    func(path string) error { return os.WriteFile(path, change(len(valid)-1), 0o600) },
		"too long": func(path string) error {
			return os.WriteFile(path, encode(key, &Filter{Program: make([]byte, maxProgram+8)}), 0o600)
		},
		"mode":         func(path string) error { return replace(path, valid, 0o620) },
		"directory":    func(path string) error { os.Remove(path); return os.Mkdir(path, 0o700) },
		"symbolic":     func(path string) error { os.Remove(path); return os.Symlink(elsewhere(t, valid), path) },
		"other owner":  func(path string) error { return otherOwner(path, valid) },
		"unreadable":   func(path string) error { return replace(path, valid, 0o200) },
		"gone":         os.Remove,
		"world access": func(path string) error { return replace(path, valid, 0o606) },
	} {
		c := Cache{Dir: t.TempDir()}
		f, path := entryOf(t, c, p)
		if err := spoil(path); err == errSkip {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		got, err := c.Load(p)
		if err != nil || !bytes.Equal(got.Program, f.Program) {
			t.Errorf("%s: got %+v %v", name, got, err)
		}
		if name == "directory" {
			continue // that one cannot be replaced, and is no reason to fail
		}
		if again, err := c.read(c.key(p)); err != nil || !bytes.Equal(again.Program, f.Program) {
			t.Errorf("%s: the entry was not replaced: %v", name, err)
		}
	}
}

var errSkip = os.ErrPermission

func replace(path string, b []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func elsewhere(t *testing.T, b []byte) string {
	path := filepath.Join(t.TempDir(), "entry")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func otherOwner(path string, b []byte) error {
	if os.Geteuid() != 0 {
		return errSkip
	}
	if err := replace(path, b, 0o600); err != nil {
		return err
	}
	return os.Chown(path, 1000, 1000)
}

// A cache that cannot be written costs time, and nothing else.
func TestCacheIsNotNeeded(t *testing.T) {
	file := elsewhere(t, nil)
	for _, dir := range []string{"", "/proc/no/such/dir", file, "/proc/self"} {
		f, err := Cache{Dir: dir}.Load(profileOf(t, small))
		if err != nil || len(f.Program) == 0 {
			t.Errorf("%q: %v", dir, err)
		}
	}
	if err := writeAll(-1, nil); err == nil {
		t.Error("a write to nowhere was well")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	for i := range maxEntries + 5 {
		if err := c.write(strings.Repeat("0", i+1), &Filter{Program: make([]byte, 8)}); err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadDir(c.Dir)
		if err != nil || len(list) > maxEntries || i == maxEntries && len(list) != 1 {
			t.Fatalf("%d files after %d filters, %v", len(list), i+1, err)
		}
	}
}

// All that changes a filter changes its key.
func TestKeys(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		`{"defaultAction": "SCMP_ACT_ALLOW"}`,
		`{"defaultAction": "SCMP_ACT_KILL"}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "flags": []}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SECCOMP_FILTER_FLAG_LOG"]}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 0}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}`,
		rules(`{"names": ["a"], "action": "b"}`),
		rules(`{"names": ["ab"], "action": ""}`),
		rules(`{"names": ["a", "b"], "action": ""}`),
		rules(`{"names": ["a"], "action": ""}, {"names": ["b"], "action": ""}`),
		rules(`{"names": ["a"], "action": "b", "errnoRet": 0}`),
		rules(`{"names": ["a"], "action": "b", "args": [{"index": 0, "value": 0, "op": "c"}]}`),
		rules(`{"names": ["a"], "action": "b", "args": [{"index": 1, "value": 0, "op": "c"}]}`),
		rules(`{"names": ["a"], "action": "b", "args": [{"index": 0, "value": 1, "op": "c"}]}`),
		rules(`{"names": ["a"], "action": "b", "args": [{"index": 0, "value": 0, "valueTwo": 1, "op": "c"}]}`),
		rules(`{"names": ["a"], "action": "b", "args": [{"index": 0, "value": 0, "op": "d"}]}`),
	} {
		key := Cache{}.key(profileOf(t, text))
		if first, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", first, text)
		}
		seen[key] = text
	}
}

// A profile too long for the cache is compiled every time.
func TestCacheOfLongKeys(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	if err := c.write(strings.Repeat("k", maxKey+1), &Filter{Program: make([]byte, 8)}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Dir); err == nil {
		t.Error("it was written")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(encode("k", &Filter{Program: make([]byte, 16), Flags: 4, Listener: true}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		filter, err := decode("k", raw)
		if err == nil && !bytes.Equal(encode("k", filter), raw) && raw[len(cacheMagic)+8] < 2 {
			t.Errorf("%x is another file than %x", encode("k", filter), raw)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	c := Cache{Dir: b.TempDir()}
	p := docker(b)
	if _, err := c.Load(p); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Load(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	p := docker(b)
	for b.Loop() {
		if _, err := (Cache{}).Load(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	p := docker(b)
	for b.Loop() {
		Cache{}.key(p)
	}
}
