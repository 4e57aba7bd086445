package root_test

import (
	"os"
	"strings"
	"testing"
)

// seen is one effect of the config, as a shell in the container sees it.
type seen struct {
	name   string
	patch  string       // JSON merge patch over the base config
	make   func(b *box) // prepares the bundle, and what a patch cannot say
	flags  string       // of run
	script string       // what the payload runs
	want   string       // all that it prints
	after  func(b *box) // looks at the host
}

func observe(t *testing.T, rows []seen) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if row.patch != "" {
				b.patch(row.patch)
			}
			if row.make != nil {
				row.make(b)
			}
			equal(t, b.run(row.script, strings.Fields(row.flags)...), row.want)
			if row.after != nil {
				row.after(b)
			}
		})
	}
}

// refusal is a container that must not come about.
type refusal struct {
	name  string
	patch string
	make  func(b *box)
	flags string
	want  []string // parts of the last line on stderr
}

func refuse(t *testing.T, rows []refusal) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if row.patch != "" {
				b.patch(row.patch)
			}
			if row.make != nil {
				row.make(b)
			}
			r := b.try("echo the payload runs", strings.Fields(row.flags)...)
			if r.code == 0 || r.out != "" {
				t.Errorf("exit %d, stdout %q", r.code, r.out)
			}
			lines := strings.Split(strings.TrimSuffix(r.err, "\n"), "\n")
			for _, part := range row.want {
				if !strings.Contains(lines[len(lines)-1], part) {
					t.Errorf("%q is not in %q", part, r.err)
				}
			}
		})
	}
}

// reads returns a file of the host.
func reads(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	must(t, err)
	return string(raw)
}

// Pieces of scripts.
const (
	// options prints the options of the mount on $1, and its propagation.
	options = `options() { awk -v p="$1" '$5 == p { o = $6; for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); o = o " " $i }; print o }' /proc/self/mountinfo; }; `
	// kind prints the type, source and super options of the mount on $1.
	kind = `kind() { awk -v p="$1" '$5 == p { for (i = 7; $i != "-"; i++); print $(i+1), $(i+2) }' /proc/self/mountinfo; }; `
)
