package cgroups

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Update changes the limits of a group in use. When one cannot be changed, those
// before it get back what they were: a container has its old limits or its new ones.
// So do all when agree fails, which tells who else keeps the limits.
func (r *Root) Update(g *Group, writes []Write, agree func() error) error {
	writes, err := r.enable(g, writes)
	if err != nil {
		return err
	}
	var undo []Write
	err = inOrder(writes, func(w *Write) error {
		before := g.before(w)
		if err := g.apply(w); err != nil {
			return err
		}
		undo = append(undo, before...)
		return nil
	})
	if err == nil {
		err = agree()
	}
	if err == nil {
		return nil
	}
	failed := []error{err}
	for i := len(undo) - 1; i >= 0; i-- {
		if back := g.apply(&undo[i]); back != nil {
			failed = append(failed, back)
		}
	}
	if len(failed) == 1 {
		return err
	}
	return errors.Join(failed...)
}

// before is what a file says before it is written: a write for each line, since files
// that have a line for each device take one at a time.
func (g *Group) before(w *Write) []Write {
	if text, err := readAt(g.fd, w.File); err == nil {
		if w.File == "cpu.idle" && strings.TrimSpace(text) == "0" {
			// Who ceases to be idle gets the weight that all begin with, and then his own.
			return append(g.before(&Write{File: "cpu.weight", Pointer: w.Pointer}), restore(w, text, "")...)
		}
		inForce := ""
		if strings.TrimSpace(text) == "" {
			inForce, _ = readAt(g.fd, w.File+".effective")
		}
		return restore(w, text, strings.TrimSpace(inForce))
	}
	if w.Instead != nil {
		return g.before(w.Instead)
	}
	return nil
}

// restore are the writes after which a file says again what it said before a write. That a
// cpuset has no processors of its own, the kernel does not take back while there are
// processes in it (ENOSPC): then it gets those by name that were in force.
func restore(w *Write, text, inForce string) (list []Write) {
	add := func(value string) {
		list = append(list, Write{File: w.File, Value: value, Pointer: w.Pointer, Optional: w.Optional})
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	device, _, _ := strings.Cut(w.Value, " ")
	if strings.HasPrefix(w.File, "io.") && strings.Contains(device, ":") &&
		!slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, device+" ") }) {
		if reset := unset(w.File); reset != "" {
			add(device + " " + reset)
		}
	}
	for _, line := range lines {
		switch {
		case line != "":
			add(line)
		case !strings.HasPrefix(w.File, "io."):
			add("\n") // the kernel takes no write of nothing
			if inForce != "" {
				list[len(list)-1].Instead = &Write{File: w.File, Value: inForce, Pointer: w.Pointer}
			}
		}
	}
	return list
}

// unset is what a file takes for a device of which it has no line.
func unset(file string) string {
	switch file {
	case "io.max":
		return "rbps=max wbps=max riops=max wiops=max"
	case "io.latency":
		return "target=max"
	case "io.weight", "io.bfq.weight":
		return "default"
	}
	return ""
}

// Complete fills in what only means something together with what the group has: a
// period goes with the quota that there is, a limit of memory and swap with that of
// memory.
func (g *Group) Complete(r *specs.LinuxResources) {
	if c := r.CPU; c != nil && (c.Quota == nil) != (c.Period == nil) {
		if text, err := readAt(g.fd, "cpu.max"); err == nil {
			completeBandwidth(c, text)
		}
	}
	if m := r.Memory; m != nil && m.Swap != nil && *m.Swap > 0 && m.Limit == nil {
		if text, err := readAt(g.fd, "memory.max"); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
				m.Limit = &n
			}
		}
	}
}

func completeBandwidth(c *specs.LinuxCPU, text string) {
	quota, period, _ := strings.Cut(strings.TrimSpace(text), " ")
	if c.Period == nil {
		if n, err := strconv.ParseUint(period, 10, 64); err == nil {
			c.Period = &n
		}
		return
	}
	if n, err := strconv.ParseInt(quota, 10, 64); err == nil {
		c.Quota = &n
	}
}

// CheckBeforeUpdate refuses a limit of memory below what is in use, if the config
// wants that checked: the kernel would kill instead.
func (g *Group) CheckBeforeUpdate(m *specs.LinuxMemory, base string) error {
	if m == nil || m.CheckBeforeUpdate == nil || !*m.CheckBeforeUpdate || m.Limit == nil || *m.Limit <= 0 {
		return nil
	}
	used := g.amount("memory.current")
	if used > *m.Limit {
		return fault.Configf(base+"/memory/limit", "rejecting memory limit %d: %d bytes are in use", *m.Limit, used)
	}
	if m.Swap != nil && *m.Swap > 0 && used+g.amount("memory.swap.current") > *m.Swap {
		return fault.Configf(base+"/memory/swap", "rejecting memory+swap limit %d: %d bytes are in use", *m.Swap, used+g.amount("memory.swap.current"))
	}
	return nil
}

// amount is the number in a file, 0 where there is none.
func (g *Group) amount(file string) int64 {
	text, err := readAt(g.fd, file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
