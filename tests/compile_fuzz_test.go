package tests

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"
	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Facts of a fuzzed input, one bit each.
const (
	factRootless = 1 << iota
	factSetgroupsDenied
	factRun
	factNoPivot
	factCgroup
	factTimings
	factPreserve
	factNoKeyring
)

// FuzzCompile puts any bytes in the place of a config. They are refused, or become
// a program that is whole: verified, encodable, and with each fd used in its time.
func FuzzCompile(f *testing.F) {
	for _, x := range fixtures(f) {
		for _, facts := range [...]uint8{0, factRootless | factSetgroupsDenied, factRun | factNoPivot | factTimings, factCgroup | factPreserve} {
			f.Add(x.config, facts)
		}
	}
	f.Fuzz(compileAny)
}

// compileAny compiles a config that may be anything.
func compileAny(t *testing.T, config []byte, facts uint8) {
	s, _, err := spec.Parse(config)
	if err != nil {
		return
	}
	in := &plan.Input{ID: "fuzz", Spec: s, Bundle: "/bundle", Rootfs: "/bundle/rootfs", Run: facts&factRun != 0, NoPivot: facts&factNoPivot != 0}
	in.Host.Rootless, in.Host.SetgroupsDenied = facts&factRootless != 0, facts&factSetgroupsDenied != 0
	in.Cgroup, in.Timings, in.NoNewKeyring = facts&factCgroup != 0, facts&factTimings != 0, facts&factNoKeyring != 0
	if facts&factPreserve != 0 {
		in.PreserveFDs = 2
	}
	if _, err := spec.Validate(s, spec.Options{Rootless: in.Host.Rootless, OwnNamespace: ownNamespace}); err != nil {
		return
	}
	if s.Linux.Seccomp != nil {
		in.Filter = &seccomp.Filter{Program: make([]byte, 16)}
	}
	in.IDMaps = plan.IDMapsOf(s)
	p, err := plan.Create(in)
	if err != nil {
		refused(t, err)
		return
	}
	whole(t, p)
	in.Run, in.Join = true, &plan.Joined{Namespaces: joined(s)}
	p, err = plan.Join(in)
	if err != nil {
		refused(t, err)
		return
	}
	whole(t, p)
}

// joined are the flags of the namespaces that a config lists.
func joined(s *specs.Spec) uint64 {
	flags := map[specs.LinuxNamespaceType]uint64{
		"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "network": unix.CLONE_NEWNET,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP, "time": unix.CLONE_NEWTIME,
	}
	all := uint64(0)
	for _, n := range s.Linux.Namespaces {
		all |= flags[n.Type]
	}
	return all
}

// Two sections that are right alone have to be right together: each config is
// changed once more, by some of the others.
func TestFixturesTogether(t *testing.T) {
	list := fixtures(t)
	for i, x := range list {
		for k := 1; k <= pairs; k++ {
			y := list[(i+k*len(list)/(pairs+1))%len(list)]
			_, patch, _ := strings.Cut(y.head, "-- config --\n")
			config, problem := mergeJSON(string(x.config), patch)
			if problem != "" {
				t.Fatal(problem)
			}
			t.Run(x.name+","+y.name, func(t *testing.T) { compileAny(t, config, uint8(i+k)) })
		}
	}
}

// pairs is with how many others a fixture is put together.
const pairs = 8

// refused holds an error of a checked config to be a fault of the config.
func refused(t *testing.T, err error) {
	t.Helper()
	if fault.ClassOf(err) == fault.Bug {
		t.Fatalf("a config makes a bug of brig: %s", err)
	}
	var e *fault.Error
	if !errors.As(err, &e) || bytes.ContainsRune([]byte(err.Error()), '\n') {
		t.Fatalf("not an error of one line: %q", err)
	}
}

// whole says that a program survives the way to the stage, and uses its fds right.
func whole(t *testing.T, p *nsenter.Program) {
	t.Helper()
	for _, arch := range [...]string{"amd64", "arm64"} {
		raw, err := p.Encode(arch)
		if err != nil {
			t.Fatal(err)
		}
		q, err := nsenter.Decode(raw, arch)
		if err != nil {
			t.Fatal(err)
		}
		again, err := q.Encode(arch)
		if err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("%s: a program is another one when it is decoded: %v", arch, err)
		}
		sameInstructions(t, p, q)
	}
	if p.String() == "" {
		t.Fatal("nothing to print")
	}
	if problem := misusedFD(p); problem != "" {
		t.Fatal(problem)
	}
}

func sameInstructions(t *testing.T, p, q *nsenter.Program) {
	t.Helper()
	if len(p.Instructions) != len(q.Instructions) {
		t.Fatalf("%d instructions become %d", len(p.Instructions), len(q.Instructions))
	}
	for i := range p.Instructions {
		in := p.Instructions[i]
		in.Reason = ""
		if !reflect.DeepEqual(in, q.Instructions[i]) {
			t.Fatalf("instruction %d becomes another one: %s", i, p.Line(i))
		}
	}
}
