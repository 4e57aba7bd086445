package systemd

import (
	"math"
	"strconv"
	"strings"

	"brig/cgroups"
)

// Properties are the limits that systemd has to know, because it writes what it
// knows to the files of the cgroup again, whenever one of them changes. brig writes all
// limits itself, these too. Of a write that has another instead, systemd gets the other,
// which any group takes; where there is a group, cgroups.Group.InForce has chosen before.
func Properties(writes []cgroups.Write) []Property {
	var list []Property
	for i := range writes {
		w := &writes[i]
		if w.Instead != nil {
			w = w.Instead
		}
		list = append(list, properties(w.File, w.Value)...)
	}
	return list
}

// Files are those that systemd may write when one of a scope's properties changes.
func Files() []string {
	return []string{
		"memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.max", "memory.zswap.max", "memory.zswap.writeback",
		"memory.oom.group", "cpu.idle", "cpu.weight", "cpu.max", "cpuset.cpus", "cpuset.mems", "io.weight", "io.bfq.weight", "pids.max",
	}
}

func properties(file, value string) []Property {
	switch file {
	case "memory.max":
		return amount("MemoryMax", value)
	case "memory.high":
		return amount("MemoryHigh", value)
	case "memory.low":
		return amount("MemoryLow", value)
	case "memory.min":
		return amount("MemoryMin", value)
	case "memory.swap.max":
		return amount("MemorySwapMax", value)
	case "memory.oom.group":
		if value == "1" {
			return []Property{property("OOMPolicy", "s", "kill")}
		}
	case "pids.max":
		return amount("TasksMax", value)
	case "cpu.weight":
		return amount("CPUWeight", value)
	case "cpu.idle":
		if value == "1" {
			return []Property{property("CPUWeight", "t", uint64(0))} // since systemd 252
		}
	case "cpu.max":
		return quota(value)
	case "cpuset.cpus":
		return set("AllowedCPUs", value)
	case "cpuset.mems":
		return set("AllowedMemoryNodes", value)
	case "io.weight":
		return amount("IOWeight", strings.TrimPrefix(value, "default "))
	case "io.bfq.weight":
		return bfqWeight(strings.TrimPrefix(value, "default "))
	}
	return nil
}

// amount is a number of 64 bits, of which the highest is no limit.
func amount(name, value string) []Property {
	if value == "max" {
		return []Property{property(name, "t", uint64(math.MaxUint64))}
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return nil
	}
	return []Property{property(name, "t", n)}
}

// bfqWeight is the weight of which systemd makes that of the BFQ scheduler: below the
// default of both, 100, they are alike, and above it systemd divides what is more by 11.
func bfqWeight(value string) []Property {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return nil
	}
	if n > 100 {
		n = 100 + (n-100)*11
	}
	return []Property{property("IOWeight", "t", n)}
}

// quota reads "QUOTA PERIOD". systemd keeps the time in a second, in steps of 10 ms
// that it rounds to by itself; a number rounded down would be less than the limit.
func quota(value string) []Property {
	first, second, _ := strings.Cut(value, " ")
	period, err := strconv.ParseUint(second, 10, 64)
	if second == "" {
		period, err = 100000, nil
	}
	if err != nil || period == 0 {
		return nil
	}
	list := []Property{property("CPUQuotaPeriodUSec", "t", period)}
	if first == "max" {
		return append(list, property("CPUQuotaPerSecUSec", "t", uint64(math.MaxUint64)))
	}
	n, err := strconv.ParseUint(first, 10, 64)
	if err != nil || n > math.MaxUint64/1000000 {
		return nil
	}
	const step = 10000
	perSecond := (n*1000000/period + step - 1) / step * step
	return append(list, property("CPUQuotaPerSecUSec", "t", perSecond))
}

// set is a list such as 0-3,7 as a mask, the lowest byte first.
func set(name, value string) []Property {
	var mask []byte
	for part := range strings.SplitSeq(value, ",") {
		from, to, found := strings.Cut(strings.TrimSpace(part), "-")
		if !found {
			to = from
		}
		a, err := strconv.ParseUint(from, 10, 16)
		b, err2 := strconv.ParseUint(to, 10, 16)
		if err != nil || err2 != nil {
			return nil
		}
		for n := a; n <= b; n++ {
			for len(mask) <= int(n/8) {
				mask = append(mask, 0)
			}
			mask[n/8] |= 1 << (n % 8)
		}
	}
	return []Property{property(name, "ay", mask)}
}
