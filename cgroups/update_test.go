package cgroups

import (
	"errors"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestUpdateGoesBack(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base, Write{File: "cgroup.max.depth", Value: "7"})
	writes := []Write{{File: "cgroup.max.depth", Value: "3"}, {File: "cgroup.max.descendants", Value: "5"}, {File: "cgroup.max.descendants", Value: "x", Pointer: "/x"}}
	agrees := func() error { return nil }
	err := r.Update(g, writes, agrees)
	wantFault(t, err, fault.Host, "/x", `write "x" to cgroup.max.descendants`, 22)
	if content(t, r, base, "cgroup.max.depth") != "7" || content(t, r, base, "cgroup.max.descendants") != "max" {
		t.Error("the limits are not as they were")
	}
	refusal := errors.New("no")
	if err := r.Update(g, writes[:2], func() error { return refusal }); err != refusal || content(t, r, base, "cgroup.max.depth") != "7" || content(t, r, base, "cgroup.max.descendants") != "max" {
		t.Errorf("the limits are not as they were: %v", err)
	}
	if err := r.Update(g, writes[:2], agrees); err != nil || content(t, r, base, "cgroup.max.depth") != "3" {
		t.Errorf("the limits are not as written: %v", err)
	}
}

func TestComplete(t *testing.T) {
	g := fake(t, map[string]string{"cpu.max": "20000 50000\n", "memory.max": "4096\n"})
	period, quota, swap := uint64(100000), int64(10000), int64(8192)
	r := &specs.LinuxResources{CPU: &specs.LinuxCPU{Period: &period}, Memory: &specs.LinuxMemory{Swap: &swap}}
	if g.Complete(r); r.CPU.Quota == nil || *r.CPU.Quota != 20000 || r.Memory.Limit == nil || *r.Memory.Limit != 4096 {
		t.Errorf("got %+v %+v", r.CPU, r.Memory)
	}
	r = &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &quota}}
	if g.Complete(r); r.CPU.Period == nil || *r.CPU.Period != 50000 {
		t.Errorf("got %+v", r.CPU)
	}
	none := fake(t, map[string]string{"cpu.max": "max 100000\n"})
	r = &specs.LinuxResources{CPU: &specs.LinuxCPU{Period: &period}}
	if none.Complete(r); r.CPU.Quota != nil {
		t.Errorf("got %+v", r.CPU)
	}
	r = &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &quota}, Memory: &specs.LinuxMemory{Swap: &swap}}
	if fake(t, nil).Complete(r); r.CPU.Period != nil || r.Memory.Limit != nil {
		t.Errorf("got %+v %+v", r.CPU, r.Memory)
	}
}

func TestCheckBeforeUpdate(t *testing.T) {
	g := fake(t, map[string]string{"memory.current": "5000\n", "memory.swap.current": "3000\n"})
	check, limit := true, func(n int64) *int64 { return &n }
	for _, c := range []struct {
		m       *specs.LinuxMemory
		pointer string
	}{
		{nil, ""},
		{&specs.LinuxMemory{Limit: limit(1)}, ""},
		{&specs.LinuxMemory{CheckBeforeUpdate: &check, Limit: limit(5000)}, ""},
		{&specs.LinuxMemory{CheckBeforeUpdate: &check, Limit: limit(-1)}, ""},
		{&specs.LinuxMemory{CheckBeforeUpdate: &check, Limit: limit(4999)}, "/r/memory/limit"},
		{&specs.LinuxMemory{CheckBeforeUpdate: &check, Limit: limit(6000), Swap: limit(8000)}, ""},
		{&specs.LinuxMemory{CheckBeforeUpdate: &check, Limit: limit(6000), Swap: limit(7999)}, "/r/memory/swap"},
	} {
		err := g.CheckBeforeUpdate(c.m, "/r")
		if c.pointer == "" && err == nil {
			continue
		}
		wantFault(t, err, fault.Config, c.pointer, "rejecting memory", 0)
	}
	if err := fake(t, nil).CheckBeforeUpdate(&specs.LinuxMemory{CheckBeforeUpdate: &check, Limit: limit(1)}, ""); err != nil {
		t.Error(err)
	}
}

