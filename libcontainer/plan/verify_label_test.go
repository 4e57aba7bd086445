package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// labelled gives the payload labels of both security modules.
func labelled(in *Input) {
	in.Spec.Process.ApparmorProfile, in.Spec.Process.SelinuxLabel, in.Spec.Linux.MountLabel = "profile", "a:b:c:s0", "a:b:d:s0"
	in.Host.AppArmor, in.Host.SELinux = true, true
}

func labelledJoin(in *Input) {
	labelled(in)
	in.Join = &Joined{Namespaces: unix.CLONE_NEWNS}
}

func TestVerifyAcceptsLabels(t *testing.T) {
	compile(t, labelled)
	in := input(t, labelledJoin)
	if _, err := Join(in); err != nil {
		t.Error(err)
	}
}

// Each label is written whole, to its file below the host's /proc, or the program
// does not run.
func TestVerifyLabels(t *testing.T) {
	attr := func(b *broken, n int) int { return b.call("label", nsenter.Openat2, n) }
	text := func(b *broken, n int) int { return b.call("label", nsenter.Write, n) }
	for _, c := range [...]struct {
		name, want string
		edit       func(b *broken)
	}{
		{"no profile", "not of the config", func(b *broken) { b.drop(attr(b, 0)) }},
		{"no last label", "no label in thread-self/attr/keycreate", func(b *broken) { b.drop(attr(b, 2)) }},
		{"another file", "not of the config", func(b *broken) { b.arg(attr(b, 1), 1, b.str("thread-self/attr/fscreate")) }},
		{"links", "below the host's /proc", func(b *broken) {
			b.arg(attr(b, 0), 2, b.words(unix.O_WRONLY|unix.O_CLOEXEC, 0, unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_XDEV))
		}},
		{"other mounts", "below the host's /proc", func(b *broken) {
			b.arg(attr(b, 0), 2, b.words(unix.O_WRONLY|unix.O_CLOEXEC, 0, unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_BENEATH))
		}},
		{"another directory", "below the host's /proc", func(b *broken) { b.arg(attr(b, 0), 0, nsenter.Val(b.Instructions[attr(b, 1)].Dst)) }},
		{"another /proc", "below the host's /proc", func(b *broken) { b.arg(b.call("labelproc", nsenter.Openat, 0), 1, b.str("/tmp/proc")) }},
		{"an unproved /proc", "below the host's /proc", func(b *broken) { b.drop(b.call("labelproc", nsenter.Fstatfs, 0)) }},
		{"no write", "another label", func(b *broken) { b.drop(text(b, 0)) }},
		{"another label", "another label", func(b *broken) { b.arg(text(b, 0), 1, b.str("exec unconfined")) }},
		{"half a label", "another label", func(b *broken) { b.arg(text(b, 1), 2, nsenter.Imm(3)) }},
		{"a label elsewhere", "another label", func(b *broken) { b.arg(text(b, 1), 0, nsenter.Imm(2)) }},
		{"an error of the write", "rule 7", func(b *broken) {
			i := text(b, 1)
			b.on(i, nsenter.Branch{Errno: unix.EINVAL, Target: i + 1})
		}},
		{"an error of the opening", "rule 7", func(b *broken) {
			i := attr(b, 0)
			b.on(i, nsenter.Branch{Errno: unix.ENOENT, Target: i + 2})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := compile(t, labelled)
			b := breakable(t, p)
			c.edit(b)
			if err := Verify(b.Program, r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q: %v", c.want, err)
			}
		})
	}
	p, r := compile(t, labelled)
	r.labels = r.labels[:1]
	if err := Verify(p, r); err == nil || !strings.Contains(err.Error(), "not of the config") {
		t.Errorf("a label too much: %v", err)
	}
}

// Every file system that takes a label has it before it is created.
func TestMountLabel(t *testing.T) {
	p, _ := compile(t, labelled)
	b := breakable(t, p)
	labels := 0
	for i := range p.Instructions {
		in := &p.Instructions[i]
		if in.Op != nsenter.OpCall || in.Sys != nsenter.Fsconfig || in.Args[1].Value != unix.FSCONFIG_SET_STRING {
			continue
		}
		v := verifier{p: p}
		if v.text(in.Args[2]) == "context" && v.text(in.Args[3]) == "a:b:d:s0" {
			labels++
			if next := p.Instructions[i+1]; next.Sys != nsenter.Fsconfig || next.Args[1].Value != unix.FSCONFIG_CMD_CREATE {
				t.Errorf("after the label: %s", b.Line(i+1))
			}
		}
	}
	if labels != 2 { // of /dev and of what covers masked paths
		t.Errorf("%d labels", labels)
	}
}
