package seccomp

import (
	"encoding/binary"
	"slices"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// confirm does not trust the analysis: a shortened filter is used only after it has
// been compared with the one that it stands for. That takes a twentieth of the time
// that libseccomp took before.
func confirm(old, short *Filter, c constants) error {
	if err := short.check(); err != nil {
		return fault.Bugf("seccomp: the shortened filter: %v", err)
	}
	if d, differ := difference(old, short, c); differ {
		return fault.Bugf("seccomp: the shortened filter decides otherwise on call %#x of architecture %#x with arguments %#x", uint32(d.Nr), d.Arch, d.Args)
	}
	return nil
}

// difference looks for a call on which two filters decide differently: around every
// border of every architecture, and with arguments on both sides of each comparison
// that one of them comes to. It is the interpreter of the tests that runs them, and
// it knows nothing of the analysis.
func difference(old, short *Filter, c constants) (Data, bool) {
	var open []Data // calls that arguments decide on
	e := explorer{filters: [...]*Filter{old, short}, seen: map[Data]bool{}}
	for _, arch := range c.archs {
		for _, nr := range around(c.borders) {
			d := Data{Nr: int32(nr), Arch: arch}
			if d, differ := e.explore(d, 1); differ {
				return d, true
			}
			if len(e.queue) > 1 {
				open = append(open, d)
			}
		}
	}
	for _, d := range open {
		if d, differ := e.explore(d, min(mostTries, max(leastTries, maxTries/len(open)))); differ {
			return d, true
		}
	}
	return Data{}, false
}

// How many arguments to try: for one call, and about as many for all of them. What the
// default profile says of ioctl, by 38 conditions on one argument, takes the most.
const (
	mostTries  = 1 << 11
	leastTries = 1 << 5
	maxTries   = 1 << 14
)

// around are the numbers at borders and beside them, and those that are special to
// the kernel.
func around(borders []uint32) (list []uint32) {
	for _, nr := range append(slices.Clone(borders), x32Bit, 1<<31) {
		list = append(list, nr-1, nr, nr+1)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// explorer tries arguments of a call. Each comparison of an argument leads to others
// to try.
type explorer struct {
	filters [2]*Filter
	queue   []Data
	seen    map[Data]bool
}

// explore tries arguments until it knows no more, or has tried as many as it may.
func (e *explorer) explore(first Data, tries int) (Data, bool) {
	e.queue = append(e.queue[:0], first)
	clear(e.seen)
	for i := 0; i < len(e.queue) && i < tries; i++ {
		d := e.queue[i]
		var returned [2]uint32
		for j, f := range e.filters {
			m := machine{data: d.bytes()}
			offset := uint32(0)
			m.watch = func(in insn) {
				if in.code == opLoad {
					offset = in.k
				} else if offset >= dataIP && in.compares() && len(e.queue) <= tries {
					e.vary(d, offset, in.k)
				}
			}
			returned[j] = m.run(f)
		}
		if returned[0] != returned[1] {
			return d, true
		}
	}
	return Data{}, false
}

// vary queues a call with other values of a word: those around a constant, and what
// it is with and without the bits of one.
func (e *explorer) vary(d Data, offset, k uint32) {
	b := d.bytes()
	is := binary.NativeEndian.Uint32(b[offset:])
	for _, v := range [...]uint32{k, k - 1, k + 1, is | k, is &^ k} {
		binary.NativeEndian.PutUint32(b[offset:], v)
		if other := dataOf(b); !e.seen[other] {
			e.seen[other] = true
			e.queue = append(e.queue, other)
		}
	}
}

// compares says that an instruction looks at the value of the accumulator.
func (in insn) compares() bool {
	return in.code == opAnd || in.code&classMask == unix.BPF_JMP && in.code != opJa
}
