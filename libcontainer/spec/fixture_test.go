package spec

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"brig/libcontainer/fault"
)

// With -update the fixtures are written anew; read the difference before you
// commit it.
var update = flag.Bool("update", false, "write the expected lines of the fixtures")

// block is one case of a fixture: lines of input, then lines of expectation, which
// start with "! " (a fault) or "? " (a warning).
type block struct {
	comment string
	input   []string
	want    []string
}

// testBlocks runs every block of a fixture. The blocks are separated by empty
// lines; lines with # are comments.
func testBlocks(t *testing.T, file string, run func(t *testing.T, input []string) []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	blocks := 0
	for _, part := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		b := readBlock(part)
		if len(b.input) == 0 {
			out.WriteString(b.comment + "\n")
			continue
		}
		blocks++
		var got []string
		t.Run(strings.Join(b.input, " "), func(t *testing.T) {
			got = run(t, b.input)
			if g, w := strings.Join(got, "\n"), strings.Join(b.want, "\n"); g != w && !*update {
				t.Errorf("got:\n%s\nwant:\n%s", g, w)
			}
		})
		out.WriteString(b.comment + strings.Join(append(b.input, got...), "\n") + "\n\n")
	}
	t.Logf("%d cases", blocks)
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimSpace(out.String())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readBlock(part string) block {
	var b block
	for line := range strings.Lines(part) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			b.comment += line + "\n"
		case strings.HasPrefix(line, "! "), strings.HasPrefix(line, "? "):
			b.want = append(b.want, line)
		default:
			b.input = append(b.input, line)
		}
	}
	return b
}

// lines are the faults and warnings as fixtures have them.
func lines(warnings []string, err error) []string {
	var out []string
	var list fault.List
	switch {
	case errors.As(err, &list):
		for _, e := range list {
			out = append(out, "! "+e.Error())
		}
	case err != nil:
		out = append(out, "! "+err.Error())
	}
	for _, w := range warnings {
		out = append(out, "? "+w)
	}
	return out
}

// baseConfig is the least that can be run.
const baseConfig = `{
	"ociVersion": "1.3.0",
	"root": {"path": "rootfs"},
	"process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}},
	"linux": {"namespaces": [
		{"type": "mount"}, {"type": "pid"}, {"type": "uts"}, {"type": "ipc"}, {"type": "network"}
	]}
}`

// change sets or removes the value at a pointer: `/a/b = JSON`, or `/a/b -`. The
// index - is the one after the last.
func change(t *testing.T, config any, line string) any {
	t.Helper()
	pointer, text, set := strings.Cut(line, " = ")
	if !set {
		var ok bool
		if pointer, ok = strings.CutSuffix(line, " -"); !ok {
			t.Fatalf("neither `pointer = value` nor `pointer -`: %s", line)
		}
	}
	var value any
	if set {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return changeAt(t, config, strings.Split(pointer, "/")[1:], value, set)
}

func changeAt(t *testing.T, in any, path []string, value any, set bool) any {
	t.Helper()
	if len(path) == 0 {
		return value
	}
	key := strings.ReplaceAll(strings.ReplaceAll(path[0], "~1", "/"), "~0", "~")
	switch node := in.(type) {
	case nil:
		if path[0] == "-" || path[0] == "0" {
			return []any{changeAt(t, nil, path[1:], value, set)}
		}
		return map[string]any{key: changeAt(t, nil, path[1:], value, set)}
	case map[string]any:
		if len(path) == 1 && !set {
			delete(node, key)
			return node
		}
		node[key] = changeAt(t, node[key], path[1:], value, set)
		return node
	case []any:
		if key == "-" {
			return append(node, changeAt(t, nil, path[1:], value, set))
		}
		i, err := strconv.Atoi(key)
		if err != nil {
			t.Fatal(err)
		}
		node[i] = changeAt(t, node[i], path[1:], value, set)
		return node
	}
	t.Fatalf("nothing below %v", in)
	return nil
}

// configWith is the base config with changes.
func configWith(t *testing.T, changes ...string) []byte {
	t.Helper()
	var config any
	d := json.NewDecoder(strings.NewReader(baseConfig))
	d.UseNumber()
	if err := d.Decode(&config); err != nil {
		t.Fatal(err)
	}
	for _, line := range changes {
		config = change(t, config, line)
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
