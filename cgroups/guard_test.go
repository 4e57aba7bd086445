package cgroups

import (
	"errors"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func TestInForce(t *testing.T) {
	bfq := Write{File: "io.bfq.weight", Value: "500", Instead: &Write{File: "io.weight", Value: "4950"}}
	for _, c := range []struct {
		files map[string]string
		write Write
		want  string
	}{
		{map[string]string{"io.bfq.weight": "default 100\n"}, bfq, "io.bfq.weight=500"},
		{map[string]string{"io.weight": "default 100\n"}, bfq, "io.weight=4950"},
		{map[string]string{"cpu.idle": "0\n", "cpu.weight": "39\n"}, Write{File: "cpu.idle", Value: "0"}, "cpu.idle=0 cpu.weight=39"},
		{map[string]string{"cpu.idle": "1\n", "cpu.weight": "0\n"}, Write{File: "cpu.idle", Value: "1"}, "cpu.idle=1"},
		{map[string]string{"cpu.idle": "0\n"}, Write{File: "cpu.idle", Value: "0"}, "cpu.idle=0"},
		{nil, Write{File: "pids.max", Value: "3"}, "pids.max=3"},
	} {
		var list []string
		for _, w := range fake(t, c.files).InForce([]Write{c.write}) {
			if list = append(list, w.File+"="+w.Value); w.Instead != nil {
				t.Errorf("%s has another instead", w.File)
			}
		}
		if got := strings.Join(list, " "); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// Whoever writes files that are guarded changes nothing, whether he fails or not.
func TestGuard(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base, Write{File: "cgroup.max.depth", Value: "7"}, Write{File: "cgroup.max.descendants", Value: "9"})
	files := []string{"cgroup.none", "cgroup.max.depth"}
	other := func() error {
		return errors.Join(writeAt(g.fd, "cgroup.max.depth", "3"), writeAt(g.fd, "cgroup.max.descendants", "4"))
	}
	if err := g.Guard(files, other); err != nil || content(t, r, base, "cgroup.max.depth") != "7" || content(t, r, base, "cgroup.max.descendants") != "4" {
		t.Errorf("%v, depth %s, descendants %s", err, content(t, r, base, "cgroup.max.depth"), content(t, r, base, "cgroup.max.descendants"))
	}
	no := errors.New("no")
	if err := g.Guard(files, func() error { return errors.Join(other(), no) }); !errors.Is(err, no) || content(t, r, base, "cgroup.max.depth") != "7" {
		t.Errorf("%v, depth %s", err, content(t, r, base, "cgroup.max.depth"))
	}
	// The kernel makes no group of threads one of processes again.
	err := g.Guard([]string{"cgroup.type"}, func() error { return writeAt(g.fd, "cgroup.type", "threaded") })
	wantFault(t, err, fault.Host, "", `write "domain" to cgroup.type: EINVAL`, unix.EINVAL)
}

func TestHas(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base)
	create(t, r, base+"/cgroup.none")
	if !g.Has("cgroup.procs") || g.Has("cgroup.missing") || g.Has("cgroup.none") {
		t.Error("a file is one that can be read")
	}
}
