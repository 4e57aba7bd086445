package cgroups

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Write is one value for one file of a cgroup.
type Write struct {
	File    string `json:"file"`
	Value   string `json:"value"`
	Pointer string `json:"pointer"` // JSON pointer of the field that asks for it
	// Optional says that the file may be missing: the value then has no meaning
	// on this kernel.
	Optional bool `json:"optional,omitempty"`
	// Instead is the write to do when the file is missing.
	Instead *Write `json:"instead,omitempty"`
}

// Controller is the name of the controller whose file is written.
func (w *Write) Controller() string {
	name, _, _ := strings.Cut(w.File, ".")
	return name
}

// writer collects writes and faults.
type writer struct {
	base   string
	writes []Write
	faults fault.List
}

func (w *writer) add(pointer, file, value string) {
	w.writes = append(w.writes, Write{File: file, Value: value, Pointer: w.base + pointer})
}

func (w *writer) fault(pointer, format string, args ...any) {
	w.faults = append(w.faults, fault.Configf(w.base+pointer, format, args...))
}

// Writes turns resources into writes, in the order in which they have to be done.
// base is the JSON pointer of the resources. It looks at nothing but its
// arguments.
func Writes(r *specs.LinuxResources, base string) ([]Write, fault.List) {
	w := &writer{base: base}
	if r.Memory != nil {
		w.memory(r.Memory)
	}
	if r.CPU != nil {
		w.cpu(r.CPU)
	}
	if r.Pids != nil && r.Pids.Limit != nil {
		w.pids(*r.Pids.Limit)
	}
	if r.BlockIO != nil {
		w.blockIO(r.BlockIO)
	}
	for i, h := range r.HugepageLimits {
		w.hugepages(i, &h)
	}
	w.rdma(r.Rdma)
	if n := r.Network; n != nil && (n.ClassID != nil || len(n.Priorities) > 0) {
		w.fault("/network", "cgroup v2 has no network controller")
	}
	w.unified(r.Unified)
	return w.writes, w.faults
}

