package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// copying has a tmpfs that gets a file of the directory that it covers.
func copying(in *Input) {
	in.Spec.Mounts = append(in.Spec.Mounts, specs.Mount{Destination: "/data", Type: "tmpfs", Options: []string{"tmpcopyup"}})
	in.CopyUps = map[int]*Tree{len(in.Spec.Mounts) - 1: {Entries: []Entry{{Name: "file", Mode: unix.S_IFREG | 0o644}}}}
}

// What is copied goes from the container's tree into what the program made.
func TestVerifyCopies(t *testing.T) {
	compile(t, copying)
	send := func(b *broken) int { return b.call("mounts", nsenter.Sendfile, 0) }
	for name, edit := range map[string]func(b *broken){
		"into the container's tree": func(b *broken) { b.arg(send(b), 0, b.Instructions[send(b)].Args[1]) },
		"into a number":             func(b *broken) { b.arg(send(b), 0, nsenter.Imm(1)) },
		"from a number":             func(b *broken) { b.arg(send(b), 1, nsenter.Imm(0)) },
		"from the host's root file system": func(b *broken) {
			b.arg(send(b), 1, nsenter.Val(b.Instructions[b.call("sources", nsenter.OpenTree, 0)].Dst))
		},
		"into a file that a link leads to": func(b *broken) {
			for i := send(b); ; i-- {
				if in := &b.Instructions[i]; in.Sys == nsenter.Openat2 && in.Op == nsenter.OpCall && nsenter.Val(in.Dst) == b.Instructions[send(b)].Args[0] {
					b.arg(i, 2, b.words(unix.O_WRONLY|unix.O_CLOEXEC, 0, inRoot))
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, r := compile(t, copying)
			edit(&broken{p, t})
			if err := Verify(p, r); err == nil || !strings.Contains(err.Error(), "rule 4: what is copied") {
				t.Errorf("%v", err)
			}
		})
	}
}
