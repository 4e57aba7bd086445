package main

import (
	"encoding/json"

	"brig/libcontainer"
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"golang.org/x/sys/unix"
)

func featuresCommand() *command {
	return &command{
		name:  "features",
		usage: "print what this brig can do, as JSON of the runtime-spec",
		action: func(c *call) error {
			if len(c.args) != 0 {
				return fault.Configf("", "brig features takes no argument, and got %d", len(c.args))
			}
			out := json.NewEncoder(c.stdout)
			out.SetIndent("", "    ")
			return out.Encode(supported())
		},
	}
}

// supported says what is true of this version: engines decide by it what they put
// into a config.
func supported() *features.Features {
	yes, no := new(bool), new(bool)
	*yes = true
	return &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specVersion,
		MountOptions:  spec.MountOptionWords(),
		Hooks:         []string{"createContainer", "createRuntime", "poststart", "poststop", "prestart", "startContainer"},
		Linux: &features.Linux{
			Namespaces:   namespaces(),
			Capabilities: capabilities(),
			Cgroup:       &features.Cgroup{V1: no, V2: yes, Systemd: yes, SystemdUser: yes, Rdma: yes},
			Seccomp: &features.Seccomp{
				Enabled: yes,
				Actions: []string{
					string(specs.ActAllow), string(specs.ActErrno), string(specs.ActKill), string(specs.ActKillProcess),
					string(specs.ActKillThread), string(specs.ActLog), string(specs.ActNotify), string(specs.ActTrace),
					string(specs.ActTrap),
				},
				Operators: []string{
					string(specs.OpEqualTo), string(specs.OpGreaterEqual), string(specs.OpGreaterThan), string(specs.OpLessEqual),
					string(specs.OpLessThan), string(specs.OpMaskedEqual), string(specs.OpNotEqual),
				},
				Archs:          seccompArchs(),
				KnownFlags:     seccompFlags(),
				SupportedFlags: seccompFlags(),
			},
			Apparmor:        &features.Apparmor{Enabled: yes},
			Selinux:         &features.Selinux{Enabled: yes},
			IntelRdt:        &features.IntelRdt{Enabled: yes, Schemata: yes, Monitoring: yes},
			MemoryPolicy:    &features.MemoryPolicy{Modes: memoryPolicyModes(), Flags: memoryPolicyFlags()},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: yes}},
			NetDevices:      &features.NetDevices{Enabled: yes},
		},
		Annotations: map[string]string{
			"io.github.brig.version": version,
			"io.github.brig.commit":  commit,
		},
		PotentiallyUnsafeConfigAnnotations: libcontainer.Annotations(),
	}
}

func namespaces() []string {
	return []string{
		string(specs.CgroupNamespace), string(specs.IPCNamespace), string(specs.MountNamespace), string(specs.NetworkNamespace),
		string(specs.PIDNamespace), string(specs.TimeNamespace), string(specs.UserNamespace), string(specs.UTSNamespace),
	}
}

func capabilities() []string {
	list := make([]string, 0, unix.CAP_LAST_CAP+1)
	for n := uint(0); n <= unix.CAP_LAST_CAP; n++ {
		list = append(list, spec.CapabilityName(n))
	}
	return list
}

func seccompArchs() []string {
	return []string{
		string(specs.ArchAARCH64), string(specs.ArchARM), string(specs.ArchMIPS), string(specs.ArchMIPS64), string(specs.ArchMIPS64N32),
		string(specs.ArchMIPSEL), string(specs.ArchMIPSEL64), string(specs.ArchMIPSEL64N32), string(specs.ArchPPC), string(specs.ArchPPC64),
		string(specs.ArchPPC64LE), string(specs.ArchRISCV64), string(specs.ArchS390), string(specs.ArchS390X), string(specs.ArchX32),
		string(specs.ArchX86), string(specs.ArchX86_64),
	}
}

func seccompFlags() []string {
	return []string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}
}

func memoryPolicyModes() []string {
	return []string{
		string(specs.MpolBind), string(specs.MpolDefault), string(specs.MpolInterleave), string(specs.MpolLocal),
		string(specs.MpolPreferred), string(specs.MpolPreferredMany), string(specs.MpolWeightedInterleave),
	}
}

func memoryPolicyFlags() []string {
	return []string{string(specs.MpolFNumaBalancing), string(specs.MpolFRelativeNodes), string(specs.MpolFStaticNodes)}
}
