package libcontainer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// What is kept of hooks comes back as it was, to the difference between no
// environment and brig's own.
func TestKeptHooks(t *testing.T) {
	second := 1
	hooks := &specs.Hooks{
		CreateRuntime: []specs.Hook{{Path: "/left"}},
		Poststart:     []specs.Hook{{Path: "/a", Args: []string{"\x01\"", "\xff"}, Env: []string{}}, {Path: "/b", Timeout: &second}},
		Poststop:      []specs.Hook{{Path: "/c", Env: []string{"A=b"}}},
	}
	rec := &record{ID: "x", Hooks: keep(hooks, false)}
	var again record
	if err := json.Unmarshal(rec.encode(), &again); err != nil {
		t.Fatal(err)
	}
	kept, err := again.kept()
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := kept.Poststart[0], kept.Poststart[1], kept.Poststop[0]
	if len(kept.Poststart) != 2 || a.Path != "/a" || a.Args[0] != "\x01\"" || a.Env == nil || len(a.Env) != 0 {
		t.Errorf("%+v", kept.Poststart)
	}
	if b.Env != nil || *b.Timeout != 1 || len(kept.Poststop) != 1 || c.Env[0] != "A=b" {
		t.Errorf("%+v %+v", b, c)
	}
	if keep(nil, true) != nil || keep(&specs.Hooks{CreateRuntime: hooks.CreateRuntime}, true) != nil {
		t.Error("something is kept of no hooks")
	}
	again.Hooks = json.RawMessage(`{"poststop":[1]}`)
	if _, err := again.kept(); err == nil || !strings.Contains(err.Error(), `the hooks in state.json of "x" are damaged`) {
		t.Errorf("%v", err)
	}
	warned := ""
	(&Runtime{Warn: func(s string) { warned = s }}).poststop(&again)
	if !strings.Contains(warned, "are damaged") {
		t.Errorf("warned %q", warned)
	}
}

// A state of any size reaches a hook that does not read it, and cannot be changed.
func TestHookStdin(t *testing.T) {
	state := []byte(strings.Repeat("x", 1<<20))
	fd, err := stateFD(state)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Pwrite(fd, []byte("y"), 0); err != unix.EPERM {
		t.Errorf("write: %v", err)
	}
	got := make([]byte, len(state)+1)
	if n, err := unix.Read(fd, got); err != nil || string(got[:n]) != string(state) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
