package cri

import (
	"os/exec"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func limit(bytes int64) func(*runtime.ContainerConfig) {
	return func(c *runtime.ContainerConfig) { c.Linux.Resources.MemoryLimitInBytes = bytes }
}

// kubeletGives is what a kubelet of version 1.34 asks for on cgroup v2 for a container with a
// limit of memory: no huge pages, no swap, an end of all when one is killed for memory.
func kubeletGives(memory int64) *runtime.LinuxContainerResources {
	return &runtime.LinuxContainerResources{
		CpuPeriod: 100000, CpuShares: 2, OomScoreAdj: 1000, MemoryLimitInBytes: memory,
		HugepageLimits: []*runtime.HugepageLimit{{PageSize: "2MB"}},
		Unified:        map[string]string{"memory.oom.group": "1", "memory.swap.max": "0"},
	}
}

// asByKubelet runs a container with it below a group of a pod, updates it in the same form,
// and looks at each file, again after systemd has written all.
func asByKubelet(k *kubelet, handler, parent string) {
	k.Helper()
	p, err := k.tryPod(handler, func(c *runtime.PodSandboxConfig) {
		c.Linux.CgroupParent, c.Linux.Resources = parent, &runtime.LinuxContainerResources{CpuPeriod: 100000, CpuShares: 2}
	})
	k.check(err)
	c := p.sleeper(func(c *runtime.ContainerConfig) { c.Linux.Resources = kubeletGives(64 << 20) })
	look := func(memory string) {
		k.Helper()
		k.equal(c.exec("sh", "-c", "cd /sys/fs/cgroup && cat memory.max memory.oom.group memory.swap.max hugetlb.2MB.max cpu.weight cpu.max /proc/1/oom_score_adj"),
			memory+"\n1\n0\n0\n1\nmax 100000\n1000")
	}
	look("67108864")
	update := kubeletGives(96 << 20)
	update.OomScoreAdj = 0 // a kubelet does not update it
	_, err = k.runtime.UpdateContainerResources(k.ctx, &runtime.UpdateContainerResourcesRequest{ContainerId: c.id, Linux: update})
	k.check(err)
	look("100663296")
	k.check(exec.Command("systemctl", "daemon-reload").Run())
	look("100663296")
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
	{"what a kubelet gives to all", func(k *kubelet) {
		k.Cleanup(func() {
			for _, dir := range []string{"/boxpods/burstable/pod", "/boxpods/burstable", "/boxpods"} {
				k.removed("/sys/fs/cgroup" + dir)
			}
		})
		asByKubelet(k, handler, "/boxpods/burstable/pod")
	}},
	{"what a kubelet gives to all, by systemd", func(k *kubelet) {
		asByKubelet(k, "tested-systemd", "boxpods-burstable-pod.slice")
	}},
	{"an update leaves the rest", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) {
			c.Linux.Resources = kubeletGives(64 << 20)
			c.Linux.Resources.CpusetCpus = "0"
			c.Devices = []*runtime.Device{{HostPath: "/dev/vda", ContainerPath: "/dev/mine", Permissions: "r"}}
		})
		_, err := k.runtime.UpdateContainerResources(k.ctx, &runtime.UpdateContainerResourcesRequest{
			ContainerId: c.id, Linux: &runtime.LinuxContainerResources{CpuPeriod: 100000, CpuQuota: 20000},
		})
		k.check(err)
		k.equal(c.exec("sh", "-c", "cd /sys/fs/cgroup && cat cpu.max memory.max memory.oom.group memory.swap.max hugetlb.2MB.max cpuset.cpus"), "20000 100000\n67108864\n1\n0\n0\n0")
		k.equal(c.exec("sh", "-c", "head -c 3 /dev/mine | wc -c"), "3")
		if said := c.fails("sh", "-c", ": >>/dev/mine"); !strings.Contains(said, "not permitted") {
			k.Fatal(said)
		}
	}},
	{"properties of its scope", func(k *kubelet) {
		p, err := k.tryPod("tested-systemd", func(c *runtime.PodSandboxConfig) {
			c.Linux.CgroupParent = "box.slice"
			c.Annotations = map[string]string{"org.systemd.property.TimeoutStopUSec": "uint64 5000000"}
		})
		k.check(err)
		out, err := exec.Command("systemctl", "show", "-p", "TimeoutStopUSec", "cri-containerd-"+p.sleeper().id+".scope").Output()
		k.check(err)
		k.equal(strings.TrimSpace(string(out)), "TimeoutStopUSec=5s")
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
