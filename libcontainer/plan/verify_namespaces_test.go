package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownClocks makes the container that of an ordinary user, who sets its clocks.
func ownClocks(in *Input) {
	in.Host.Rootless = true
	one := []specs.LinuxIDMapping{{HostID: 1000, Size: 1}}
	in.Spec.Linux.UIDMappings, in.Spec.Linux.GIDMappings = one, one
	in.Spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.UserNamespace}, {Type: specs.TimeNamespace}}
	in.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 7}}
}

// The one magic link that is followed leads to the time namespace that init has made.
func TestVerifyClocks(t *testing.T) {
	compile(t, ownClocks)
	opened := func(b *broken) int { return b.call("clocks", nsenter.Openat, 0) }
	enters := func(b *broken) int { return b.call("clocks", nsenter.Setns, 0) }
	below := func(b *broken) int { return b.call("clocks", nsenter.Openat2, 1) }
	for name, edit := range map[string]func(b *broken){
		"another namespace":            func(b *broken) { b.arg(opened(b), 1, b.str("mnt")) },
		"another directory":            func(b *broken) { b.arg(opened(b), 0, nsenter.Int(unix.AT_FDCWD)) },
		"another process":              func(b *broken) { b.arg(below(b), 1, b.str("1/ns")) },
		"links on the way":             func(b *broken) { b.arg(below(b), 2, b.words(opath, 0, unix.RESOLVE_BENEATH)) },
		"another /proc":                func(b *broken) { b.arg(b.call("labelproc", nsenter.Openat, 0), 1, b.str("/tmp/proc")) },
		"an unproved /proc":            func(b *broken) { b.drop(b.call("labelproc", nsenter.Fstatfs, 0)) },
		"a directory that is not open": func(b *broken) { b.drop(below(b)) },
		"it is not entered":            func(b *broken) { b.drop(enters(b)) },
		"any namespace is entered":     func(b *broken) { b.arg(enters(b), 1, nsenter.Imm(0)) },
		"an error of the opening":      func(b *broken) { b.on(opened(b), nsenter.Branch{Errno: unix.ENOENT, Target: opened(b) + 1}) },
		"an error of the entry":        func(b *broken) { b.on(enters(b), nsenter.Branch{Errno: unix.EPERM, Target: enters(b) + 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			p, r := compile(t, ownClocks)
			b := breakable(t, p)
			edit(b)
			want := "rule 2: a path of the host"
			if name == "links on the way" {
				want = "rule 1: openat2 may follow links"
			}
			if err := Verify(b.Program, r); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %s: %v", want, err)
			}
		})
	}
}

// handsOver makes the container that of an ordinary user, with a hook that enters it.
func handsOver(in *Input) {
	ownClocks(in)
	in.Spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/x"}}}
}

// Init opens the files of its own namespaces for nobody but brig, and below no /proc but
// the host's.
func TestVerifyHandles(t *testing.T) {
	compile(t, handsOver)
	below := func(b *broken) int { return b.call("handles", nsenter.Openat2, 0) }
	opened := func(b *broken) int { return b.call("handles", nsenter.Openat, 1) }
	for name, edit := range map[string]func(b *broken){
		"no file of a namespace":  func(b *broken) { b.arg(opened(b), 1, b.str("../root")) },
		"that of children":        func(b *broken) { b.arg(opened(b), 1, b.str("time_for_children")) },
		"another directory":       func(b *broken) { b.arg(opened(b), 0, nsenter.Int(unix.AT_FDCWD)) },
		"another process":         func(b *broken) { b.arg(below(b), 1, b.str("1/ns")) },
		"another /proc":           func(b *broken) { b.arg(b.call("labelproc", nsenter.Openat, 0), 1, b.str("/tmp/proc")) },
		"an error of the opening": func(b *broken) { b.on(opened(b), nsenter.Branch{Errno: unix.ENOENT, Target: opened(b) + 1}) },
		"one of them is entered": func(b *broken) {
			b.insert(opened(b)+1, nsenter.Setns, b.slot("handles", nsenter.Openat, 1), nsenter.Imm(0))
		},
		"one of them is made stdio": func(b *broken) {
			b.insert(opened(b)+1, nsenter.Dup3, b.slot("handles", nsenter.Openat, 1), nsenter.Imm(0), nsenter.Imm(0))
		},
		"one of them is copied": func(b *broken) {
			b.store(opened(b)+1, b.Report, nsenter.Val(b.Instructions[opened(b)].Dst))
		},
		"one of them is kept of what is sent": func(b *broken) {
			sent := b.call("start", nsenter.Sendmsg, 0) - 1
			b.store(b.middle(), b.Report, nsenter.Val(int(b.Instructions[sent].Args[0].Value)))
		},
		"the hooks are not in the plan": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p, r := compile(t, handsOver)
			b := breakable(t, p)
			if edit == nil {
				r.HandsOver = false
			} else {
				edit(b)
			}
			if err := Verify(b.Program, r); err == nil || !strings.Contains(err.Error(), "rule 2: a path of the host") {
				t.Error(err)
			}
		})
	}
}

// A hook enters what init handed over, all of it, in the order in which that may be
// entered, and each as what it is.
func TestVerifyEntersHandles(t *testing.T) {
	in := hookInput(t, unix.CLONE_NEWUSER|unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWCGROUP)
	in.Join.Handles = []uint64{unix.CLONE_NEWUSER, unix.CLONE_NEWNS, unix.CLONE_NEWPID}
	p, err := Join(in)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(b *broken, n int) int { return b.call("join", nsenter.Setns, n) }
	for name, edit := range map[string]func(b *broken){
		"one left out":         func(b *broken) { b.drop(entry(b, 1)) },
		"the last left out":    func(b *broken) { b.drop(entry(b, 2)) },
		"in another order":     func(b *broken) { b.swap(entry(b, 0), entry(b, 1)) },
		"as another one":       func(b *broken) { b.arg(entry(b, 1), 1, nsenter.Imm(0)) },
		"another fd":           func(b *broken) { b.arg(entry(b, 1), 0, nsenter.Imm(uint64(in.initFD()))) },
		"one more":             func(b *broken) { b.insert(entry(b, 2)+1, nsenter.Setns, nsenter.Imm(1), nsenter.Imm(0)) },
		"in spite of an error": func(b *broken) { b.on(entry(b, 1), nsenter.Branch{Errno: unix.EPERM, Target: entry(b, 1) + 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := breakable(t, p)
			edit(b)
			if err := Verify(b.Program, requirementsOf(in)); err == nil || !strings.Contains(err.Error(), "rule") {
				t.Error(err)
			}
		})
	}
}
