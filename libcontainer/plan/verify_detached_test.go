package plan

import (
	"slices"
	"strings"
	"testing"

	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// withoutMounts takes the container its mount namespace.
func withoutMounts(in *Input) {
	in.Spec.Linux.Namespaces = slices.DeleteFunc(in.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.MountNamespace })
	in.Host.CloneDetached = true
}

// joinedMounts lets the container join a mount namespace.
func joinedMounts(in *Input) {
	withoutMounts(in)
	in.Spec.Linux.Namespaces = append(in.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.MountNamespace, Path: "/run/mnt"})
}

// rootedJoin joins a container whose root its mount namespace does not lead to.
func rootedJoin(in *Input) {
	withoutMounts(in)
	in.Join = &Joined{Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWCGROUP, Root: true}
}

func TestVerifyAcceptsDetachedRoots(t *testing.T) {
	compile(t, withoutMounts)
	compile(t, joinedMounts)
	if _, err := Join(input(t, rootedJoin)); err != nil {
		t.Error(err)
	}
}

// A change of root is to the container's own root, complete, and only where it has
// no mount namespace.
func TestVerifyChroot(t *testing.T) {
	chroot := func(b *broken) int { return b.call("", nsenter.Chroot, 0) }
	for _, c := range [...]struct {
		name, want string
		config     func(*Input)
		edit       func(b *broken)
	}{
		{"no change", "rule 1: openat2 from the host's root", withoutMounts, func(b *broken) { b.drop(chroot(b)) }},
		{"a path", "rule 1: chroot", withoutMounts, func(b *broken) { b.arg(chroot(b), 0, b.str("/srv")) }},
		{"another directory", "rule 1: chroot", withoutMounts, func(b *broken) {
			b.arg(chroot(b)-1, 0, nsenter.Val(b.Instructions[b.call("mounts", nsenter.Openat2, 0)].Dst))
		}},
		{"no directory", "rule 1: chroot", withoutMounts, func(b *broken) { b.drop(chroot(b) - 1) }},
		{"beside a pivot", "rule 1: chroot", func(*Input) {}, func(b *broken) {
			b.insert(b.call("pivot", nsenter.PivotRoot, 0), nsenter.Chroot, b.str("."))
		}},
		{"a pivot in the namespace of others", "no enter the root", withoutMounts, func(b *broken) {
			k := chroot(b)
			b.Instructions[k].Sys = nsenter.PivotRoot
			b.arg(k, 1, b.Instructions[k].Args[0])
		}},
		{"names before it", "rule 1: openat2 from the host's root", joinedMounts, func(b *broken) {
			b.insert(chroot(b)-1, nsenter.Openat2, nsenter.Int(unix.AT_FDCWD), b.str("etc"), b.words(unix.O_PATH|unix.O_CLOEXEC, 0, inRoot), nsenter.Imm(openHowSize))
		}},
		{"a covered root", "no proof that nothing covers", withoutMounts, func(b *broken) {
			b.drop(b.call("pivot", nsenter.Openat2, 0))
		}},
		{"a root that stays writable", "read-only", withoutMounts, func(b *broken) {
			k := 0
			for b.Instructions[b.call("readonly", nsenter.MountSetattr, k)].Args[0] != nsenter.Val(b.Instructions[b.call("sources", nsenter.OpenTree, 0)].Dst) {
				k++
			}
			b.drop(b.call("readonly", nsenter.MountSetattr, k))
		}},
		{"who joins stays outside", "no enter the root", rootedJoin, func(b *broken) { b.drop(chroot(b)) }},
		{"who joins goes elsewhere", "rule 1: chroot", rootedJoin, func(b *broken) { b.arg(chroot(b)-1, 0, nsenter.Imm(9)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, c.config)
			compiler := Create
			if in.Join != nil {
				compiler = Join
			}
			p, err := compiler(in)
			if err != nil {
				t.Fatal(err)
			}
			c.edit(&broken{p, t})
			if err := Verify(p, requirementsOf(in)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
