package cri

import (
	"os/exec"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func limit(bytes int64) func(*runtime.ContainerConfig) {
	return func(c *runtime.ContainerConfig) { c.Linux.Resources.MemoryLimitInBytes = bytes }
}

var resources = group{"resources", []scenario{
	{"limits", func(k *kubelet) {
		c := k.pod().sleeper(limit(64<<20), func(c *runtime.ContainerConfig) {
			r := c.Linux.Resources
			r.CpuPeriod, r.CpuQuota, r.CpusetCpus, r.OomScoreAdj = 100000, 50000, "0", 555
		})
		k.equal(c.exec("cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpuset.cpus", "/proc/self/oom_score_adj"),
			"67108864\n50000 100000\n0\n555")
	}},
	{"shares of the cpus", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) { c.Linux.Resources.CpuShares = 2048 })
		// By the formula of old, and by that of runc 1.3.
		if w := c.exec("cat", "/sys/fs/cgroup/cpu.weight"); w != "79" && w != "174" {
			k.Fatalf("the weight is %s", w)
		}
	}},
	{"unified", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) {
			c.Linux.Resources.Unified = map[string]string{"memory.high": "50331648", "pids.max": "44"}
		})
		k.equal(c.exec("cat", "/sys/fs/cgroup/memory.high", "/sys/fs/cgroup/pids.max"), "50331648\n44")
	}},
	{"updated while it runs", func(k *kubelet) {
		c := k.pod().sleeper(limit(64 << 20))
		_, err := k.runtime.UpdateContainerResources(k.ctx, &runtime.UpdateContainerResourcesRequest{
			ContainerId: c.id, Linux: &runtime.LinuxContainerResources{MemoryLimitInBytes: 96 << 20, CpuPeriod: 100000, CpuQuota: 20000, CpuShares: 512},
		})
		k.check(err)
		k.equal(c.exec("cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.max"), "100663296\n20000 100000")
		if w := c.exec("cat", "/sys/fs/cgroup/cpu.weight"); w != "20" && w != "59" { // by either formula
			k.Fatalf("the weight is %s", w)
		}
	}},
	{"updated by systemd", func(k *kubelet) {
		p, err := k.tryPod("tested-systemd", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		k.check(err)
		c := p.sleeper(limit(64 << 20))
		_, err = k.runtime.UpdateContainerResources(k.ctx, &runtime.UpdateContainerResourcesRequest{
			ContainerId: c.id, Linux: &runtime.LinuxContainerResources{MemoryLimitInBytes: 96 << 20},
		})
		k.check(err)
		k.equal(c.exec("cat", "/sys/fs/cgroup/memory.max"), "100663296")
		out, err := exec.Command("systemctl", "show", "-p", "MemoryMax", "cri-containerd-"+c.id+".scope").Output()
		k.check(err)
		k.equal(strings.TrimSpace(string(out)), "MemoryMax=100663296")
		k.check(exec.Command("systemctl", "daemon-reload").Run())
		k.equal(c.exec("cat", "/sys/fs/cgroup/memory.max"), "100663296")
	}},
	{"killed for its memory", func(k *kubelet) {
		c := k.pod().create([]string{"sh", "-c", `x=$(head -c 64000000 /dev/zero | tr "\000" a); echo ${#x}; sleep 1000`}, limit(16<<20)).start()
		s := c.wait()
		k.equal(s.Reason, "OOMKilled")
	}},
	{"statistics", func(k *kubelet) {
		c := k.pod().sleeper(limit(64 << 20))
		k.eventually("it has used cpu and memory", func() bool {
			r, err := k.runtime.ContainerStats(k.ctx, &runtime.ContainerStatsRequest{ContainerId: c.id})
			return err == nil && r.Stats.GetMemory().GetWorkingSetBytes().GetValue() > 0 && r.Stats.GetCpu().GetUsageCoreNanoSeconds().GetValue() > 0
		})
	}},
	{"statistics of all", func(k *kubelet) {
		p := k.pod()
		p.sleeper()
		p.sleeper()
		r, err := k.runtime.ListContainerStats(k.ctx, &runtime.ListContainerStatsRequest{})
		k.check(err)
		k.equal(len(r.Stats), 2)
	}},
	{"resources in the status", func(k *kubelet) {
		c := k.pod().sleeper(limit(64 << 20))
		k.equal(c.status().GetResources().GetLinux().GetMemoryLimitInBytes(), int64(64<<20))
	}},
	{"a limit that cannot be", func(k *kubelet) {
		c := k.pod().create([]string{"true"}, func(c *runtime.ContainerConfig) {
			c.Linux.Resources.Unified = map[string]string{"memory.max": "much"}
		})
		_, err := k.runtime.StartContainer(k.ctx, &runtime.StartContainerRequest{ContainerId: c.id})
		k.refused(err, "memory.max")
	}},
}}
