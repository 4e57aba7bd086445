package nsenter

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

var schedPolicies = [...]string{"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"}

var schedFlags = [...]flag{
	{unix.SCHED_FLAG_RESET_ON_FORK, "SCHED_FLAG_RESET_ON_FORK"},
	{unix.SCHED_FLAG_RECLAIM, "SCHED_FLAG_RECLAIM"},
	{unix.SCHED_FLAG_DL_OVERRUN, "SCHED_FLAG_DL_OVERRUN"},
	{unix.SCHED_FLAG_KEEP_POLICY, "SCHED_FLAG_KEEP_POLICY"},
	{unix.SCHED_FLAG_KEEP_PARAMS, "SCHED_FLAG_KEEP_PARAMS"},
	{unix.SCHED_FLAG_UTIL_CLAMP_MIN, "SCHED_FLAG_UTIL_CLAMP_MIN"},
	{unix.SCHED_FLAG_UTIL_CLAMP_MAX, "SCHED_FLAG_UTIL_CLAMP_MAX"},
}

// formatSchedAttr prints a struct sched_attr without what its flags leave alone,
// as strace does.
func (p *Program) formatSchedAttr(a Arg) string {
	size, flags, nice := p.Pointed(a, 0), p.Pointed(a, 1), p.Pointed(a, 2)
	var b strings.Builder
	fmt.Fprintf(&b, "{size=%d", uint32(size))
	if flags&(unix.SCHED_FLAG_KEEP_POLICY|unix.SCHED_FLAG_KEEP_PARAMS) == 0 {
		policy := strconv.FormatUint(size>>32, 10)
		if n := size >> 32; n < uint64(len(schedPolicies)) {
			policy = schedPolicies[n]
		}
		b.WriteString(", sched_policy=" + policy)
	}
	b.WriteString(", sched_flags=" + bits(flags, schedFlags[:], "0"))
	if flags&unix.SCHED_FLAG_KEEP_PARAMS == 0 {
		fmt.Fprintf(&b, ", sched_nice=%d, sched_priority=%d, sched_runtime=%d, sched_deadline=%d, sched_period=%d",
			int32(nice), nice>>32, p.Pointed(a, 3), p.Pointed(a, 4), p.Pointed(a, 5))
	}
	fmt.Fprintf(&b, ", sched_util_min=%d, sched_util_max=%d}", uint32(p.Pointed(a, 6)), p.Pointed(a, 6)>>32)
	return b.String()
}

// formatCPUs prints a cpu_set_t of a size in bytes.
func (p *Program) formatCPUs(a, size Arg) string {
	var cpus []string
	all := int(size.Value) * 8
	for n := range all {
		if p.Pointed(a, n/64)>>(n%64)&1 != 0 {
			cpus = append(cpus, strconv.Itoa(n))
		}
	}
	if len(cpus) == all && all > 64 {
		return "[0-" + cpus[all-1] + "]" // a line that can be read
	}
	return "[" + strings.Join(cpus, " ") + "]"
}

var ioprioClasses = [...]string{"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"}

func formatIOPriority(v uint64) (string, bool) {
	if v>>13 >= uint64(len(ioprioClasses)) {
		return "", false
	}
	return fmt.Sprintf("IOPRIO_PRIO_VALUE(%s, %d)", ioprioClasses[v>>13], v&0x1fff), true
}

var memoryPolicies = [...]string{
	"MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
}

var memoryPolicyFlags = [...]flag{
	{1 << 15, "MPOL_F_STATIC_NODES"},
	{1 << 14, "MPOL_F_RELATIVE_NODES"},
	{1 << 13, "MPOL_F_NUMA_BALANCING"},
}

func formatMemoryPolicy(v uint64) (string, bool) {
	mode := v & 0xff
	if mode >= uint64(len(memoryPolicies)) {
		return "", false
	}
	if flags := bits(v&^mode, memoryPolicyFlags[:], ""); flags != "" {
		return memoryPolicies[mode] + "|" + flags, true
	}
	return memoryPolicies[mode], true
}

// formatNodes prints a mask of nodes of which the next operand says the size: one
// bit more than there are.
func (p *Program) formatNodes(a, maxnode Arg) string {
	if a.Kind != DataAddr {
		return "NULL"
	}
	var words []string
	for i := range int(maxnode.Value+62) / 64 {
		if w := p.Pointed(a, i); w != 0 {
			words = append(words, fmt.Sprintf("0x%014x", w))
		} else {
			words = append(words, "0000000000000000")
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func formatPersonality(v uint64) (string, bool) {
	switch v {
	case 0:
		return "PER_LINUX", true
	case 8:
		return "PER_LINUX32", true
	}
	return "", false
}
