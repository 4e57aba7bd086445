package root_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// cpu.max bounds the time in each period, whatever the machine is doing.
func TestLimitCPU(t *testing.T) {
	needController(t, "cpu")
	b := newBox(t)
	b.resources(`{"cpu":{"quota":10000,"period":100000}}`)
	b.background(busy)
	within := func(quota int64) {
		t.Helper()
		usage, periods, throttled := b.count("cpu.stat", "usage_usec"), b.count("cpu.stat", "nr_periods"), b.count("cpu.stat", "nr_throttled")
		b.until("throttled", func() bool { return b.count("cpu.stat", "nr_throttled") >= throttled+5 })
		usage, periods = b.count("cpu.stat", "usage_usec")-usage, b.count("cpu.stat", "nr_periods")-periods
		// The kernel hands out slices of 5 ms to each CPU.
		if most := (periods+1)*quota + 4*5000; usage > most {
			t.Errorf("%d µs in %d periods, more than %d", usage, periods, most)
		}
	}
	within(10000)
	b.ok("update", "--cpu-quota", "30000", "--cpu-period", "100000", b.id)
	equal(t, b.group("cpu.max"), "30000 100000")
	within(30000)
}

// On one CPU the weights are the shares.
func TestLimitCPUWeightAndSet(t *testing.T) {
	needController(t, "cpu", "cpuset")
	var boxes []*box
	for _, shares := range []string{"2", "20000"} {
		b := newBox(t)
		b.resources(`{"cpu":{"shares":` + shares + `,"cpus":"0","mems":"0"}}`)
		b.background(busy)
		boxes = append(boxes, b)
	}
	light, heavy := boxes[0], boxes[1]
	equal(t, light.group("cpuset.cpus.effective"), "0")
	// An exec into the light one would have to wait for minutes.
	equal(t, heavy.exec("grep ^Cpus_allowed_list /proc/self/status | cut -f2; nproc"), "0\n1")
	from := [2]int64{light.count("cpu.stat", "usage_usec"), heavy.count("cpu.stat", "usage_usec")}
	heavy.until("busy for a while", func() bool { return heavy.count("cpu.stat", "usage_usec") > from[1]+2_000_000 })
	if a, b := light.count("cpu.stat", "usage_usec")-from[0], heavy.count("cpu.stat", "usage_usec")-from[1]; b < 4*a {
		t.Errorf("%d µs and %d µs with weights %s and %s", a, b, light.group("cpu.weight"), heavy.group("cpu.weight"))
	}
}

// Where a container may run can change while it runs.
func TestLimitCPUSetUpdate(t *testing.T) {
	needController(t, "cpuset")
	b := sleeping(t)
	b.ok("update", "--cpuset-cpus", "0", b.id)
	equal(t, b.exec("nproc"), "1")
	equal(t, b.group("cpuset.cpus.effective"), "0")
}

// The idle class is lower than any weight.
func TestLimitCPUIdle(t *testing.T) {
	needController(t, "cpu")
	b := newBox(t)
	b.resources(`{"cpu":{"idle":1}}`)
	equal(t, b.run("cat /sys/fs/cgroup/cpu.idle"), "1")
}

// io.max bounds what is read from a block device.
func TestLimitIO(t *testing.T) {
	needController(t, "io")
	root, number := rootDevice(t)
	major, minor, _ := strings.Cut(number, ":")
	b := newBox(t)
	b.patch(`{"linux":{"devices":[{"path":"/dev/disk","type":"b","major":` + major + `,"minor":` + minor + `}],
		"resources":{"devices":[{"allow":true,"type":"b","major":` + major + `,"minor":` + minor + `,"access":"r"}],
		"blockIO":{"throttleReadBpsDevice":[{"major":` + major + `,"minor":` + minor + `,"rate":1048576}]}}}}`)
	const script = "cat /sys/fs/cgroup/io.max; dd if=/dev/disk of=/dev/null iflag=direct bs=256k count=16 2>&1 | grep -c '16+0 records in'"
	from := time.Now()
	equal(t, b.run(script), number+" rbps=1048576 wbps=max riops=max wiops=max\n1")
	// 4 MiB at 1 MiB a second: a machine that is busy takes longer, never shorter. The
	// kernel allows a first burst.
	if took := time.Since(from); took < 2*time.Second {
		t.Errorf("4 MiB of %s took %v", root, took)
	}
}

// rootDevice is the block device of the root file system.
func rootDevice(t *testing.T) (name, number string) {
	t.Helper()
	for _, name := range []string{"vda", "sda", "nvme0n1"} {
		if raw, err := os.ReadFile("/sys/block/" + name + "/dev"); err == nil {
			return name, strings.TrimSpace(string(raw))
		}
	}
	t.Skip("needs a block device")
	return "", ""
}

// A huge page too many is refused.
func TestLimitHugePages(t *testing.T) {
	needController(t, "hugetlb")
	before := reads(t, "/proc/sys/vm/nr_hugepages")
	must(t, os.WriteFile("/proc/sys/vm/nr_hugepages", []byte("8"), 0))
	t.Cleanup(func() { must(t, os.WriteFile("/proc/sys/vm/nr_hugepages", []byte(strings.TrimSpace(before)), 0)) })
	if strings.TrimSpace(reads(t, "/proc/sys/vm/nr_hugepages")) == "0" {
		t.Skip("needs memory for huge pages")
	}
	b := newBox(t)
	b.resources(`{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`)
	b.mount("/huge", "hugetlbfs", "hugetlbfs", "pagesize=2M")
	b.stage("fallocate")
	equal(t, b.run("cat /sys/fs/cgroup/hugetlb.2MB.max; fallocate -l 4M /huge/a && echo two; fallocate -l 2M /huge/b 2>/dev/null || echo no third"), "4194304\ntwo\nno third")
}

// stage makes one more applet of busybox.
func (b *box) stage(applet string) { must(b.t, os.Symlink("busybox", b.rootfs+"/bin/"+applet)) }
