package cgroups

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestStats(t *testing.T) {
	g := fake(t, map[string]string{
		"cpu.stat":            "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 7\nnr_throttled 2\nthrottled_usec 90\n",
		"cpu.pressure":        "some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\nfull avg10=0.10 avg60=0.00 avg300=0.00 total=99\n",
		"memory.stat":         "anon 100\nfile 4096\nkernel 300\n",
		"memory.current":      "8192\n",
		"memory.max":          "max\n",
		"memory.peak":         "9000\n",
		"memory.swap.current": "1000\n",
		"memory.swap.max":     "2000\n",
		"pids.current":        "3\n",
		"pids.max":            "max\n",
		"io.stat":             "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=30 dios=3\n253:1\n",
	})
	raw, err := json.Marshal(g.Stats())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"cpu":{"usage":{"total":5000000,"kernel":2000000,"user":3000000},"throttling":{"periods":7,"throttledPeriods":2,"throttledTime":90000},` +
		`"psi":{"some":{"avg10":1.5,"avg60":0.25,"avg300":0,"total":12345},"full":{"avg10":0.1,"avg60":0,"avg300":0,"total":99}}},` +
		`"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},` +
		`"memory":{"cache":4096,"usage":{"limit":18446744073709551615,"usage":8192,"max":9000,"failcnt":0},"swap":{"limit":18446744073709551615,"usage":9192,"failcnt":0},` +
		`"kernel":{"limit":0,"usage":300,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0},"raw":{"anon":100,"file":4096,"kernel":300}},` +
		`"pids":{"current":3},"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":10},{"major":8,"op":"Write","value":20},{"major":8,"op":"Discard","value":30}],` +
		`"ioServicedRecursive":[{"major":8,"op":"Read","value":1},{"major":8,"op":"Write","value":2},{"major":8,"op":"Discard","value":3}]},` +
		`"hugetlb":{},"intel_rdt":{},"network_interfaces":null}`
	if string(raw) != want {
		t.Errorf("got\n%s\nwant\n%s", raw, want)
	}
}

func TestStatsOfLimits(t *testing.T) {
	g := fake(t, map[string]string{"memory.max": "100\n", "memory.swap.max": "20\n", "pids.max": "7\n", "memory.events": "low 0\noom 2\noom_kill 3\n"})
	s := g.Stats()
	if s.Memory.Usage.Limit != 100 || s.Memory.Swap.Limit != 120 || s.Pids.Limit != 7 || g.OOMKills() != 3 {
		t.Errorf("got %+v %+v", s.Memory, s.Pids)
	}
	if n := parseNumber("max"); n != math.MaxUint64 {
		t.Errorf("max is %d", n)
	}
	if n := parseNumber("x"); n != 0 {
		t.Errorf("x is %d", n)
	}
	if parsePSI("") != nil {
		t.Error("there is pressure without a file")
	}
}

func TestHugepageSizes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := hugepageSizes(dir); len(got) != 3 || got[0] != "1GB" || got[1] != "2MB" || got[2] != "64KB" {
		t.Errorf("got %q", got)
	}
	if got := hugepageSizes(dir + "/none"); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestWatchOfNothing(t *testing.T) {
	if _, err := fake(t, nil).Watch(); err == nil {
		t.Error("a group without events is watched")
	}
}
