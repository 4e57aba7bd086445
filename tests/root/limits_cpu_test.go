package root_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
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

// On one CPU the weights are the shares, and may change while it is busy.
func TestLimitCPUWeightAndSet(t *testing.T) {
	needController(t, "cpu", "cpuset")
	light, heavy := busyOn0(t, `{"shares":2}`), busyOn0(t, `{"shares":20000}`)
	equal(t, light.group("cpuset.cpus.effective"), "0")
	// An exec into the light one would have to wait for minutes.
	equal(t, heavy.exec("grep ^Cpus_allowed_list /proc/self/status | cut -f2; nproc"), "0\n1")
	getsMore(t, heavy, light)
	light.ok("update", "--cpu-share", "262144", light.id)
	heavy.ok("update", "--cpu-share", "2", heavy.id)
	getsMore(t, light, heavy)
	// Before 6.6 the other one waits, killed, for as long as its old weight lets it.
	light.ok("delete", "--force", light.id)
}

// The idle class gets what the others leave.
func TestLimitCPUIdle(t *testing.T) {
	needController(t, "cpu", "cpuset")
	idle, other := busyOn0(t, `{"idle":1}`), busyOn0(t, `{}`)
	equal(t, idle.group("cpu.idle")+other.group("cpu.idle"), "10")
	getsMore(t, other, idle)
	for b, value := range map[*box]string{idle: "0", other: "1"} {
		b.stdin = `{"cpu":{"idle":` + value + `}}`
		b.ok("update", "--resources", "-", b.id)
		b.stdin = ""
	}
	getsMore(t, idle, other)
}

// busyOn0 is a container that is busy on the first CPU.
func busyOn0(t *testing.T, cpu string) *box {
	t.Helper()
	b := newBox(t)
	b.resources(`{"cpu":{"cpus":"0","mems":"0"}}`)
	b.resources(`{"cpu":` + cpu + `}`)
	b.background(busy)
	return b
}

// getsMore waits until a container has run for two seconds, in which the other has had a
// quarter of that at most.
func getsMore(t *testing.T, heavy, light *box) {
	t.Helper()
	usage := func(b *box) int64 { return b.count("cpu.stat", "usage_usec") }
	from := [2]int64{usage(light), usage(heavy)}
	heavy.until("busy for a while", func() bool { return usage(heavy) > from[1]+2_000_000 })
	if a, b := usage(light)-from[0], usage(heavy)-from[1]; b < 4*a {
		t.Errorf("%d µs and %d µs with weights %s and %s", a, b, light.group("cpu.weight"), heavy.group("cpu.weight"))
	}
}

// A burst is what a payload may save in periods that it does not use.
func TestLimitCPUBurst(t *testing.T) {
	needController(t, "cpu")
	b := newBox(t)
	b.resources(`{"cpu":{"quota":50000,"period":100000,"burst":50000}}`)
	b.background("while :; do sleep 1; timeout 0.3 sh -c '" + busy + "'; done")
	equal(t, b.group("cpu.max.burst"), "50000")
	b.until("a burst", func() bool { return b.count("cpu.stat", "nr_bursts") > 0 && b.count("cpu.stat", "burst_usec") > 0 })
	b.ok("update", "--cpu-burst", "0", b.id)
	equal(t, b.group("cpu.max.burst"), "0")
	bursts := b.count("cpu.stat", "nr_bursts")
	throttled := b.count("cpu.stat", "nr_throttled")
	b.until("throttled", func() bool { return b.count("cpu.stat", "nr_throttled") >= throttled+2 })
	if more := b.count("cpu.stat", "nr_bursts") - bursts; more > 1 { // one may have been on its way
		t.Errorf("%d bursts after they were forbidden", more)
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

// A container that gets next to no time is deleted all the same: what was killed gets what
// it needs to end.
func TestLimitCPUDelete(t *testing.T) {
	needController(t, "cpu", "cpuset")
	var uts unix.Utsname
	must(t, unix.Uname(&uts))
	var major, minor int
	fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &major, &minor)
	neighbour := `{"shares":262144}`
	if major < 6 || major == 6 && minor < 6 {
		// Before 6.6 who has had his share waits as long with a greater weight: one that has
		// 10,000 times the least keeps him waiting for minutes. Beside one like any other he
		// waits for two seconds.
		neighbour = `{}`
	}
	busyOn0(t, neighbour)
	for name, cpu := range map[string]string{
		"weight": `{"shares":2}`,
		"idle":   `{"idle":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.resources(`{"cpu":{"cpus":"0","mems":"0"}}`)
			b.background(busy)
			b.stdin = `{"cpu":` + cpu + `}`
			b.ok("update", "--resources", "-", b.id)
			b.ok("delete", "--force", b.id)
		})
	}
}