func limit(n int64) string {
	if n < 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// memory writes swap before memory.max: lowering both has to work.
func (w *writer) memory(m *specs.LinuxMemory) {
	const p = "/memory"
	w.onlyV1(p, m)
	lim, swap := int64(0), int64(0)
	if m.Limit != nil {
		lim = *m.Limit
	}
	if m.Swap != nil {
		swap = *m.Swap
	} else if lim == -1 {
		swap = -1
	}
	switch {
	case swap == 0:
	case swap < 0:
		w.writes = append(w.writes, Write{File: "memory.swap.max", Value: "max", Pointer: w.base + p + "/swap", Optional: true})
	case lim <= 0:
		w.fault(p+"/swap", "a limit of memory and swap together needs a memory limit too")
	case swap < lim:
		w.fault(p+"/swap", "the limit of memory and swap together, %d, is below that of memory, %d", swap, lim)
	default:
		w.writes = append(w.writes, Write{File: "memory.swap.max", Value: limit(swap - lim), Pointer: w.base + p + "/swap", Optional: swap == lim})
	}
	if lim != 0 {
		w.add(p+"/limit", "memory.max", limit(lim))
	}
	if m.Reservation != nil && *m.Reservation != 0 {
		w.add(p+"/reservation", "memory.low", limit(*m.Reservation))
	}
}

// onlyV1 refuses what version 2 has nothing for, when it asks for anything.
func (w *writer) onlyV1(p string, m *specs.LinuxMemory) {
	//lint:ignore SA1019 the deprecated field is refused, not used
	if m.Kernel != nil && *m.Kernel > 0 {
		w.fault(p+"/kernel", "cgroup v2 has no limit of kernel memory")
	}
	if m.KernelTCP != nil && *m.KernelTCP > 0 {
		w.fault(p+"/kernelTCP", "cgroup v2 has no limit of TCP buffers")
	}
	if m.Swappiness != nil {
		w.fault(p+"/swappiness", "cgroup v2 has no swappiness")
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		w.fault(p+"/disableOOMKiller", "cgroup v2 cannot switch the OOM killer off")
	}
}

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

const defaultPeriod = 100000

func (w *writer) cpu(c *specs.LinuxCPU) {
	const p = "/cpu"
	if c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
		w.fault(p+"/realtimeRuntime", "cgroup v2 has no realtime scheduling")
	}
	if c.RealtimePeriod != nil && *c.RealtimePeriod != 0 {
		w.fault(p+"/realtimePeriod", "cgroup v2 has no realtime scheduling")
	}
	idle := c.Idle != nil && *c.Idle == 1
	if c.Idle != nil {
		w.add(p+"/idle", "cpu.idle", strconv.FormatInt(*c.Idle, 10))
	}
	// An idle group has no weight: the kernel refuses one.
	if c.Shares != nil && *c.Shares != 0 && !idle {
		w.add(p+"/shares", "cpu.weight", strconv.FormatUint(cpuWeight(*c.Shares), 10))
	}
	if c.Quota != nil || c.Period != nil {
		quota, period := "max", uint64(defaultPeriod)
		if c.Quota != nil && *c.Quota > 0 {
			quota = strconv.FormatInt(*c.Quota, 10)
		}
		if c.Period != nil && *c.Period != 0 {
			period = *c.Period
		}
		w.add(p+"/quota", "cpu.max", quota+" "+strconv.FormatUint(period, 10))
	}
	if c.Burst != nil {
		w.add(p+"/burst", "cpu.max.burst", strconv.FormatUint(*c.Burst, 10))
	}
	w.cpuset(p+"/cpus", "cpuset.cpus", c.Cpus)
	w.cpuset(p+"/mems", "cpuset.mems", c.Mems)
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

// pids takes 0 as 1, as runc does: a group that must hold init cannot hold none.
func (w *writer) pids(n int64) {
	if n == 0 {
		n = 1
	}
	w.add("/pids/limit", "pids.max", limit(n))
}

func (w *writer) hugepages(i int, h *specs.LinuxHugepageLimit) {
	pointer := "/hugepageLimits/" + strconv.Itoa(i)
	if !plain(h.Pagesize) {
		w.fault(pointer+"/pageSize", "%q is no page size", h.Pagesize)
		return
	}
	value := strconv.FormatUint(h.Limit, 10)
	w.add(pointer, "hugetlb."+h.Pagesize+".max", value)
	w.writes = append(w.writes, Write{File: "hugetlb." + h.Pagesize + ".rsvd.max", Value: value, Pointer: w.base + pointer, Optional: true})
}

// plain holds a word that becomes part of a file name to letters and digits
// (GHSA-5g49-rx9x-qfc6).
func plain(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

func (w *writer) rdma(devices map[string]specs.LinuxRdma) {
	for _, name := range sortedKeys(devices) {
		pointer := fault.Pointer("/rdma", name)
		if name == "" || strings.ContainsAny(name, " \t\n=/") {
			w.fault(pointer, "%q is no device name", name)
			continue
		}
		line := name
		if n := devices[name].HcaHandles; n != nil {
			line += " hca_handle=" + strconv.FormatUint(uint64(*n), 10)
		}
		if n := devices[name].HcaObjects; n != nil {
			line += " hca_object=" + strconv.FormatUint(uint64(*n), 10)
		}
		if line != name {
			w.add(pointer, "rdma.max", line)
		}
	}
}

// unified comes last: it overrides what the other fields say. A value of several
// lines is several writes.
func (w *writer) unified(files map[string]string) {
	for _, name := range sortedKeys(files) {
		pointer := fault.Pointer("/unified", name)
		if !ValidFile(name) {
			w.fault(pointer, "%q is no file of a cgroup controller", name)
			continue
		}
		for _, line := range strings.Split(files[name], "\n") {
			if line != "" {
				w.add(pointer, name, line)
			}
		}
	}
}

// ValidFile says whether a name can be that of a controller's file: a controller,
// a dot, and more. Whatever leads elsewhere is none.
func ValidFile(name string) bool {
	controller, rest, ok := strings.Cut(name, ".")
	if !ok || !plain(strings.ReplaceAll(controller, "_", "")) || rest == "" || controller == "cgroup" || strings.ToLower(controller) != controller {
		return false
	}
	for _, c := range rest {
		if !plain(string(c)) && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
