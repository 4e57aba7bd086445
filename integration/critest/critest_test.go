// Package critest runs critest, the conformance tests of Kubernetes' CRI, against
// containerd with the runtime under test as its handler.
package critest

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	// What critest itself imports, so that go.mod holds it.
	_ "sigs.k8s.io/cri-tools/pkg/benchmark"
	"sigs.k8s.io/cri-tools/pkg/framework"
	_ "sigs.k8s.io/cri-tools/pkg/validate"
	_ "sigs.k8s.io/cri-tools/pkg/version"
)

// spec is one test of critest, as it reports them.
type spec struct {
	ContainerHierarchyTexts    []string
	LeafNodeText               string
	LeafNodeType               string
	State                      string
	CapturedGinkgoWriterOutput string
	Failure                    struct{ Message string }
}

// suite is a run of critest.
type suite struct {
	SpecReports                []spec
	SpecialSuiteFailureReasons []string // what failed beside a test; of a run that was cut short, why
}

// withoutRegistry are the tests that are about pulling images.
const withoutRegistry = "Image Manager"

// outOfMemory are the tests that want to be told of a container that ran out of memory:
// containerd reads that in the container's cgroup, and loses the race when systemd, which
// removes it as soon as it is empty, is faster. They alone are tried more than once.
const outOfMemory = "Container OOM"

// runs are the flags of the two runs that are all of critest.
var runs = [][]string{
	{"-ginkgo.skip=" + withoutRegistry + "|" + outOfMemory},
	{"-ginkgo.focus=" + outOfMemory, "-ginkgo.flake-attempts=3"},
}

// TestScenarios runs all, on a test machine, and reports each.
func TestScenarios(t *testing.T) {
	if os.Getenv("BRIG_VM") == "" {
		t.Skip("runs on the test machines, by TestClients")
	}
	shell(t, "setup")
	defer shell(t, "teardown")
	shell(t, "images")
	groups := map[string][]spec{}
	for _, flags := range runs {
		for _, s := range critest(t, flags) {
			group := plain(s.ContainerHierarchyTexts[0])
			groups[group] = append(groups[group], s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		t.Run(name, func(t *testing.T) {
			for _, s := range groups[name] {
				t.Run(plain(strings.Join(append(s.ContainerHierarchyTexts[1:], s.LeafNodeText), ", ")), s.report)
			}
		})
	}
}

// critest runs it with these flags and returns the tests that they chose.
func critest(t *testing.T, flags []string) []spec {
	t.Helper()
	report := t.TempDir() + "/report.json"
	flags = append([]string{
		"-test.timeout=100m", "-runtime-endpoint=unix:///run/containerd/containerd.sock",
		"-runtime-handler=" + handler, "-ginkgo.no-color", "-ginkgo.json-report=" + report,
	}, flags...)
	out, err := exec.Command("./critest.bin", flags...).CombinedOutput()
	raw, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("critest: %v, %v\n%s", err, readErr, out)
	}
	var suites []suite
	if err := json.Unmarshal(raw, &suites); err != nil {
		t.Fatal(err)
	}
	var chosen []spec
	for _, suite := range suites {
		// One that is cut short reports what it did not come to as it does what the flags left out.
		if why := suite.SpecialSuiteFailureReasons; len(why) > 0 {
			t.Errorf("critest %s: %s\n%s", strings.Join(flags, " "), strings.Join(why, "; "), out)
		}
		for _, s := range suite.SpecReports {
			if s.LeafNodeType != "It" && s.State != "passed" && s.State != "skipped" {
				t.Errorf("critest %s: %s %s: %s", strings.Join(flags, " "), s.LeafNodeType, s.State, s.Failure.Message)
			}
			if s.LeafNodeType == "It" && len(s.ContainerHierarchyTexts) > 0 && !(s.State == "skipped" && s.Failure.Message == "") {
				chosen = append(chosen, s)
			}
		}
	}
	if len(chosen) == 0 {
		t.Errorf("critest %s ran nothing:\n%s", strings.Join(flags, " "), out)
	}
	return chosen
}

// handler is the one whose cgroups systemd makes, because critest's pods are below a slice.
const handler = "tested-systemd"

// plain is a name without what the name of a test is divided by.
func plain(text string) string {
	return strings.NewReplacer("/", " or ", "[k8s.io] ", "", "[", "", "]", "", ": ", " ").Replace(text)
}

// report passes, fails or skips as the test of critest did.
func (s spec) report(t *testing.T) {
	switch s.State {
	case "passed":
	case "skipped", "pending":
		t.Skip(s.Failure.Message)
	default:
		t.Errorf("%s: %s\n%s", s.State, s.Failure.Message, s.CapturedGinkgoWriterOutput)
	}
}

// shell runs a function of client.sh.
func shell(t *testing.T, function string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n. ./scenario.sh\n. ./critest/client.sh\n"+function)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "PREFIX="+framework.DefaultRegistryE2ETestImagesPrefix)
	name := t.TempDir() + "/output"
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(name)
		t.Fatalf("%s: %v\n%s", function, err, text)
	}
}