// What a file said before is written again so that the kernel takes it: it takes no write
// of nothing, and knows devices of which it has no line.
func TestRestore(t *testing.T) {
	for _, c := range []struct{ file, value, text, want string }{
		{"pids.max", "5", "20\n", "20"},
		{"cpuset.cpus", "0", "\n", "\n,else 0-7"},
		{"cpuset.cpus", "0", "", "\n,else 0-7"},
		{"io.max", "8:0 rbps=1", "", "8:0 rbps=max wbps=max riops=max wiops=max"},
		{"io.max", "8:0 rbps=1", "8:16 rbps=7 wbps=max riops=max wiops=max\n", "8:0 rbps=max wbps=max riops=max wiops=max,8:16 rbps=7 wbps=max riops=max wiops=max"},
		{"io.max", "8:1 rbps=1", "8:16 rbps=7\n8:1 rbps=2\n", "8:16 rbps=7,8:1 rbps=2"},
		{"io.latency", "8:0 target=9", "\n", "8:0 target=max"},
		{"io.weight", "8:0 9", "default 100\n", "8:0 default,default 100"},
		{"io.bfq.weight", "8:0 9", "default 100\n8:0 7\n", "default 100,8:0 7"},
		{"io.weight", "70", "default 100\n", "default 100"},
		{"io.other", "8:0 9", "", ""},
		{"rdma.max", "mlx hca_handle=2", "mlx hca_handle=max hca_object=max\n", "mlx hca_handle=max hca_object=max"},
	} {
		var list []string
		for _, w := range restore(&Write{File: c.file, Value: c.value, Pointer: "/x"}, c.text, "0-7") {
			if w.File != c.file || w.Pointer != "/x" {
				t.Errorf("%s: %+v", c.file, w)
			}
			list = append(list, w.Value)
			if w.Instead != nil {
				list = append(list, "else "+w.Instead.Value)
			}
		}
		if got := strings.Join(list, ","); got != c.want {
			t.Errorf("%s %q after %q: %q, want %q", c.file, c.value, c.text, got, c.want)
		}
	}
}

// What stands in for a file that is missing is restored too.
func TestUpdateGoesBackFromInstead(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base, Write{File: "cgroup.max.depth", Value: "7"})
	w := Write{File: "cgroup.none", Value: "1", Instead: &Write{File: "cgroup.max.depth", Value: "3"}}
	if err := r.Update(g, []Write{w}, func() error { return errors.New("no") }); err == nil || content(t, r, base, "cgroup.max.depth") != "7" {
		t.Errorf("it is %s, %v", content(t, r, base, "cgroup.max.depth"), err)
	}
}

// Who ceases to be idle has to get his weight back, after that.
func TestBeforeIdle(t *testing.T) {
	for idle, want := range map[string]string{"0": "cpu.weight=39 cpu.idle=0", "1": "cpu.idle=1"} {
		g := fake(t, map[string]string{"cpu.idle": idle + "\n", "cpu.weight": "39\n"})
		var list []string
		for _, w := range g.before(&Write{File: "cpu.idle", Value: "1"}) {
			list = append(list, w.File+"="+w.Value)
		}
		if got := strings.Join(list, " "); got != want {
			t.Errorf("idle %s: %s", idle, got)
		}
	}
}

// A limit that cannot be taken back does not keep the others from it.
func TestUpdateGoesBackAllTheWay(t *testing.T) {
	g := fake(t, map[string]string{"cgroup.controllers": "", "cgroup.max.depth": "7\n", "cgroup.max.descendants": "9\n"})
	r := &Root{fd: g.fd}
	err := r.Update(g, []Write{{File: "cgroup.max.depth", Value: "3"}, {File: "cgroup.max.descendants", Value: "5", Pointer: "/y"}}, func() error {
		if err := unix.Unlinkat(g.fd, "cgroup.max.descendants", 0); err != nil {
			t.Fatal(err)
		}
		return errors.New("no")
	})
	if err == nil || !strings.Contains(err.Error(), "no\n/y: write \"9\" to cgroup.max.descendants: ENOENT") {
		t.Errorf("got %v", err)
	}
	if text, err := readAt(g.fd, "cgroup.max.depth"); err != nil || strings.TrimSpace(text) != "7" {
		t.Errorf("it is %q, %v", text, err)
	}
}
