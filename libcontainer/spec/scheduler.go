package spec

import (
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// SchedulerPolicy is the number of a scheduling policy. SCHED_ISO has one, and no
// kernel that implements it.
func SchedulerPolicy(p specs.LinuxSchedulerPolicy) (number uint32, ok bool) {
	switch p {
	case specs.SchedOther:
		return unix.SCHED_NORMAL, true
	case specs.SchedFIFO:
		return unix.SCHED_FIFO, true
	case specs.SchedRR:
		return unix.SCHED_RR, true
	case specs.SchedBatch:
		return unix.SCHED_BATCH, true
	case specs.SchedIdle:
		return unix.SCHED_IDLE, true
	case specs.SchedDeadline:
		return unix.SCHED_DEADLINE, true
	}
	return 0, false
}

// SchedulerFlag is the bit of a flag of sched_setattr(2).
func SchedulerFlag(f specs.LinuxSchedulerFlag) (bit uint64, ok bool) {
	switch f {
	case specs.SchedFlagResetOnFork:
		return unix.SCHED_FLAG_RESET_ON_FORK, true
	case specs.SchedFlagReclaim:
		return unix.SCHED_FLAG_RECLAIM, true
	case specs.SchedFlagDLOverrun:
		return unix.SCHED_FLAG_DL_OVERRUN, true
	case specs.SchedFlagKeepPolicy:
		return unix.SCHED_FLAG_KEEP_POLICY, true
	case specs.SchedFlagKeepParams:
		return unix.SCHED_FLAG_KEEP_PARAMS, true
	case specs.SchedFlagUtilClampMin:
		return unix.SCHED_FLAG_UTIL_CLAMP_MIN, true
	case specs.SchedFlagUtilClampMax:
		return unix.SCHED_FLAG_UTIL_CLAMP_MAX, true
	}
	return 0, false
}

// Bounds of the kernel.
const (
	minNice, maxNice         = -20, 19
	minRealtime, maxRealtime = 1, 99
	minDeadlineRuntime       = 1024    // ns, the resolution of the deadline scheduler
	maxDeadline              = 1 << 63 // ns, from where on the kernel takes it for negative
)

func (c *check) scheduler() {
	if c.Process == nil || c.Process.Scheduler == nil {
		return
	}
	const at = "/process/scheduler"
	s := c.Process.Scheduler
	if _, ok := SchedulerPolicy(s.Policy); !ok {
		text := "%q is no scheduling policy"
		if s.Policy == specs.SchedISO {
			text = "no kernel implements %s"
		}
		c.fail(at+"/policy", text, s.Policy)
		return
	}
	if s.Nice < minNice || s.Nice > maxNice {
		c.fail(at+"/nice", "%d is not between %d and %d", s.Nice, minNice, maxNice)
	}
	c.realtime(s)
	c.deadline(s)
	for i, flag := range s.Flags {
		if _, ok := SchedulerFlag(flag); !ok {
			c.fail(fault.Pointer(at+"/flags", i), "%q is no flag of the scheduler", flag)
		}
	}
}

// realtime checks what only FIFO and RR have, a static priority, and what the
// kernel would ignore for them.
func (c *check) realtime(s *specs.Scheduler) {
	realtime := s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR
	switch {
	case realtime && (s.Priority < minRealtime || s.Priority > maxRealtime):
		c.fail("/process/scheduler/priority", "%d is not between %d and %d", s.Priority, minRealtime, maxRealtime)
	case !realtime && s.Priority != 0:
		c.fail("/process/scheduler/priority", "only SCHED_FIFO and SCHED_RR have a static priority")
	}
	if s.Nice != 0 && (realtime || s.Policy == specs.SchedDeadline) {
		c.warn("/process/scheduler/nice", "has no meaning for %s", s.Policy)
	}
}

// deadline checks the three times of SCHED_DEADLINE as the kernel does, which has
// the same errno for all that is wrong with them.
func (c *check) deadline(s *specs.Scheduler) {
	const at = "/process/scheduler"
	if s.Policy != specs.SchedDeadline {
		for _, f := range [...]struct {
			name  string
			value uint64
		}{{"/runtime", s.Runtime}, {"/deadline", s.Deadline}, {"/period", s.Period}} {
			if f.value != 0 {
				c.fail(at+f.name, "only SCHED_DEADLINE has one")
			}
		}
		return
	}
	switch {
	case s.Runtime < minDeadlineRuntime:
		c.fail(at+"/runtime", "%d ns are less than the %d ns that the kernel can tell apart", s.Runtime, minDeadlineRuntime)
	case s.Deadline < s.Runtime:
		c.fail(at+"/deadline", "%d ns are less than the runtime of %d ns", s.Deadline, s.Runtime)
	case s.Deadline >= maxDeadline:
		c.fail(at+"/deadline", "%d ns are more than the kernel can count", s.Deadline)
	case s.Period != 0 && s.Period < s.Deadline:
		c.fail(at+"/period", "%d ns are less than the deadline of %d ns", s.Period, s.Deadline)
	case s.Period >= maxDeadline:
		c.fail(at+"/period", "%d ns are more than the kernel can count", s.Period)
	}
}
