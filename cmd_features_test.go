package main

import (
	"testing"

	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

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
