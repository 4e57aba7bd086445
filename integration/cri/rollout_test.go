package cri

import (
	"bytes"
	"os"
	"os/exec"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	brig      = "/usr/local/bin/brig"
	config    = "/etc/containerd/config.toml"
	installed = "/opt/brig/bin/brig" // by the DaemonSet
)

// What is rolled out is brig, whatever the runtime under test.
var rollout = group{"rollout", ofBrig([]scenario{
	{"the DaemonSet installs brig and its handler", func(k *kubelet) {
		before := k.withoutBrig()
		installer := k.installer(handler, newer(k, before))
		k.eventually("it is done", installer.done)
		ready(k.T, k.runtime)
		p, err := k.tryPod("brig", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		k.check(err)
		k.equal(p.sleeper().exec("echo", "up"), "up")
		after, err := os.ReadFile(installed)
		k.check(err)
		k.equal(len(after), len(before)+1)
	}},
	{"the DaemonSet installs the handler into a configuration of version 3", func(k *kubelet) {
		if !second(k) {
			k.Skip("containerd 1 has none")
		}
		before := k.withoutBrig()
		text, err := exec.Command("containerd", "config", "migrate").Output()
		k.check(err)
		k.check(os.WriteFile(config, text, 0o644))
		k.installer(handler, newer(k, before))
		k.eventually("it has the handler", func() bool {
			_, err := k.tryPod("brig", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
			return err == nil
		})
		now, err := os.ReadFile(config)
		k.check(err)
		if !bytes.Contains(now, []byte(`[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.brig.options]`)) {
			k.Fatalf("the configuration is\n%s", now)
		}
	}},
	{"the DaemonSet installs the handler into a configuration that names no runtime", func(k *kubelet) {
		program := k.withoutBrig()
		k.onlyConfigured("echo version = 2")
		k.eventually("it is done", k.installer("runc", newer(k, program)).done)
		ready(k.T, k.runtime)
		for _, handler := range []string{"brig", "runc"} {
			p, err := k.tryPod(handler, func(c *runtime.PodSandboxConfig) {
				if handler == "brig" {
					c.Linux.CgroupParent = "box.slice"
				}
			})
			k.check(err)
			k.equal(p.sleeper().exec("echo", "up"), "up")
		}
		k.removePods()
	}},
	{"the DaemonSet comes once more and changes nothing", func(k *kubelet) {
		program := k.withoutBrig()
		k.eventually("it is done", k.installer(handler, program).done)
		ready(k.T, k.runtime)
		before, err := os.ReadFile(config)
		k.check(err)
		file, err := os.Stat(installed)
		k.check(err)
		daemon := containerd(k)
		k.eventually("it is done", k.installer(handler, program).done)
		after, err := os.ReadFile(config)
		k.check(err)
		k.equal(string(after), string(before))
		if now, err := os.Stat(installed); err != nil || !os.SameFile(file, now) {
			k.Errorf("brig was installed anew, %v", err)
		}
		k.equal(containerd(k), daemon)
	}},
	{"the DaemonSet comes to a handler of the documentation, which stays", func(k *kubelet) {
		before, err := os.ReadFile(config)
		k.check(err)
		program, err := os.ReadFile(brig)
		k.check(err)
		k.Cleanup(func() { os.RemoveAll("/opt/brig") })
		daemon := containerd(k)
		for _, env := range [][]*runtime.KeyValue{nil, {{Key: "REMOVE", Value: []byte("true")}}} {
			k.eventually("it is done", k.installer(handler, program, env...).done)
			after, err := os.ReadFile(config)
			k.check(err)
			k.equal(string(after), string(before))
			k.equal(containerd(k), daemon)
			if _, err := os.Stat(installed); !os.IsNotExist(err) {
				k.Errorf("brig was installed, %v", err)
			}
		}
	}},
	{"the DaemonSet takes brig away when its last pod is gone", func(k *kubelet) {
		program := k.withoutBrig()
		before, err := os.ReadFile(config)
		k.check(err)
		k.eventually("brig is there", k.installer("runc", program).done)
		ready(k.T, k.runtime)
		p, err := k.tryPod("brig", func(c *runtime.PodSandboxConfig) { c.Linux.CgroupParent = "box.slice" })
		k.check(err)
		remover := k.installer("runc", program, &runtime.KeyValue{Key: "REMOVE", Value: []byte("true")})
		k.equal(p.sleeper().exec("sh", "-c", "sleep 12; echo up"), "up")
		k.equal(remover.status().State, runtime.ContainerState_CONTAINER_RUNNING)
		k.removePod(p.id)
		k.eventually("brig is gone", func() bool {
			_, err := os.Stat(installed)
			return os.IsNotExist(err)
		})
		k.eventually("it is done", remover.done)
		if _, err := os.Stat("/opt/brig"); !os.IsNotExist(err) {
			k.Errorf("its directory is left, %v", err)
		}
		after, err := os.ReadFile(config)
		k.check(err)
		k.equal(strings.TrimSpace(string(after)), strings.TrimSpace(string(before)))
		ready(k.T, k.runtime)
		_, err = k.tryPod("brig")
		k.refused(err, `no runtime for "brig" is configured`)
	}},
	{"the DaemonSet comes to a containerd that does not start with the handler", func(k *kubelet) {
		program := k.withoutBrig()
		before, err := os.ReadFile(config)
		k.check(err)
		const dir = "/etc/systemd/system/containerd.service.d"
		k.check(os.MkdirAll(dir, 0o755))
		k.Cleanup(func() { os.RemoveAll(dir); shell(k.T, "systemctl daemon-reload") })
		k.check(os.WriteFile(dir+"/refuse.conf", []byte("[Service]\nExecStartPre=/bin/sh -c '! grep -q runtimes.brig "+config+"'\n"), 0o644))
		shell(k.T, "systemctl daemon-reload")
		installer := k.installer(handler, newer(k, program))
		k.eventually("it says so", func() bool {
			said, err := os.ReadFile(installer.log)
			return err == nil && strings.Contains(string(said), "does not start with the handler")
		})
		ready(k.T, k.runtime)
		after, err := os.ReadFile(config)
		k.check(err)
		k.equal(string(after), string(before))
		k.equal(installer.status().State, runtime.ContainerState_CONTAINER_RUNNING)
		k.equal(k.pod().sleeper().exec("echo", "up"), "up")
	}},
})}

// ofBrig are scenarios that are not asked of another runtime.
func ofBrig(list []scenario) []scenario {
	for i, s := range list {
		list[i].run = func(k *kubelet) {
			if os.Getenv("RUNTIME") != brig {
				k.Skip("it is about brig itself")
			}
			s.run(k)
		}
	}
	return list
}

// done says that it has ended well, and the kubelet starts what comes after it. While
// containerd is restarted nobody answers.
func (c *container) done() bool {
	c.Helper()
	r, err := c.runtime.ContainerStatus(c.ctx, &runtime.ContainerStatusRequest{ContainerId: c.id})
	if err != nil {
		return false
	}
	s := r.Status
	if s.State == runtime.ContainerState_CONTAINER_EXITED && s.ExitCode != 0 {
		said, _ := os.ReadFile(c.log)
		c.Fatalf("it ended with %d: %s", s.ExitCode, said)
	}
	return s.State == runtime.ContainerState_CONTAINER_EXITED
}

// containerd is its process.
func containerd(k *kubelet) string {
	k.Helper()
	out, err := exec.Command("systemctl", "show", "-p", "MainPID", "containerd").Output()
	k.check(err)
	return string(out)
}

// withoutBrig takes the handler of the documentation out of containerd's config, and
// puts it back at the end, when what the DaemonSet installed goes. It returns brig itself.
func (k *kubelet) withoutBrig() []byte {
	k.Helper()
	text, err := os.ReadFile(config)
	k.check(err)
	program, err := os.ReadFile(brig)
	k.check(err)
	without, _, found := strings.Cut(string(text), "\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brig]")
	if !found {
		k.Fatal("there is no handler brig")
	}
	k.check(os.WriteFile(config, []byte(without+"\n"), 0o644))
	shell(k.T, "systemctl restart containerd; until_true ctr version")
	ready(k.T, k.runtime)
	k.Cleanup(func() {
		k.check(os.RemoveAll("/opt/brig"))
		k.check(os.WriteFile(config, text, 0o644))
		shell(k.T, "systemctl restart containerd; until_true ctr version")
		ready(k.T, k.runtime)
	})
	_, err = k.tryPod("brig")
	k.refused(err, `no runtime for "brig" is configured`)
	return program
}

// onlyConfigured has containerd know what a command of the shell prints, and nothing
// else, until the end. The pause image is what containerd calls it by itself.
func (k *kubelet) onlyConfigured(command string) {
	k.Helper()
	text, err := os.ReadFile(config)
	k.check(err)
	k.Cleanup(func() {
		k.check(os.WriteFile(config, text, 0o644))
		shell(k.T, "systemctl restart containerd; until_true ctr version")
		ready(k.T, k.runtime)
	})
	shell(k.T, command+` >/etc/containerd/config.toml
		pause=$(containerd config dump | grep -oE "[a-z0-9./-]+/pause:[0-9.]+" | head -n 1)
		ctr -n k8s.io image tag --force localhost/pause:latest $pause
		systemctl restart containerd; until_true ctr version`)
	ready(k.T, k.runtime)
}

// newer is another version of a program: a byte after its end changes nothing.
func newer(k *kubelet, program []byte) []byte { return append(bytes.Clone(program), 0) }

// installer carries out what the DaemonSet says, with a program as its brig: a pod with
// the container that installs, which runs.
func (k *kubelet) installer(handler string, program []byte, env ...*runtime.KeyValue) *container {
	k.Helper()
	spec := daemonSet(k.T).Spec.Template.Spec
	of := spec.InitContainers[0]
	k.check(os.WriteFile(k.logs+"/brig", program, 0o755))
	script, err := os.ReadFile("../../docs/kubernetes/install.sh")
	k.check(err)
	k.check(os.WriteFile(k.logs+"/install.sh", script, 0o755))
	p, err := k.tryPod(handler, func(c *runtime.PodSandboxConfig) {
		c.Linux.SecurityContext.Privileged = *of.SecurityContext.Privileged
		if spec.HostPID {
			c.Linux.SecurityContext.NamespaceOptions.Pid = runtime.NamespaceMode_NODE
		}
	})
	k.check(err)
	return p.create(of.Command, with(func(s *runtime.LinuxContainerSecurityContext) { s.Privileged = *of.SecurityContext.Privileged }),
		limit(of.Resources.Limits.Memory().Value()), func(c *runtime.ContainerConfig) {
			c.Envs = env
			// What the Dockerfile copies.
			c.Mounts = append(c.Mounts, &runtime.Mount{HostPath: k.logs + "/brig", ContainerPath: "/brig", Readonly: true},
				&runtime.Mount{HostPath: k.logs + "/install.sh", ContainerPath: "/install.sh", Readonly: true})
			for _, m := range of.VolumeMounts {
				for _, v := range spec.Volumes {
					if v.Name == m.Name {
						k.check(os.MkdirAll(v.HostPath.Path, 0o755)) // DirectoryOrCreate
						c.Mounts = append(c.Mounts, &runtime.Mount{HostPath: v.HostPath.Path, ContainerPath: m.MountPath})
					}
				}
			}
		}).start()
}
