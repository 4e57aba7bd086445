package integration

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a scenario may take, emulated as it is.
const patience = 10 * time.Minute

// scenario is one thing that a user of a client does, as a script. In a file of
// scenarios a line "-- NAME --" begins one; what stands before the first is a comment.
type scenario struct {
	name   string
	script string
}

// TestScenarios runs the scenarios of one client, BRIG_CLIENT, with the runtime that
// RUNTIME names the path of. It does so on a test machine only: it takes the machine as its own.
func TestScenarios(t *testing.T) {
	if os.Getenv("BRIG_VM") == "" {
		t.Skip("runs on the test machines, by TestClients")
	}
	client := os.Getenv("BRIG_CLIENT")
	files, err := filepath.Glob(client + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios of %q: %v", client, err)
	}
	shell(t, client, "setup", "setup")
	t.Cleanup(func() { shell(t, client, "teardown", "teardown") })
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			for _, s := range scenarios(t, name) {
				t.Run(s.name, func(t *testing.T) {
					defer shell(t, client, "the state afterwards", "leave")
					shell(t, client, s.name, s.script)
				})
			}
		})
	}
}

// shell runs a script after the functions that all scenarios have and those of the
// client: they define setup, leave (which removes what a scenario left, and fails if
// that cannot be) and teardown.
func shell(t *testing.T, client, what, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := os.CreateTemp(t.TempDir(), "output")
	must(t, err)
	defer out.Close()
	cmd := exec.CommandContext(ctx, "bash", "-c", fmt.Sprintf("set -euo pipefail\n. ./scenario.sh\n. ./%s/client.sh\n%s\n", client, script))
	// A file and no pipe, which a container that stays would keep open.
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(out.Name())
	if strings.Contains(string(text), "\nSKIP: ") && err == nil {
		t.Skip(string(text))
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
	}
}

// scenarios reads a file of them.
func scenarios(t *testing.T, name string) []scenario {
	t.Helper()
	file, err := os.Open(name)
	must(t, err)
	defer file.Close()
	var list []scenario
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if title, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(title, " --") {
			list = append(list, scenario{name: strings.TrimSuffix(title, " --")})
		} else if n := len(list); n > 0 {
			list[n-1].script += line + "\n"
		}
	}
	must(t, lines.Err())
	return list
}

// everyScenario of a client, by the names that its tests have.
func everyScenario(t *testing.T, client string) []string {
	t.Helper()
	files, err := filepath.Glob(client + "/*.txt")
	must(t, err)
	var names []string
	for _, file := range files {
		for _, s := range scenarios(t, file) {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+strings.ReplaceAll(s.name, " ", "_"))
		}
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
