package spec

import (
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Modes and flags of set_mempolicy(2); golang.org/x/sys has no names for them.
const (
	mpolDefault            = 0
	mpolPreferred          = 1
	mpolBind               = 2
	mpolInterleave         = 3
	mpolLocal              = 4
	mpolPreferredMany      = 5 // 5.15
	mpolWeightedInterleave = 6 // 6.9

	mpolNumaBalancing = 1 << 13
	mpolRelativeNodes = 1 << 14
	mpolStaticNodes   = 1 << 15
)

// MemoryPolicyMode is the number of a mode.
func MemoryPolicyMode(m specs.MemoryPolicyModeType) (number uint64, ok bool) {
	switch m {
	case specs.MpolDefault:
		return mpolDefault, true
	case specs.MpolPreferred:
		return mpolPreferred, true
	case specs.MpolBind:
		return mpolBind, true
	case specs.MpolInterleave:
		return mpolInterleave, true
	case specs.MpolLocal:
		return mpolLocal, true
	case specs.MpolPreferredMany:
		return mpolPreferredMany, true
	case specs.MpolWeightedInterleave:
		return mpolWeightedInterleave, true
	}
	return 0, false
}

// MemoryPolicyFlag is the bit of a flag.
func MemoryPolicyFlag(f specs.MemoryPolicyFlagType) (bit uint64, ok bool) {
	switch f {
	case specs.MpolFNumaBalancing:
		return mpolNumaBalancing, true
	case specs.MpolFRelativeNodes:
		return mpolRelativeNodes, true
	case specs.MpolFStaticNodes:
		return mpolStaticNodes, true
	}
	return 0, false
}

func (c *check) memoryPolicy() {
	const at = "/linux/memoryPolicy"
	p := c.linux.MemoryPolicy
	if p == nil {
		return
	}
	mode, ok := MemoryPolicyMode(p.Mode)
	if !ok {
		c.fail(at+"/mode", "%q is no mode of a memory policy", p.Mode)
		return
	}
	none := strings.Trim(p.Nodes, " ") == ""
	switch {
	case none && mode != mpolDefault && mode != mpolLocal && mode != mpolPreferred:
		c.fail(at+"/nodes", "%s needs a node", p.Mode)
	case !none && (mode == mpolDefault || mode == mpolLocal):
		c.fail(at+"/nodes", "%s takes no nodes", p.Mode)
	case !none:
		if _, err := NodeMask(p.Nodes); err != nil {
			c.fail(at+"/nodes", "%s", err)
		}
	}
	c.memoryPolicyFlags(p, mode, none)
}

// memoryPolicyFlags checks the combinations that the kernel refuses with the same
// errno as everything else.
func (c *check) memoryPolicyFlags(p *specs.LinuxMemoryPolicy, mode uint64, none bool) {
	all := uint64(0)
	for i, flag := range p.Flags {
		at := fault.Pointer("/linux/memoryPolicy/flags", i)
		bit, ok := MemoryPolicyFlag(flag)
		all |= bit
		switch {
		case !ok:
			c.fail(at, "%q is no flag of a memory policy", flag)
		case bit != mpolNumaBalancing && none:
			c.fail(at, "%s is about nodes, and there are none", flag)
		case bit != mpolNumaBalancing && all&(mpolStaticNodes|mpolRelativeNodes) == mpolStaticNodes|mpolRelativeNodes:
			c.fail(at, "%s and %s exclude each other", specs.MpolFStaticNodes, specs.MpolFRelativeNodes)
		case bit == mpolNumaBalancing && mode != mpolBind:
			c.fail(at, "%s goes with %s only", flag, specs.MpolBind)
		}
	}
}
