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

// everyCPU is more CPUs than kernels are built for, in words of a mask.
const everyCPU = 1024 / 64

// resetAffinity lets the container run on all CPUs that its cgroup may use, whatever
// those of brig are: engines that keep to a few CPUs do not mean their containers.
func (c *compiler) resetAffinity() {
	if c.in.Join != nil && c.spec.Process.ExecCPUAffinity != nil {
		return // what it leaves open is the kernel's to decide
	}
	var mask [everyCPU]uint64
	for i := range mask {
		mask[i] = ^uint64(0)
	}
	c.step("", "run on all CPUs")
	c.b.Call(nsenter.SchedSetaffinity, nsenter.Imm(0), nsenter.Imm(8*everyCPU), c.b.Words(mask[:]...))
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
