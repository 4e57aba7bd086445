package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// idMapped has a mount for each place where ids are mapped.
func idMapped(in *Input) {
	userNamespace(in)
	in.Spec.Mounts = append(
		[]specs.Mount{{Destination: "/", Source: "rootfs", Options: []string{"bind", "idmap"}}},
		append(in.Spec.Mounts,
			specs.Mount{Destination: "/own", Source: "/own", Options: []string{"bind", "idmap"}},
			specs.Mount{Destination: "/one", Source: "/one", Options: []string{"bind", "idmap=uids=0-1-1;gids=0-1-1"}},
			specs.Mount{Destination: "/all", Source: "/all", Options: []string{"rbind", "ridmap=uids=0-2-1;gids=0-2-1"}})...)
	in.IDMaps = IDMapsOf(in.Spec)
}

// idMappedNew maps the ids of a file system that the program makes.
func idMappedNew(in *Input) {
	in.Spec.Mounts = append(in.Spec.Mounts, specs.Mount{Destination: "/new", Type: "tmpfs", Options: []string{"idmap=uids=0-1-1;gids=0-1-1"}})
	in.IDMaps = IDMapsOf(in.Spec)
}

func TestVerifyAcceptsIDMaps(t *testing.T) {
	compile(t, idMapped)
	compile(t, idMappedNew)
}

// The ids of a mount are mapped as the config says, or the program does not run.
func TestVerifyIDMaps(t *testing.T) {
	// mapping is the call that maps the nth mount of a section.
	mapping := func(b *broken, section string, n int) int {
		for i := range b.Instructions {
			in := &b.Instructions[i]
			if in.Op == nsenter.OpCall && in.Sys == nsenter.MountSetattr && in.Args[3].Kind == nsenter.Scratch && b.StepOf(i).Section == section {
				if n == 0 {
					return i
				}
				n--
			}
		}
		b.t.Fatalf("no mapping of ids in %s", section)
		return -1
	}
	for _, c := range [...]struct {
		name, want string
		config     func(*Input)
		edit       func(b *broken)
	}{
		{"one mount is not", "are not mapped", idMapped, func(b *broken) { b.drop(mapping(b, "sources", 1)) }},
		{"the root is not", "are not mapped", idMapped, func(b *broken) { b.drop(mapping(b, "report", 0)) }},
		{"a new file system is not", "are not mapped", idMappedNew, func(b *broken) { b.drop(mapping(b, "mounts", 0)) }},
		{"all below are not", "with flags", idMapped, func(b *broken) { b.arg(mapping(b, "sources", 1), 2, nsenter.Imm(unix.AT_EMPTY_PATH)) }},
		{"all below are", "with flags", idMapped, func(b *broken) {
			b.arg(mapping(b, "sources", 0), 2, nsenter.Imm(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE))
		}},
		{"another mapping", "as the config says", idMapped, func(b *broken) { b.arg(mapping(b, "sources", 0)-1, 1, nsenter.Imm(7)) }},
		{"that of a number", "as the config says", idMapped, func(b *broken) { b.arg(mapping(b, "report", 0)-1, 1, nsenter.Imm(7)) }},
		{"other attributes", "as the config says", idMapped, func(b *broken) { b.arg(mapping(b, "sources", 0)-2, 1, nsenter.Imm(0)) }},
		{"a struct that changes", "as the config says", idMapped, func(b *broken) {
			b.arg(mapping(b, "sources", 1), 3, b.Instructions[mapping(b, "sources", 0)].Args[3])
		}},
		{"an attached tree", "rule 3: the ids of an attached tree", idMappedNew, func(b *broken) {
			b.arg(mapping(b, "mounts", 0), 0, b.Instructions[b.call("mounts", nsenter.MoveMount, 0)].Args[0])
		}},
		{"one too many", "does not want mapped", idMappedNew, func(b *broken) {
			k := mapping(b, "mounts", 0)
			in := b.Instructions[k]
			b.insert(k+1, in.Sys, in.Args[:5]...)
		}},
		{"an error", "rule 7", idMapped, func(b *broken) {
			i := mapping(b, "sources", 0)
			b.on(i, nsenter.Branch{Errno: unix.EINVAL, Target: i + 1})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := compile(t, c.config)
			c.edit(&broken{p, t})
			if err := Verify(p, r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
