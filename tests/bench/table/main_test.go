package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	fastRound = `{"results":[{"command":"brig","times":[0.004,0.004,0.004]},{"command":"crun","times":[0.008,0.008,0.1]},{"command":"runc","times":[0.02]}]}`
	slowRound = `{"results":[{"command":"runc","times":[0.045]},{"command":"crun","times":[0.016]},{"command":"brig","times":[0.009]}]}`
	version   = `{"results":[{"command":"brig --version","times":[0.003]},{"command":"empty Go program","times":[0.002]}]}`
)

// others are rounds of what a test is not about.
func others(t *testing.T, dir string) {
	t.Helper()
	write(t, dir, "row-1.json", `{"results":[{"command":"brig in a row","times":[0.003]},{"command":"crun in a row","times":[0.004]}]}`)
	write(t, dir, "exec-1.json", `{"results":[{"command":"brig exec","times":[0.001]},{"command":"crun exec","times":[0.002]},{"command":"runc exec","times":[0.01]}]}`)
	write(t, dir, "filter-1.json", `{"results":[{"command":"brig with a filter","times":[0.0055]},{"command":"brig without","times":[0.005]}]}`)
}

func TestTable(t *testing.T) {
	dir := t.TempDir()
	others(t, dir)
	write(t, dir, "run-1.json", fastRound)
	write(t, dir, "run-2.json", slowRound)
	write(t, dir, "version-1.json", version)
	var out strings.Builder
	if err := run([]string{dir, "stage_bytes=1880"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| brig | 5.25 ± 2.50 ms | 4.00 ms | 4.00 ms | 4 |",
		"| brig ÷ crun | 0.50 | **0.53** | 0.56 |",
		"| brig ÷ runc | 0.20 | **0.20** | 0.20 |",
		"| brig in a row ÷ crun in a row | 0.75 | **0.75** | 0.75 |",
		"| brig exec ÷ crun exec | 0.50 | **0.50** | 0.50 |",
		"| brig exec ÷ runc exec | 0.10 | **0.10** | 0.10 |",
		"| brig with a filter ÷ brig without | 1.10 | **1.10** | 1.10 |",
		"| brig --version ÷ empty Go program | 1.50 | **1.50** | 1.50 |",
		"| stage bytes | 1880 |",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "summary.json")); err != nil || !strings.Contains(string(raw), `"stage_bytes": "1880"`) {
		t.Errorf("summary.json: %v\n%s", err, raw)
	}
}

func TestTableRefuses(t *testing.T) {
	for _, c := range []struct{ name, run, version, want string }{
		{"no rounds", "", "", "no run-*.json"},
		{"no versions", fastRound, "", "no version-*.json"},
		{"not JSON", "{", version, "run-1.json: unexpected end"},
		{"no times", `{"results":[{"command":"brig","times":[]}]}`, version, "no times of brig"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			others(t, dir)
			if c.run != "" {
				write(t, dir, "run-1.json", c.run)
			}
			if c.version != "" {
				write(t, dir, "version-1.json", c.version)
			}
			err := run([]string{dir}, &strings.Builder{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if err := run(nil, nil); err == nil {
		t.Error("no directory: no error")
	}
}
