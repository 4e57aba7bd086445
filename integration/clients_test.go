package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brig/tests/vm"
)

// top is the root of the tree.
const top = ".."

// runtimes run every scenario in the same machine; the first is under test, and has to
// pass whatever the second does.
var runtimes = []string{"brig", "crun"}

// limit is how long the scenarios of one client may take with one runtime: podman's take
// an hour where the emulation is slow.
const limit = 2 * vm.Limit

// TestClients boots a machine for each client on each Debian, runs its scenarios with
// both runtimes and reports them under their names.
func TestClients(t *testing.T) {
	machines := strings.Fields(os.Getenv("BRIG_CLIENT_MACHINES"))
	if len(machines) == 0 {
		t.Skip("make integration runs it: it takes hours")
	}
	vm.NeedQEMU(t)
	only := os.Getenv("BRIG_CLIENT_RUN")
	for _, machine := range machines {
		for _, client := range clients(t) {
			t.Run(machine+"/"+client, func(t *testing.T) {
				in := filepath.Join(t.TempDir(), "in.tar")
				pack(t, in, client, only)
				changed := altered(t, top, commit(t))
				files := vm.Boot(t, top, []string{machine, "clients"}, in, time.Duration(len(runtimes)+1)*limit)
				r := report(t, client, files)
				r.machine = machine
				if changed {
					r.commit += "+"
				}
				if only == "" && !t.Failed() {
					record(t, r)
				}
			})
		}
	}
}

// page is what the runs write.
const page = top + "/docs/compatibility.md"

// record puts the results of one client into the page.
func record(t *testing.T, r row) {
	t.Helper()
	old, err := os.ReadFile(page)
	if !errors.Is(err, fs.ErrNotExist) {
		must(t, err)
	}
	results := parse(string(old))
	results.put(r)
	must(t, os.WriteFile(page, []byte(results.String()), 0o644))
}

// commit is that of brig, or "unknown".
func commit(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(top+"/brig", "--version").Output()
	must(t, err)
	return commitOf(string(out))
}

// commitOf is the commit that brig --version tells.
func commitOf(said string) string {
	_, commit, _ := strings.Cut(said, "\ncommit: ")
	commit, _, _ = strings.Cut(commit, "\n")
	return commit
}

// altered says that the tree is not what a commit says; the page does not count, as a run
// of several clients writes it after each, nor do the reasons: neither gets to a machine.
func altered(t *testing.T, dir, commit string) bool {
	t.Helper()
	if commit == "unknown" {
		return false
	}
	for _, args := range [][]string{{"diff", "--name-only", commit}, {"ls-files", "--others", "--exclude-standard"}} {
		cmd := exec.Command("git", append(args, "--", ".", ":!docs/compatibility.md", ":!integration/reasons.txt")...)
		cmd.Dir = dir
		out, err := cmd.Output()
		must(t, err)
		if len(out) > 0 {
			return true
		}
	}
	return false
}

// clients are the folders that have a client.sh, or those that BRIG_CLIENTS names.
func clients(t *testing.T) []string {
	t.Helper()
	if list := strings.Fields(os.Getenv("BRIG_CLIENTS")); len(list) > 0 {
		return list
	}
	files, err := filepath.Glob("*/client.sh")
	must(t, err)
	var list []string
	for _, f := range files {
		list = append(list, filepath.Dir(f))
	}
	return list
}

// pack writes the tar that the machine gets: brig, the scenarios and the program that
// runs them.
func pack(t *testing.T, name, client, only string) {
	t.Helper()
	dir := t.TempDir()
	p := vm.NewPayload(t, top, name)
	p.Add(t, top+"/brig", "brig")
	suite := "integration"
	if _, err := os.Stat(client + "/go.mod"); err == nil {
		// Its scenarios are in Go, in a module of their own.
		suite += "/" + client
		p.Build(t, ".", dir+"/test", "test", "-C", suite, "-c")
	} else {
		p.Build(t, "./integration", dir+"/test", "test", "-c")
	}
	p.Add(t, dir+"/test", suite+"/"+filepath.Base(suite)+".test")
	p.Add(t, "scenario.sh", "integration/scenario.sh")
	p.AddTree(t, "integration/"+client)
	p.AddTree(t, "docs")
	if add := needs[client]; add != nil {
		add(t, p)
	}
	var b strings.Builder
	b.WriteString(vm.Prologue)
	b.WriteString("install -m 755 brig /usr/local/bin/brig\nbrig --version >out/brig\n")
	fmt.Fprintf(&b, "export SUITE_TIMEOUT=%s SHOW='--- \\|FAILED: \\|^ *Error: '\n", limit)
	pattern := strings.TrimSuffix("^TestScenarios$/"+only, "/")
	for _, runtime := range runtimes {
		fmt.Fprintf(&b, "export BRIG_CLIENT=%s RUNTIME=$(command -v %s)\n", client, runtime)
		fmt.Fprintf(&b, "suite %s root %s %s\n", suite, vm.Quote(pattern), runtime)
	}
	fmt.Fprintf(&b, "(cd integration && . ./scenario.sh && . ./%s/client.sh && version) >out/version\n", client)
	must(t, os.WriteFile(dir+"/run", []byte(b.String()), 0o644))
	p.Add(t, dir+"/run", "run")
	p.Close(t)
}

// needs are what a client's scenarios call beside its own files.
var needs = map[string]func(*testing.T, *vm.Payload){
	"critest": func(t *testing.T, p *vm.Payload) {
		program := t.TempDir() + "/critest"
		p.Build(t, "sigs.k8s.io/cri-tools/cmd/critest", program, "test", "-C", "integration/critest", "-c")
		p.Add(t, program, "integration/critest/critest.bin")
		setUser := t.TempDir() + "/nonewprivs"
		p.Build(t, "./nonewprivs", setUser, "build", "-C", "integration/critest")
		p.Add(t, setUser, "integration/critest/nonewprivs.bin")
		p.AddTree(t, "integration/cri")
	},
	"network": func(t *testing.T, p *vm.Payload) {
		filter := t.TempDir() + "/filter"
		p.Build(t, "./integration/network/filter", filter, "build")
		p.Add(t, filter, "integration/network/filter.bin")
		p.AddTree(t, "integration/podman")
		p.AddTree(t, "integration/containerd")
	},
}
