package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brig/tests/vm"
)

// top is the root of the tree.
const top = ".."

// runtimes run every scenario in the same machine; the first is under test, and has to
// pass whatever the second does.
var runtimes = []string{"brig", "crun"}

// TestClients boots a machine for each client on each Debian, runs its scenarios with
// both runtimes and reports them under their names.
func TestClients(t *testing.T) {
	machines := strings.Fields(os.Getenv("BRIG_CLIENT_MACHINES"))
	if len(machines) == 0 {
		t.Skip("make integration runs it: it takes an hour or more")
	}
	vm.NeedQEMU(t)
	only := os.Getenv("BRIG_CLIENT_RUN")
	for _, machine := range machines {
		for _, client := range clients(t) {
			t.Run(machine+"/"+client, func(t *testing.T) {
				in := filepath.Join(t.TempDir(), "in.tar")
				pack(t, in, client, only)
				files := vm.Boot(t, top, []string{machine, "clients"}, in, 2*vm.Limit)
				r := judge(t, client, files)
				r.machine = machine
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
	b.WriteString("install -m 755 brig /usr/local/bin/brig\nexport SUITE_TIMEOUT=60m SHOW='--- '\n")
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

// judge reports the results of brig, each under its name, and compares them with those
// of the other: what crun passes brig has to pass, and what both fail needs a reason.
func judge(t *testing.T, client string, files map[string]string) row {
	t.Helper()
	r := row{client: client, version: strings.TrimSpace(files["version"]), kernel: strings.TrimSpace(files["kernel"])}
	other := map[string]vm.Result{}
	for _, result := range vm.Results(t, files["crun.log"]) {
		if name, ok := scenarioName(result.Test); ok {
			other[name] = result
			r.other += count(result.Action == "pass")
		}
	}
	why := reasons(t, client)
	results := vm.Results(t, files["brig.log"])
	came := map[string]bool{}
	for _, result := range results {
		name, ok := scenarioName(result.Test)
		if !ok {
			if result.Action == "fail" {
				t.Errorf("%s: %s", result.Test, vm.Last(result.Output, 20))
			}
			continue
		}
		r.add(name, result, other[name], why[name])
		came[name] = true
		t.Run(name, func(t *testing.T) { verdict(t, result, other[name], why[name]) })
	}
	for name := range other {
		if !came[name] {
			t.Errorf("%s: crun came to it, and brig did not", name)
		}
	}
	// 1 says that scenarios have failed, and those were looked at.
	for _, runtime := range runtimes {
		if status := strings.TrimSpace(files[runtime+".status"]); status != "0" && status != "1" || r.passed == 0 {
			t.Errorf("%s's scenarios ended with status %q, brig passed %d:\n%s", runtime, status, r.passed, vm.Last(files[runtime+".log"], 40))
		}
	}
	return r
}

// verdict on one scenario.
func verdict(t *testing.T, brig, crun vm.Result, why string) {
	switch {
	case brig.Action == "pass" && why != "":
		t.Error("it passes: its line in reasons.txt is to go")
	case brig.Action == "skip" && crun.Action == "pass":
		t.Errorf("crun passes this, and brig is not asked:\n%s", vm.Last(brig.Output, 2))
	case brig.Action == "skip":
		t.Skip(vm.Last(brig.Output, 2))
	case brig.Action == "fail" && crun.Action == "pass":
		t.Errorf("crun passes this:\n%s", vm.Last(brig.Output, 40))
	case brig.Action == "fail" && why == "":
		t.Errorf("crun fails this too, and reasons.txt does not say why:\n%s\ncrun:\n%s", vm.Last(brig.Output, 40), vm.Last(crun.Output, 20))
	case brig.Action == "fail":
		t.Skipf("it fails with crun too: %s", why)
	}
}

// scenarioName is what follows the name of the test function, for a scenario.
func scenarioName(test string) (string, bool) {
	_, name, ok := strings.Cut(test, "/")
	return name, ok && strings.Contains(name, "/")
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// reasons are those of reasons.txt, "CLIENT NAME: WHY" a line, for one client.
func reasons(t *testing.T, client string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("reasons.txt")
	must(t, err)
	list := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, why, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if rest, mine := strings.CutPrefix(name, client+" "); ok && mine {
			list[rest] = why
		}
	}
	return list
}
