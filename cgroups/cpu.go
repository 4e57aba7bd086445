package cgroups

import (
	"math"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Bounds of cpu.shares and cpu.weight.
const (
	sharesMin, sharesMax = 2, 262144
	weightMin, weightMax = 1, 10000
)

// cpuWeight maps shares to a weight so that both ends and the default (1024 to
// 100) meet; the formula is the one that the other runtimes agreed on in 2025.
func cpuWeight(shares uint64) uint64 {
	switch {
	case shares == 0:
		return 0
	case shares <= sharesMin:
		return weightMin
	case shares >= sharesMax:
		return weightMax
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

func (w *writer) cpu(c *specs.LinuxCPU) {
	const p = "/cpu"
	if c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
		w.fault(p+"/realtimeRuntime", "cgroup v2 has no realtime scheduling")
	}
	if c.RealtimePeriod != nil && *c.RealtimePeriod != 0 {
		w.fault(p+"/realtimePeriod", "cgroup v2 has no realtime scheduling")
	}
	idle := c.Idle != nil && *c.Idle == 1
	switch {
	case c.Idle == nil:
	case idle:
		w.add(p+"/idle", "cpu.idle", "1")
	case *c.Idle == 0: // Before Linux 5.15 there is no such file, and no idle group.
		w.addOptional(p+"/idle", "cpu.idle", "0")
	default:
		w.fault(p+"/idle", "%d is neither 0 nor 1", *c.Idle)
	}
	// An idle group has no weight: the kernel refuses one.
	if c.Shares != nil && *c.Shares != 0 && !idle {
		w.add(p+"/shares", "cpu.weight", strconv.FormatUint(cpuWeight(*c.Shares), 10))
	}
	w.bandwidth(p, c)
	w.cpuset(p+"/cpus", "cpuset.cpus", c.Cpus)
	w.cpuset(p+"/mems", "cpuset.mems", c.Mems)
}

// Bounds of the bandwidth, in microseconds (kernel/sched/core.c).
const (
	defaultPeriod        = 100000
	periodMin, periodMax = 1000, 1000000
	quotaMin             = 1000
)

// bandwidth writes quota and period, which are one line, and then the burst, which
// must not exceed the quota. A group whose old burst is above its new quota needs
// them the other way round: see inOrder.
func (w *writer) bandwidth(p string, c *specs.LinuxCPU) {
	quota, period := int64(0), uint64(0)
	if c.Quota != nil {
		quota = *c.Quota
	}
	if c.Period != nil {
		period = *c.Period
	}
	switch {
	case quota > 0 && quota < quotaMin:
		w.fault(p+"/quota", "the quota %d is less than %d microseconds", quota, quotaMin)
	case period != 0 && (period < periodMin || period > periodMax):
		w.fault(p+"/period", "the period %d is not between %d and %d microseconds", period, periodMin, periodMax)
	case quota != 0 || period != 0:
		pointer := p + "/quota"
		if quota == 0 {
			pointer = p + "/period"
		}
		if period == 0 {
			period = defaultPeriod
		}
		text := "max"
		if quota > 0 {
			text = strconv.FormatInt(quota, 10)
		}
		w.add(pointer, "cpu.max", text+" "+strconv.FormatUint(period, 10))
		w.writes[len(w.writes)-1].Lifts = quota <= 0
	}
	w.burst(p+"/burst", quota, c.Burst)
}

func (w *writer) burst(pointer string, quota int64, burst *uint64) {
	switch {
	case burst == nil:
	case quota > 0 && *burst > uint64(quota):
		w.fault(pointer, "the burst %d is above the quota %d", *burst, quota)
	default:
		w.writes = append(w.writes, Write{
			File: "cpu.max.burst", Value: strconv.FormatUint(*burst, 10), Pointer: w.base + pointer, Optional: *burst == 0,
		})
	}
}

func (w *writer) cpuset(pointer, file, list string) {
	if list == "" {
		return
	}
	for _, part := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.ParseUint(from, 10, 16)
		b, err2 := a, error(nil)
		if isRange {
			b, err2 = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || err2 != nil || b < a {
			w.fault(pointer, "%q is no list of numbers and ranges", list)
			return
		}
	}
	w.add(pointer, file, list)
}
