package systemd_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// settings are what the files of a cgroup say that somebody may write.
func settings(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	all := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		raw, err := os.ReadFile(dir + "/" + e.Name())
		if err == nil && info.Mode().Perm()&0o200 != 0 && !strings.HasPrefix(e.Name(), "cgroup.") {
			all[e.Name()] = strings.TrimPrefix(strings.TrimSpace(string(raw)), "default ")
		}
	}
	// These mean nothing in a group that is idle, are another's in other words, or count.
	if all["cpu.idle"] == "1" {
		delete(all, "cpu.weight")
	}
	for _, name := range []string{"cpu.weight.nice", "memory.peak", "memory.swap.peak", "memory.reclaim", "cpu.pressure", "io.pressure", "memory.pressure", "irq.pressure"} {
		delete(all, name)
	}
	return all
}

// changed lists the settings that are not as before.
func changed(before, after map[string]string) string {
	var list []string
	for name, is := range after {
		if was, ok := before[name]; !ok || was != is {
			list = append(list, name+"="+is)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// update is a change of limits, and all that is another in the cgroup after it.
type update struct{ resources, want string }

// A limit that is changed changes no other one, though systemd writes others again then,
// and does not know some. When somebody else asks it for a change, it rounds a quota up.
func TestScopeNeighbours(t *testing.T) {
	const all = `{"linux":{"resources":{"memory":{"limit":67108864,"swap":134217728},
		"cpu":{"shares":2048,"quota":50000,"period":100000,"burst":20000,"cpus":"0","mems":"0"},
		"blockIO":{"weight":500},"hugepageLimits":[{"pageSize":"2MB","limit":4194304}],"pids":{"limit":20},
		"unified":{"memory.high":"60002304","memory.oom.group":"1"}}}}`
	for _, c := range []struct {
		name, scheduler, config string
		updates                 []update
		another                 string // what is another when somebody else changes a limit, by systemctl
	}{
		{"limits", "", all, []update{
			{`{"pids":{"limit":21}}`, "pids.max=21"},
			{`{"memory":{"limit":68157440}}`, "memory.max=68157440"},
			{`{"cpu":{"quota":33333,"period":100000}}`, "cpu.max=33333 100000"}, // systemd knows steps of 10 ms
			{`{"cpu":{"shares":1024}}`, "cpu.weight=100"},
			{`{"cpu":{"cpus":"0-1"}}`, "cpuset.cpus=0-1"},
			{`{"unified":{"memory.oom.group":"0"}}`, "memory.oom.group=0"},
			{`{"unified":{"memory.high":"62914560"}}`, "memory.high=62914560"},
			{`{"unified":{"memory.oom.group":"1"}}`, "memory.oom.group=1"},
			{`{"hugepageLimits":[{"pageSize":"2MB","limit":6291456}]}`, "hugetlb.2MB.max=6291456, hugetlb.2MB.rsvd.max=6291456"},
		}, "cpu.max=34000 100000, pids.max=19"},
		{"BFQ", "bfq", all, []update{
			{`{"pids":{"limit":21}}`, "pids.max=21"},
			{`{"blockIO":{"weight":50}}`, "io.bfq.weight=50"},
			{`{"cpu":{"shares":1024}}`, "cpu.weight=100"},
			{`{"blockIO":{"weight":999}}`, "io.bfq.weight=999"},
			{`{"pids":{"limit":22}}`, "pids.max=22"},
		}, "io.weight=9989, pids.max=19"}, // which is of another scheduler
		{"idle", "", `{"linux":{"resources":{"cpu":{"idle":1}}}}`, []update{
			{`{"cpu":{"quota":70000,"period":100000}}`, "cpu.max=70000 100000"},
			{`{"cpu":{"idle":0}}`, "cpu.idle=0, cpu.weight=100"},
			{`{"cpu":{"quota":80000,"period":100000}}`, "cpu.max=80000 100000"},
			{`{"cpu":{"shares":3000}}`, "cpu.weight=236"},
			{`{"cpu":{"idle":0}}`, ""},
			{`{"cpu":{"quota":90000,"period":100000}}`, "cpu.max=90000 100000"},
			{`{"cpu":{"idle":1}}`, "cpu.idle=1"},
			{`{"pids":{"limit":22}}`, "pids.max=22"},
			{`{"cpu":{"idle":0,"shares":1024}}`, "cpu.idle=0, cpu.weight=100"},
		}, "pids.max=19"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t, c.config)
			if c.scheduler != "" {
				if out, err := exec.Command("modprobe", c.scheduler).CombinedOutput(); err != nil {
					t.Fatalf("%v, %s", err, out)
				}
			}
			b.start()
			unit := "brig-" + b.id + ".scope"
			dir := "/sys/fs/cgroup" + b.show(unit, "ControlGroup")
			resources := b.dir + "/resources.json"
			for _, u := range c.updates {
				before := settings(t, dir)
				must(t, os.WriteFile(resources, []byte(u.resources), 0o644))
				b.ok("update", "--resources", resources, b.id)
				if got := changed(before, settings(t, dir)); got != u.want {
					t.Errorf("after %s: %s", u.resources, got)
				}
			}
			before := settings(t, dir)
			b.systemctl("set-property", "--runtime", unit, "TasksMax=19")
			b.systemctl("daemon-reload")
			equal(t, changed(before, settings(t, dir)), c.another)
		})
	}
}
