package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Engines keep annotations that change what a runtime does from those who are not trusted:
// all that brig reads have to be in the list.
func TestFeaturesOfAnnotations(t *testing.T) {
	list := supported().PotentiallyUnsafeConfigAnnotations
	if want := []string{"org.systemd.property.", "run.oci.keep_original_groups", "run.oci.mount_context_type"}; !slices.Equal(list, want) {
		t.Errorf("%q, want %q", list, want)
	}
	for _, folder := range []string{"libcontainer/spec", "libcontainer/plan", "libcontainer", "cgroups", "cgroups/systemd", "seccomp"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, name := range files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range annotationName.FindAllStringSubmatch(string(raw), -1) {
				if !strings.HasSuffix(name, "_test.go") && !slices.Contains(list, m[1]) {
					t.Errorf("%s reads %s, which is not in the list", name, m[1])
				}
			}
		}
	}
}

// annotationName is a constant that holds the name of one, or the beginning of one.
var annotationName = regexp.MustCompile(`Annotation(?:Prefix)? += "([^"]+)"`)

// What brig says it knows of memory policies, it takes.
func TestFeaturesOfMemoryPolicies(t *testing.T) {
	p := supported().Linux.MemoryPolicy
	for _, m := range p.Modes {
		if _, ok := spec.MemoryPolicyMode(specs.MemoryPolicyModeType(m)); !ok {
			t.Errorf("the mode %s is not known", m)
		}
	}
	for _, f := range p.Flags {
		if _, ok := spec.MemoryPolicyFlag(specs.MemoryPolicyFlagType(f)); !ok {
			t.Errorf("the flag %s is not known", f)
		}
	}
	if len(p.Modes) != 7 || len(p.Flags) != 3 {
		t.Errorf("modes %q, flags %q", p.Modes, p.Flags)
	}
}
