package spec

import (
	"fmt"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

// Bounds of lists: what a kernel can be built for.
const (
	maxCPUs  = 8192
	maxNodes = 1024
)

// CPUMask reads a list of CPUs such as "0-3,7" as the words of a cpu_set_t, CPU 0
// in the lowest bit of the first. There are as many words as the list needs.
func CPUMask(list string) ([]uint64, error) { return numberMask(list, maxCPUs) }

// NodeMask reads a list of memory nodes in the same way.
func NodeMask(list string) ([]uint64, error) { return numberMask(list, maxNodes) }

// numberMask takes spaces around an element and empty elements, which engines
// leave behind when they put lists together, and nothing else.
func numberMask(list string, limit int) ([]uint64, error) {
	var mask []uint64
	for element := range strings.SplitSeq(list, ",") {
		if element = strings.Trim(element, " "); element == "" {
			continue
		}
		from, to, isRange := strings.Cut(element, "-")
		if !isRange {
			to = from
		}
		first, last := listNumber(from, limit), listNumber(to, limit)
		switch {
		case first < 0 || last < 0:
			return nil, fmt.Errorf("%q is neither a number below %d nor a range of such numbers", element, limit)
		case last < first:
			return nil, fmt.Errorf("the range %q ends before it begins", element)
		}
		for len(mask) <= last/64 {
			mask = append(mask, 0)
		}
		setRange(mask, first, last)
	}
	if mask == nil {
		return nil, fmt.Errorf("%q lists nothing", list)
	}
	return mask, nil
}

// setRange sets the bits of a range a word at a time: a config can hold a million ranges.
func setRange(mask []uint64, first, last int) {
	for i := first / 64; i <= last/64; i++ {
		w := ^uint64(0)
		if i == first/64 {
			w &= ^uint64(0) << (first % 64)
		}
		if i == last/64 {
			w &= ^uint64(0) >> (63 - last%64)
		}
		mask[i] |= w
	}
}

// listNumber is a plain decimal number below limit, or -1.
func listNumber(text string, limit int) int {
	if text == "" || text[0] == '+' || text[0] == '-' {
		return -1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n >= limit {
		return -1
	}
	return n
}

// execCPUAffinity is for the processes that are executed in the container later;
// its init has the CPUs of its cgroup.
func (c *check) execCPUAffinity() {
	if c.Process == nil || c.Process.ExecCPUAffinity == nil {
		return
	}
	for _, f := range [...]struct{ name, list string }{
		{"initial", c.Process.ExecCPUAffinity.Initial}, {"final", c.Process.ExecCPUAffinity.Final},
	} {
		if f.list == "" {
			continue
		}
		if _, err := CPUMask(f.list); err != nil {
			c.fail(fault.Pointer("/process/execCPUAffinity", f.name), "%s", err)
		}
	}
}
