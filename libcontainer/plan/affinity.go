package plan

import (
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"
)

// initialAffinity moves a process on its way into a container to the CPUs that it may
// use until it is there: so that it does not run on those of a workload that they are
// kept free for.
func (c *compiler) initialAffinity() {
	if a := c.spec.Process.ExecCPUAffinity; a != nil {
		c.affinity("/process/execCPUAffinity/initial", a.Initial)
	}
}

// finalAffinity sets the CPUs of the payload, once it is in its cgroup.
func (c *compiler) finalAffinity() {
	if a := c.spec.Process.ExecCPUAffinity; a != nil {
		c.affinity("/process/execCPUAffinity/final", a.Final)
	}
}

func (c *compiler) affinity(pointer, list string) {
	if list == "" {
		return
	}
	mask, err := spec.CPUMask(list)
	if err != nil {
		c.faults = append(c.faults, fault.Configf(pointer, "%s", err))
		return
	}
	c.step(pointer, "run on the CPUs "+list)
	c.b.Call(nsenter.SchedSetaffinity, nsenter.Imm(0), nsenter.Imm(uint64(8*len(mask))), c.b.Words(mask...))
}
