package spec

import "github.com/opencontainers/runtime-spec/specs-go"

const ioPriorities = 8

// IOPriorityClass is the number of a class of I/O priority, 0 for none.
func IOPriorityClass(class specs.IOPriorityClass) uint64 {
	switch class {
	case specs.IOPRIO_CLASS_RT:
		return 1
	case specs.IOPRIO_CLASS_BE:
		return 2
	case specs.IOPRIO_CLASS_IDLE:
		return 3
	}
	return 0
}

func (c *check) ioPriority() {
	if c.Process == nil || c.Process.IOPriority == nil {
		return
	}
	p := c.Process.IOPriority
	if IOPriorityClass(p.Class) == 0 {
		c.fail("/process/ioPriority/class", "%q is none of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE and IOPRIO_CLASS_IDLE", p.Class)
	}
	if p.Priority < 0 || p.Priority >= ioPriorities {
		c.fail("/process/ioPriority/priority", "%d is not between 0 and %d", p.Priority, ioPriorities-1)
	}
}
