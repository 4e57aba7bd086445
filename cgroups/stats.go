package cgroups

import (
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Stats is what `events` prints of a container, with the keys that the clients of runc
// decode (its types/events.go).
type Stats struct {
	CPU               CPUStats                `json:"cpu"`
	CPUSet            CPUSetStats             `json:"cpuset"`
	Memory            MemoryStats             `json:"memory"`
	Pids              PidsStats               `json:"pids"`
	Blkio             BlkioStats              `json:"blkio"`
	Hugetlb           map[string]HugetlbStats `json:"hugetlb"`
	IntelRdt          struct{}                `json:"intel_rdt"`
	NetworkInterfaces []struct{}              `json:"network_interfaces"`
}

// CPUStats are in nanoseconds.
type CPUStats struct {
	Usage struct {
		Total  uint64 `json:"total,omitempty"`
		Kernel uint64 `json:"kernel"`
		User   uint64 `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling"`
	PSI *PSI `json:"psi,omitempty"`
}

// CPUSetStats has keys that clients of version 1 expect, and no values in version 2.
type CPUSetStats struct {
	CPUExclusive          uint64 `json:"cpu_exclusive"`
	MemHardwall           uint64 `json:"mem_hardwall"`
	MemExclusive          uint64 `json:"mem_exclusive"`
	MemoryMigrate         uint64 `json:"memory_migrate"`
	MemorySpreadPage      uint64 `json:"memory_spread_page"`
	MemorySpreadSlab      uint64 `json:"memory_spread_slab"`
	MemoryPressure        uint64 `json:"memory_pressure"`
	SchedLoadBalance      uint64 `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64  `json:"sched_relax_domain_level"`
}

// MemoryStats are in bytes. Swap counts memory and swap together, as version 1 did.
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *PSI              `json:"psi,omitempty"`
}

// MemoryEntry has the largest number as the limit where there is none.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// PidsStats has a limit of 0 where there is none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioStats are bytes and operations by device.
type BlkioStats struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	PSI                     *PSI         `json:"psi,omitempty"`
}

// BlkioEntry is the count of one operation on one device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// HugetlbStats are in bytes.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// PSI is the pressure on a resource: the share of time, in per cent over the last 10,
// 60 and 300 seconds and in microseconds altogether, that some or all processes waited.
type PSI struct {
	Some PSIData `json:"some"`
	Full PSIData `json:"full"`
}

// PSIData is one line of a pressure file.
type PSIData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// Stats reads what the group's controllers count. A controller that the group has
// not counts nothing.
func (g *Group) Stats() *Stats {
	s := &Stats{Hugetlb: map[string]HugetlbStats{}}
	s.CPU = cpuStats(g.text("cpu.stat"), g.text("cpu.pressure"))
	s.Memory = g.memoryStats()
	s.Pids.Current = parseNumber(g.text("pids.current"))
	if n := parseNumber(g.text("pids.max")); n != math.MaxUint64 {
		s.Pids.Limit = n
	}
	s.Blkio = blkioStats(g.text("io.stat"))
	s.Blkio.PSI = parsePSI(g.text("io.pressure"))
	for _, size := range hugepageSizes("/sys/kernel/mm/hugepages") {
		if usage := g.text("hugetlb." + size + ".current"); usage != "" {
			events := parseKeys(g.text("hugetlb." + size + ".events"))
			s.Hugetlb[size] = HugetlbStats{Usage: parseNumber(usage), Max: parseNumber(g.text("hugetlb." + size + ".max")), Failcnt: events["max"]}
		}
	}
	return s
}

// text is a file of the group, "" when there is none.
func (g *Group) text(file string) string {
	text, err := readAt(g.fd, file)
	if err != nil {
		return ""
	}
	return text
}

// parseNumber reads a number; "max" is the largest one, nothing is 0.
func parseNumber(text string) uint64 {
	text = strings.TrimSpace(text)
	if text == "max" {
		return math.MaxUint64
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// parseKeys reads lines of a key and a number.
func parseKeys(text string) map[string]uint64 {
	keys := map[string]uint64{}
	for _, line := range strings.Split(text, "\n") {
		if key, value, ok := strings.Cut(line, " "); ok {
			keys[key] = parseNumber(value)
		}
	}
	return keys
}

const nanosecondsPerMicrosecond = 1000

func cpuStats(stat, pressure string) (s CPUStats) {
	keys := parseKeys(stat)
	s.Usage.Total = keys["usage_usec"] * nanosecondsPerMicrosecond
	s.Usage.User = keys["user_usec"] * nanosecondsPerMicrosecond
	s.Usage.Kernel = keys["system_usec"] * nanosecondsPerMicrosecond
	s.Throttling.Periods = keys["nr_periods"]
	s.Throttling.ThrottledPeriods = keys["nr_throttled"]
	s.Throttling.ThrottledTime = keys["throttled_usec"] * nanosecondsPerMicrosecond
	s.PSI = parsePSI(pressure)
	return s
}

func (g *Group) memoryStats() MemoryStats {
	s := MemoryStats{Raw: parseKeys(g.text("memory.stat")), PSI: parsePSI(g.text("memory.pressure"))}
	s.Cache = s.Raw["file"]
	s.Usage = MemoryEntry{Limit: parseNumber(g.text("memory.max")), Usage: parseNumber(g.text("memory.current")), Max: parseNumber(g.text("memory.peak"))}
	s.Swap = together(s.Usage, parseNumber(g.text("memory.swap.current")), parseNumber(g.text("memory.swap.max")))
	s.Kernel.Usage = s.Raw["kernel"]
	return s
}

// together adds swap to memory, as version 1 counted.
func together(m MemoryEntry, swap, limit uint64) MemoryEntry {
	both := MemoryEntry{Usage: m.Usage + swap, Limit: math.MaxUint64}
	if m.Limit != math.MaxUint64 && limit != math.MaxUint64 {
		both.Limit = m.Limit + limit
	}
	return both
}

// blkioStats reads io.stat: a line for each device, with a count for each key.
func blkioStats(text string) (s BlkioStats) {
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		major, minor, ok := strings.Cut(fields[0], ":")
		if !ok {
			continue
		}
		e := BlkioEntry{Major: parseNumber(major), Minor: parseNumber(minor)}
		for _, field := range fields[1:] {
			key, value, _ := strings.Cut(field, "=")
			e.Value = parseNumber(value)
			switch key {
			case "rbytes", "wbytes", "dbytes":
				e.Op = blkioOp(key)
				s.IoServiceBytesRecursive = append(s.IoServiceBytesRecursive, e)
			case "rios", "wios", "dios":
				e.Op = blkioOp(key)
				s.IoServicedRecursive = append(s.IoServicedRecursive, e)
			}
		}
	}
	return s
}

func blkioOp(key string) string {
	switch key[0] {
	case 'r':
		return "Read"
	case 'w':
		return "Write"
	}
	return "Discard"
}

// parsePSI reads a pressure file; nil where the kernel keeps none.
func parsePSI(text string) *PSI {
	if !strings.HasPrefix(text, "some ") {
		return nil
	}
	p := &PSI{}
	for _, line := range strings.Split(text, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		data := &p.Some
		if kind == "full" {
			data = &p.Full
		}
		for _, field := range strings.Fields(rest) {
			key, value, _ := strings.Cut(field, "=")
			f, _ := strconv.ParseFloat(value, 64)
			switch key {
			case "avg10":
				data.Avg10 = f
			case "avg60":
				data.Avg60 = f
			case "avg300":
				data.Avg300 = f
			case "total":
				data.Total = parseNumber(value)
			}
		}
	}
	return p
}

// hugepageSizes are the sizes of huge pages of the machine, as cgroup files name them.
func hugepageSizes(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var sizes []string
	for _, e := range entries {
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(e.Name(), "hugepages-"), "kB"), 10, 64)
		switch {
		case err != nil:
		case kib >= 1<<20:
			sizes = append(sizes, strconv.FormatUint(kib>>20, 10)+"GB")
		case kib >= 1<<10:
			sizes = append(sizes, strconv.FormatUint(kib>>10, 10)+"MB")
		default:
			sizes = append(sizes, strconv.FormatUint(kib, 10)+"KB")
		}
	}
	return sizes
}

// OOMKills is how many processes of the group and below the kernel has killed for want
// of memory.
func (g *Group) OOMKills() uint64 { return parseKeys(g.text("memory.events"))["oom_kill"] }

// Pressure is how long the tasks of the group have waited for memory.
func (g *Group) Pressure() *PSI { return parsePSI(g.text("memory.pressure")) }

// WatchPressure returns an fd that has POLLPRI whenever tasks of the group have waited
// for memory for a tenth of a window of two seconds. Ordinary users may have no other
// windows.
func (g *Group) WatchPressure() (int, error) {
	fd, err := unix.Openat(g.fd, "memory.pressure", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	if _, err := unix.Write(fd, []byte("some 200000 2000000\x00")); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Watch returns an inotify fd that becomes readable when the group counts an event of
// its memory, or gets or loses its processes.
func (g *Group) Watch() (int, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return -1, err
	}
	for _, file := range [...]string{"cgroup.events", "memory.events"} {
		_, err := unix.InotifyAddWatch(fd, "/proc/self/fd/"+strconv.Itoa(g.fd)+"/"+file, unix.IN_MODIFY)
		if err != nil && (file == "cgroup.events" || !gone(err)) {
			unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}
