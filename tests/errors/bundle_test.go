package errors_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// newWorld makes a bundle whose container would run and exit with 0.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{
		dir: dir, bundle: dir + "/bundle", rootfs: dir + "/bundle/rootfs", state: dir + "/state", log: dir + "/log", id: "errors",
	}
	for _, d := range [...]string{"bin", "proc", "dev", "sys", "tmp", "home"} {
		mkdir(t, w.rootfs+"/"+d)
	}
	write(t, w.rootfs+"/bin/true", string(trueProgram()), 0o755)
	write(t, w.rootfs+"/etc/passwd", "root:x:0:0::/:/bin/true\n", 0o644)
	return w
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	mkdir(t, filepath.Dir(name))
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// config writes the config of a row.
func (w *world) config(t *testing.T, r *row) {
	t.Helper()
	text := r.raw
	if text == "" {
		text = patched(t, r.patch)
	}
	write(t, w.bundle+"/config.json", text, 0o644)
}

// patched is the base config with a merge patch (RFC 7396).
func patched(t *testing.T, patch string) string {
	t.Helper()
	base, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	if patch == "" {
		return string(base)
	}
	var config, p any
	if err := json.Unmarshal(base, &config); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(patch), &p); err != nil {
		t.Fatalf("patch: %v", err)
	}
	out, err := json.Marshal(merge(config, p))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func merge(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(t, k)
		} else {
			t[k] = merge(t[k], v)
		}
	}
	return t
}
