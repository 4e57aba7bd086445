package plan

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestCandidates(t *testing.T) {
	for _, c := range [...]struct {
		arg0, cwd string
		env       []string
		want      []candidate
	}{
		{"", "/", nil, nil},
		{"/bin/sh", "/home", []string{"PATH=/x"}, []candidate{{"/bin/sh", "/bin/sh"}}},
		{"./sh", "/home", nil, []candidate{{"/home/sh", "./sh"}}},
		{"../sh", "/home/user/", nil, []candidate{{"/home/sh", "../sh"}}},
		{"../../../sh", "/home", nil, []candidate{{"/sh", "../../../sh"}}},
		{"bin/sh", "/", nil, []candidate{{"/bin/sh", "bin/sh"}}},
		{"sh/", "/", nil, []candidate{{"/sh", "sh/"}}},
		{"sh", "/", []string{"PATH=/a:/b/"}, []candidate{{"/a/sh", "/a/sh"}, {"/b/sh", "/b/sh"}}},
		{"sh", "/home", []string{"PATH=:.:bin:/a::"}, []candidate{{"/a/sh", "/a/sh"}}},
		{"sh", "/", []string{"PATH="}, nil},
		{"sh", "/", []string{"PATH=/a", "XPATH=/b", "PATHX=/c", "PATH=/d"}, []candidate{{"/d/sh", "/d/sh"}}},
		{"..", "/home", []string{"PATH=/a/b"}, []candidate{{"/a", "/a"}}},
	} {
		compiler := &compiler{spec: &specs.Spec{Process: &specs.Process{Cwd: c.cwd, Env: c.env}}}
		if got := compiler.candidates(c.arg0); !slices.Equal(got, c.want) {
			t.Errorf("%q in %q with %q: got %q, want %q", c.arg0, c.cwd, c.env, got, c.want)
		}
	}
	compiler := &compiler{spec: &specs.Spec{Process: &specs.Process{Cwd: "/"}}}
	if got := compiler.candidates("sh"); len(got) != 6 || got[0].exec != "/usr/local/sbin/sh" || got[5].exec != "/bin/sh" {
		t.Errorf("without PATH: %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	for _, c := range [...]struct{ env, want []string }{
		{nil, []string{"HOME=/"}},
		{[]string{"A=1"}, []string{"A=1", "HOME=/"}},
		{[]string{"HOME=/root"}, []string{"HOME=/root"}},
		{[]string{"HOME=", "A=1"}, []string{"HOME=/", "A=1"}},
		{[]string{"HOME=/root", "HOME="}, []string{"HOME=/"}},
		{[]string{"A=1", "B=2", "A=3"}, []string{"A=3", "B=2", "HOME=/"}},
		{[]string{"A=", "a=1", "A=x=y="}, []string{"A=x=y=", "a=1", "HOME=/"}},
		{[]string{"HOMER=1"}, []string{"HOMER=1", "HOME=/"}},
		{[]string{"A B=1\n2"}, []string{"A B=1\n2", "HOME=/"}},
	} {
		compiler := &compiler{spec: &specs.Spec{Process: &specs.Process{Env: c.env}}}
		before := slices.Clone(c.env)
		if got := compiler.environment(); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.env, got, c.want)
		}
		if !slices.Equal(c.env, before) {
			t.Errorf("%q: the config has changed to %q", before, c.env)
		}
	}
}

func TestNotFound(t *testing.T) {
	for arg0, want := range map[string]string{
		"sh":      `exec: "sh": executable file not found in $PATH`,
		"":        `exec: "": executable file not found in $PATH`,
		"/bin/sh": `exec: "/bin/sh"`,
		"a\n":     `exec: "a\n": executable file not found in $PATH`,
	} {
		if got := notFound(arg0); got != want {
			t.Errorf("%q: got %s, want %s", arg0, got, want)
		}
	}
}
