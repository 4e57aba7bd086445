package root_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The completion of bash asks brig itself for the containers of the root that the
// line names.
func TestCompletion(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs Go: the completion is made from the source")
	}
	b := sleeper(t)
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "-tags", "osusergo,netgo,manual", "../..", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "bash-completion/completions/brig")
	program, err := filepath.Abs(brig(t))
	must(t, err)
	must(t, os.Symlink(program, filepath.Join(dir, "brig")))
	complete := func(line ...string) string {
		const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _brig; echo "${COMPREPLY[*]}"`
		cmd := exec.Command("bash", append([]string{"--norc", "-c", script, file, "brig"}, line...)...)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		must(t, err)
		return strings.TrimSpace(string(out))
	}
	if got := complete("--root", b.state, "start", ""); got != "" {
		t.Errorf("before there is a container: %q", got)
	}
	b.create()
	for _, verb := range [...]string{"start", "state", "kill", "delete", "exec"} {
		if got := complete("--root", b.state, verb, b.id[:1]); got != b.id {
			t.Errorf("%s: %q, want %q", verb, got, b.id)
		}
	}
	b.ok("delete", "--force", b.id)
}
