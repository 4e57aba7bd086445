package cri

import (
	"os"
	"os/exec"
	"strings"

	nodev1 "k8s.io/api/node/v1"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var pods = group{"pods", []scenario{
	{"run and remove", func(k *kubelet) {
		p := k.pod()
		r, err := k.runtime.PodSandboxStatus(k.ctx, &runtime.PodSandboxStatusRequest{PodSandboxId: p.id})
		k.check(err)
		k.equal(r.Status.State, runtime.PodSandboxState_SANDBOX_READY)
		k.equal(r.Status.RuntimeHandler, handler)
		_, err = k.runtime.StopPodSandbox(k.ctx, &runtime.StopPodSandboxRequest{PodSandboxId: p.id})
		k.check(err)
		r, err = k.runtime.PodSandboxStatus(k.ctx, &runtime.PodSandboxStatusRequest{PodSandboxId: p.id})
		k.check(err)
		k.equal(r.Status.State, runtime.PodSandboxState_SANDBOX_NOTREADY)
	}},
	{"the features of the handler", func(k *kubelet) {
		r, err := k.runtime.Status(k.ctx, &runtime.StatusRequest{})
		k.check(err)
		for _, h := range r.RuntimeHandlers {
			if h.Name == handler && h.Features.GetRecursiveReadOnlyMounts() && h.Features.GetUserNamespaces() {
				return
			}
		}
		if len(r.RuntimeHandlers) == 0 {
			k.oldContainerd("no features are asked for")
		}
		k.Fatalf("it lacks recursive read-only mounts or user namespaces: %v", r.RuntimeHandlers)
	}},
	{"a network by CNI", func(k *kubelet) {
		p := k.pod()
		r, err := k.runtime.PodSandboxStatus(k.ctx, &runtime.PodSandboxStatusRequest{PodSandboxId: p.id})
		k.check(err)
		if ip := r.Status.GetNetwork().GetIp(); !strings.HasPrefix(ip, "10.77.0.") {
			k.Fatalf("the address is %q", ip)
		}
		p.sleeper().exec("ping", "-c", "1", "-W", "5", "10.77.0.1")
	}},
	{"two pods reach each other", func(k *kubelet) {
		one := k.pod()
		one.create([]string{"sh", "-c", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"}).start()
		r, err := k.runtime.PodSandboxStatus(k.ctx, &runtime.PodSandboxStatusRequest{PodSandboxId: one.id})
		k.check(err)
		two := k.pod().sleeper()
		k.eventually("it is served", func() bool {
			r, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: two.id, Cmd: []string{"wget", "-T", "30", "-qO-", "http://" + r.Status.Network.Ip + "/"}, Timeout: 20})
			return err == nil && string(r.Stdout) == "served\n"
		})
	}},
	{"a port of the host", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.PortMappings = []*runtime.PortMapping{{ContainerPort: 80, HostPort: 8097}}
		})
		p.create([]string{"sh", "-c", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"}).start()
		address, err := exec.Command("sh", "-c", "ip -4 -o addr show cni-box | sed 's/.*inet \\([0-9.]*\\).*/\\1/'").Output()
		k.check(err)
		k.eventually("it is served", func() bool {
			out, _ := exec.Command("busybox", "wget", "-T", "30", "-qO-", "http://"+strings.TrimSpace(string(address))+":8097/").Output()
			return string(out) == "served\n"
		})
	}},
	{"the network of the host", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Linux.SecurityContext.NamespaceOptions.Network = runtime.NamespaceMode_NODE
		})
		k.equal(p.sleeper().exec("readlink", "/proc/self/ns/net"), readlink(k, "/proc/self/ns/net"))
	}},
	{"the processes of the host", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Linux.SecurityContext.NamespaceOptions.Pid = runtime.NamespaceMode_NODE
		})
		k.equal(p.sleeper().exec("readlink", "/proc/self/ns/pid"), readlink(k, "/proc/self/ns/pid"))
	}},
	{"processes that a pod shares", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Linux.SecurityContext.NamespaceOptions.Pid = runtime.NamespaceMode_POD
		})
		k.equal(p.sleeper().exec("readlink", "/proc/self/ns/pid"), p.sleeper().exec("readlink", "/proc/self/ns/pid"))
	}},
	{"what a container leaves among the processes of its pod", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Linux.SecurityContext.NamespaceOptions.Pid = runtime.NamespaceMode_POD
		})
		left := func() bool { return exec.Command("pgrep", "-fx", "sleep 4242").Run() == nil }
		c := p.create([]string{"sh", "-c", "setsid sleep 4242 & until [ -e /tmp/seen ]; do sleep 0.2; done"}).start()
		k.eventually("it has started", left)
		c.exec("touch", "/tmp/seen")
		c.wait()
		k.eventually("it is gone", func() bool { return !left() })
	}},
	{"the shared memory of the host", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Linux.SecurityContext.NamespaceOptions.Ipc = runtime.NamespaceMode_NODE
		})
		k.equal(p.sleeper().exec("readlink", "/proc/self/ns/ipc"), readlink(k, "/proc/self/ns/ipc"))
	}},
	{"networks and hosts that a pod shares", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Hostname = "box"
			c.DnsConfig = &runtime.DNSConfig{Servers: []string{"192.0.2.1"}, Searches: []string{"inner"}}
		})
		one, two := p.sleeper(), p.sleeper()
		k.equal(one.exec("readlink", "/proc/self/ns/net"), two.exec("readlink", "/proc/self/ns/net"))
		k.equal(one.exec("hostname"), "box")
		k.equal(two.exec("grep", "-c", "nameserver 192.0.2.1", "/etc/resolv.conf"), "1")
		if one.exec("readlink", "/proc/self/ns/mnt") == two.exec("readlink", "/proc/self/ns/mnt") {
			k.Fatal("one mount namespace")
		}
	}},
	{"sysctls", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) {
			c.Linux.Sysctls = map[string]string{"net.ipv4.ip_default_ttl": "42", "kernel.shm_rmid_forced": "1"}
		})
		k.equal(p.sleeper().exec("cat", "/proc/sys/net/ipv4/ip_default_ttl", "/proc/sys/kernel/shm_rmid_forced"), "42\n1")
	}},
	{"a parent of the cgroups", func(k *kubelet) {
		k.Cleanup(func() { k.removed("/sys/fs/cgroup/boxparent") })
		p := k.pod(func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "/boxparent" })
		cgroup, err := os.ReadFile("/proc/" + p.sleeper().pid() + "/cgroup")
		k.check(err)
		if !strings.HasPrefix(string(cgroup), "0::/boxparent/") {
			k.Fatalf("the cgroup is %s", cgroup)
		}
	}},
	{"cgroups by systemd", func(k *kubelet) {
		p, err := k.tryPod("tested-systemd", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box-parent.slice" })
		k.check(err)
		c := p.sleeper(limit(64 << 20))
		cgroup, err := os.ReadFile("/proc/" + c.pid() + "/cgroup")
		k.check(err)
		group, _ := strings.CutSuffix(strings.TrimSpace(string(cgroup)), "/container") // a group that crun makes in its scope
		k.equal(group, "0::/box.slice/box-parent.slice/cri-containerd-"+c.id+".scope")
		out, err := exec.Command("systemctl", "show", "-p", "MemoryMax", "cri-containerd-"+c.id+".scope").Output()
		k.check(err)
		k.equal(strings.TrimSpace(string(out)), "MemoryMax=67108864")
	}},
	{"slices without systemd", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		c := p.sleeper()
		cgroup, err := os.ReadFile("/proc/" + c.pid() + "/cgroup")
		k.check(err)
		group, _ := strings.CutSuffix(strings.TrimSpace(string(cgroup)), "/container")
		k.equal(group, "0::/system.slice/box.slice:cri-containerd:"+c.id)
	}},
	{"the configuration of the documentation and nothing else", func(k *kubelet) {
		k.onlyConfigured("from_docs " + config)
		p, err := k.tryPod("brig", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		k.check(err)
		k.equal(p.sleeper().exec("echo", "up"), "up")
		k.removePods()
	}},
	{"the handler of the documentation", func(k *kubelet) {
		p, err := k.tryPod("brig", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		k.check(err)
		k.equal(p.sleeper().exec("echo", "up"), "up")
	}},
	{"the pod of the documentation", func(k *kubelet) {
		of := podOnBrig(k.T).Spec
		class := manifest[*nodev1.RuntimeClass](k.T, "runtimeclass.yaml")
		k.equal(class.Name, *of.RuntimeClassName)
		p, err := k.tryPod(class.Handler, func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		k.check(err)
		asked := of.Containers[0].SecurityContext
		c := p.create(of.Containers[0].Command, with(func(s *runtime.LinuxContainerSecurityContext) {
			s.NoNewPrivs = !*asked.AllowPrivilegeEscalation
			s.ReadonlyRootfs = *asked.ReadOnlyRootFilesystem
			s.RunAsUser = &runtime.Int64Value{Value: *asked.RunAsUser}
			s.Capabilities = &runtime.Capability{}
			for _, name := range asked.Capabilities.Drop {
				s.Capabilities.DropCapabilities = append(s.Capabilities.DropCapabilities, string(name))
			}
			s.Seccomp = &runtime.SecurityProfile{ProfileType: runtime.SecurityProfile_RuntimeDefault}
		})).start()
		k.equal(c.exec("awk", "/^(Uid|CapBnd|NoNewPrivs|Seccomp):/ { print $2 }", "/proc/1/status"), "1000\n0000000000000000\n1\n2")
		// Any user may write there, if somebody may.
		if said := c.fails("touch", "/tmp/file"); !strings.Contains(said, "Read-only") {
			k.Fatal(said)
		}
	}},
	{"a user namespace", func(k *kubelet) {
		p, err := k.tryPod(handler, ownIDs)
		if err != nil && strings.Contains(err.Error(), "user namespaces") {
			k.oldContainerd(err.Error())
		}
		k.check(err)
		c := p.sleeper(func(c *runtime.ContainerConfig) {
			c.Linux.SecurityContext.NamespaceOptions = p.config.Linux.SecurityContext.NamespaceOptions
		})
		k.equal(strings.Join(strings.Fields(c.exec("cat", "/proc/self/uid_map")), " "), "0 300000 65536")
		k.equal(c.exec("stat", "-c", "%u", "/bin/busybox"), "0")
	}},
	{"two runtimes at a time", func(k *kubelet) {
		one, err := k.tryPod("tested")
		k.check(err)
		two, err := k.tryPod("runc")
		k.check(err)
		k.equal(one.sleeper().exec("echo", "up"), "up")
		k.equal(two.sleeper().exec("echo", "up"), "up")
	}},
	{"statistics of a pod", func(k *kubelet) {
		k.Cleanup(func() { k.removed("/sys/fs/cgroup/boxpod") })
		p := k.pod(func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "/boxpod" })
		p.sleeper()
		k.eventually("it uses memory", func() bool {
			r, err := k.runtime.PodSandboxStats(k.ctx, &runtime.PodSandboxStatsRequest{PodSandboxId: p.id})
			return err == nil && r.Stats.GetLinux().GetMemory().GetWorkingSetBytes().GetValue() > 0
		})
	}},
}}

// removed removes a cgroup, which has to be empty.
func (k *kubelet) removed(dir string) {
	k.Helper()
	if err := os.Remove(dir); err != nil {
		k.Error(err)
	}
}

// ownIDs gives a pod a user namespace.
func ownIDs(c *runtime.PodSandboxConfig) {
	ids := []*runtime.IDMapping{{HostId: 300000, ContainerId: 0, Length: 65536}}
	c.Linux.SecurityContext.NamespaceOptions.UsernsOptions = &runtime.UserNamespace{Mode: runtime.NamespaceMode_POD, Uids: ids, Gids: ids}
}

func readlink(k *kubelet, name string) string {
	k.Helper()
	target, err := os.Readlink(name)
	k.check(err)
	return target
}
