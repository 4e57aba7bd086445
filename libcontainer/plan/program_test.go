package plan

import (
	"slices"
	"testing"

	"brig/libcontainer/spec"
	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// full is a config that makes a program with something of every rule in it.
const full = `{
	"ociVersion": "1.3.0",
	"process": {
		"user": {"uid": 1000, "gid": 1000, "additionalGids": [5]}, "args": ["sh"], "env": ["PATH=/bin"], "cwd": "/home/user",
		"capabilities": {
			"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
			"inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]
		},
		"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 10}],
		"noNewPrivileges": true
	},
	"root": {"path": "rootfs", "readonly": true},
	"hostname": "host",
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
		{"destination": "/data/x", "source": "/srv/data", "options": ["bind", "ro"]}
	],
	"linux": {
		"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "pid"}, {"type": "network", "path": "/run/netns/a"}, {"type": "cgroup"}],
		"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "uid": 1}],
		"sysctl": {"net.ipv4.ip_forward": "1"},
		"maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
		"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}
	}
}`

// input is the compiler's input for the full config, changed by edit.
func input(t testing.TB, edit func(*Input)) *Input {
	t.Helper()
	s, _, err := spec.Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	in := &Input{
		ID: "test", Spec: s, Bundle: "/bundle", Rootfs: "/bundle/rootfs",
		Filter: &seccomp.Filter{Program: make([]byte, 8)},
	}
	if edit != nil {
		edit(in)
	}
	return in
}

// compile makes a program that passes the verifier, and what it was held to.
func compile(t testing.TB, edit func(*Input)) (*nsenter.Program, Requirements) {
	t.Helper()
	in := input(t, edit)
	p, err := Create(in)
	if err != nil {
		t.Fatal(err)
	}
	return p, requirementsOf(in)
}

// userNamespace gives the container a new user namespace.
func userNamespace(in *Input) {
	in.Spec.Linux.Namespaces = append(in.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	in.Spec.Linux.UIDMappings, in.Spec.Linux.GIDMappings = maps, maps
}

// rootless is userNamespace for an ordinary user.
func rootless(in *Input) {
	userNamespace(in)
	in.Host.Rootless = true
	in.Spec.Linux.Namespaces = slices.DeleteFunc(in.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Path != "" })
}

// broken is a program under change.
type broken struct {
	*nsenter.Program
	t testing.TB
}

// call finds the nth call of sys in a section, "" for any section.
func (b *broken) call(section string, sys nsenter.Sys, nth int) int {
	b.t.Helper()
	for i := range b.Instructions {
		in := &b.Instructions[i]
		if in.Op != nsenter.OpCall && in.Op != nsenter.OpFork || in.Sys != sys || section != "" && b.StepOf(i).Section != section {
			continue
		}
		if nth == 0 {
			return i
		}
		nth--
	}
	b.t.Fatalf("no such call of %s in section %q", sys, section)
	return -1
}

// arg replaces an operand.
func (b *broken) arg(i, k int, a nsenter.Arg) { b.Instructions[i].Args[k] = a }

// on adds a branch of an error to the next instruction but one.
func (b *broken) on(i int, branch nsenter.Branch) {
	b.Instructions[i].On = append(slices.Clone(b.Instructions[i].On), branch)
}

// shift moves targets and steps that lie at or behind from by delta.
func (b *broken) shift(from, delta int) {
	for i := range b.Instructions {
		in := &b.Instructions[i]
		if in.Target >= from {
			in.Target += delta
		}
		in.On = slices.Clone(in.On)
		for k := range in.On {
			if in.On[k].Target >= from {
				in.On[k].Target += delta
			}
		}
	}
	b.Steps = slices.Clone(b.Steps)
	for k := range b.Steps {
		if b.Steps[k].First >= from {
			b.Steps[k].First += delta
		}
	}
}

// drop removes an instruction. What jumped to it goes on behind it.
func (b *broken) drop(i int) {
	b.shift(i+1, -1)
	b.Instructions = slices.Delete(b.Instructions, i, i+1)
}

// insert puts a call before instruction i, in the same step.
func (b *broken) insert(i int, sys nsenter.Sys, args ...nsenter.Arg) {
	in := nsenter.Instruction{Op: nsenter.OpCall, Sys: sys, Dst: nsenter.NoSlot}
	copy(in.Args[:], args)
	b.shift(i+1, 1)
	b.Instructions = slices.Insert(b.Instructions, i, in)
}

// store puts a copy of an operand into an offset of scratch space before instruction i.
func (b *broken) store(i, to int, value nsenter.Arg) {
	in := nsenter.Instruction{Op: nsenter.OpStore, Width: 4, Dst: nsenter.NoSlot}
	in.Args[0], in.Args[1] = nsenter.Addr(to), value
	b.shift(i+1, 1)
	b.Instructions = slices.Insert(b.Instructions, i, in)
}

// swap exchanges two instructions that nothing jumps between.
func (b *broken) swap(i, k int) {
	b.Instructions[i], b.Instructions[k] = b.Instructions[k], b.Instructions[i]
}

// str and words append to the data section, which is the last part of a program.
func (b *broken) str(s string) nsenter.Arg {
	at := len(b.Data)
	b.Data = append(slices.Clip(append(slices.Clone(b.Data), s...)), make([]byte, 8-len(s)%8)...)
	return nsenter.Arg{Kind: nsenter.DataAddr, Value: uint64(at)}
}

func (b *broken) words(words ...uint64) nsenter.Arg {
	at := len(b.Data)
	data := slices.Clone(b.Data)
	for _, w := range words {
		for k := range 8 {
			data = append(data, byte(w>>(8*k)))
		}
	}
	b.Data = data
	return nsenter.Arg{Kind: nsenter.DataAddr, Value: uint64(at)}
}

// breakable copies a program, so that changes leave it alone.
func breakable(t testing.TB, p *nsenter.Program) *broken {
	q := *p
	q.Instructions = slices.Clone(p.Instructions)
	return &broken{Program: &q, t: t}
}
