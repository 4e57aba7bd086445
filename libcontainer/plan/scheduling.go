package plan

import (
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"
)

// personality sets the execution domain, which execve keeps.
func (c *compiler) personality() {
	p := c.spec.Linux.Personality
	if p == nil {
		return
	}
	domain, ok := spec.PersonalityDomain(p.Domain)
	if !ok || len(p.Flags) > 0 {
		c.faults = append(c.faults, fault.Configf("/linux/personality", "not a domain without flags"))
		return
	}
	c.step("/linux/personality", "set the execution domain "+string(p.Domain))
	c.b.Call(nsenter.Personality, nsenter.Imm(domain))
}

// schedAttrSize is that of struct sched_attr with the clamps of utilization (5.3).
const schedAttrSize = 56

// scheduler sets the scheduling of the payload. It needs the privileges of the
// container's root: a real-time policy is more than a user may have.
func (c *compiler) scheduler() {
	s := c.spec.Process.Scheduler
	if s == nil {
		return
	}
	policy, ok := spec.SchedulerPolicy(s.Policy)
	if !ok {
		c.faults = append(c.faults, fault.Configf("/process/scheduler/policy", "%q is no scheduling policy", s.Policy))
		return
	}
	flags := uint64(0)
	for i, f := range s.Flags {
		bit, ok := spec.SchedulerFlag(f)
		if !ok {
			c.faults = append(c.faults, fault.Configf(fault.Pointer("/process/scheduler/flags", i), "%q is no flag of the scheduler", f))
			return
		}
		flags |= bit
	}
	c.step("/process/scheduler", "set "+string(s.Policy))
	attr := c.b.Words(schedAttrSize|uint64(policy)<<32, flags, uint64(uint32(s.Nice))|uint64(uint32(s.Priority))<<32, s.Runtime, s.Deadline, s.Period, 0)
	c.b.Call(nsenter.SchedSetattr, nsenter.Imm(0), attr, nsenter.Imm(0))
}

// ioPriorityShift is where the class stands in the number.
const ioPriorityShift = 13

// ioPriority sets the I/O priority of the process, from which all its children
// have theirs. The others of its process group are none of its business.
func (c *compiler) ioPriority() {
	p := c.spec.Process.IOPriority
	if p == nil {
		return
	}
	class := spec.IOPriorityClass(p.Class)
	if class == 0 || p.Priority < 0 {
		c.faults = append(c.faults, fault.Configf("/process/ioPriority", "not a class and a level of I/O priority"))
		return
	}
	c.step("/process/ioPriority", "set the I/O priority")
	c.b.Call(nsenter.IoprioSet, nsenter.Imm(ioprioWhoProcess), nsenter.Imm(0), nsenter.Imm(class<<ioPriorityShift|uint64(p.Priority)))
}

const ioprioWhoProcess = 1

// memoryPolicy sets the NUMA policy, which execve keeps. The kernel takes maxnode
// for one more than the number of bits that it reads.
func (c *compiler) memoryPolicy() {
	p := c.spec.Linux.MemoryPolicy
	if p == nil {
		return
	}
	mode, ok := spec.MemoryPolicyMode(p.Mode)
	if !ok {
		c.faults = append(c.faults, fault.Configf("/linux/memoryPolicy/mode", "%q is no mode of a memory policy", p.Mode))
		return
	}
	for i, f := range p.Flags {
		bit, ok := spec.MemoryPolicyFlag(f)
		if !ok {
			c.faults = append(c.faults, fault.Configf(fault.Pointer("/linux/memoryPolicy/flags", i), "%q is no flag of a memory policy", f))
			return
		}
		mode |= bit
	}
	nodes, maxnode := nsenter.Null(), uint64(0)
	if strings.Trim(p.Nodes, " ") != "" {
		mask, err := spec.NodeMask(p.Nodes)
		if err != nil {
			c.faults = append(c.faults, fault.Configf("/linux/memoryPolicy/nodes", "%s", err))
			return
		}
		nodes, maxnode = c.b.Words(mask...), uint64(64*len(mask)+1)
	}
	c.step("/linux/memoryPolicy", "set "+string(p.Mode))
	c.b.Call(nsenter.SetMempolicy, nsenter.Imm(mode), nodes, nsenter.Imm(maxnode))
}
