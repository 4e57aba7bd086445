package cgroups

import "github.com/opencontainers/runtime-spec/specs-go"

// memory writes swap before memory.max: lowering both has to work. A limit of 0
// is none, as in the other runtimes, and so is a swap of 0.
func (w *writer) memory(m *specs.LinuxMemory) {
	const p = "/memory"
	w.onlyV1(p, m)
	lim := w.bytes(p+"/limit", m.Limit)
	w.swap(p+"/swap", lim, w.bytes(p+"/swap", m.Swap))
	if lim != 0 {
		w.addLimit(p+"/limit", "memory.max", lim)
	}
	if low := w.bytes(p+"/reservation", m.Reservation); low != 0 {
		w.add(p+"/reservation", "memory.low", limit(low))
	}
}

// bytes is an amount: 0 when there is none, -1 when there is no limit.
func (w *writer) bytes(pointer string, n *int64) int64 {
	switch {
	case n == nil:
		return 0
	case *n < -1:
		w.fault(pointer, "%d is no amount of memory, and not -1 for no limit", *n)
		return 0
	}
	return *n
}

// swap takes the limit of memory from that of memory and swap together. Without a
// memory limit there is none of swap either. A kernel without swap has no such
// file, which only matters when the container is to have some.
func (w *writer) swap(pointer string, lim, both int64) {
	switch {
	case both < 0, both == 0 && lim < 0:
		w.addOptional(pointer, "memory.swap.max", "max")
	case both == 0:
	case lim <= 0:
		w.fault(pointer, "a limit of memory and swap together needs a memory limit too")
	case both < lim:
		w.fault(pointer, "the limit of memory and swap together, %d, is below that of memory, %d", both, lim)
	case both == lim:
		w.addOptional(pointer, "memory.swap.max", "0")
	default:
		w.addLimit(pointer, "memory.swap.max", both-lim)
	}
}

// onlyV1 refuses what version 2 has nothing for, when it asks for anything:
// engines always send disableOOMKiller false. useHierarchy asks for nothing, since
// version 2 always counts what is below.
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
