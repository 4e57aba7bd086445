package cri

import (
	"os"
	"os/exec"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	byDefault  = runtime.SecurityProfile_RuntimeDefault
	unconfined = runtime.SecurityProfile_Unconfined
	ofTheHost  = runtime.SecurityProfile_Localhost
)

// with changes the security context of a container.
func with(change func(*runtime.LinuxContainerSecurityContext)) func(*runtime.ContainerConfig) {
	return func(c *runtime.ContainerConfig) { change(c.Linux.SecurityContext) }
}

func status(c *container, field string) string {
	c.Helper()
	return c.exec("awk", "/^"+field+":/ { print $2 }", "/proc/self/status")
}

var security = group{"security", []scenario{
	{"capabilities", func(k *kubelet) {
		p := k.pod()
		k.equal(status(p.sleeper(), "CapEff"), "00000000a80425fb")
		k.equal(status(p.sleeper(with(func(s *runtime.LinuxContainerSecurityContext) {
			s.Capabilities = &runtime.Capability{DropCapabilities: []string{"ALL"}, AddCapabilities: []string{"NET_BIND_SERVICE"}}
		})), "CapEff"), "0000000000000400")
	}},
	{"privileged", func(k *kubelet) {
		p := k.pod(func(c *runtime.PodSandboxConfig) { c.Linux.SecurityContext.Privileged = true })
		c := p.sleeper(with(func(s *runtime.LinuxContainerSecurityContext) { s.Privileged = true }))
		k.equal(status(c, "CapEff"), "000001ffffffffff")
		c.exec("test", "-e", "/dev/kmsg")
	}},
	{"no new privileges", func(k *kubelet) {
		p := k.pod()
		k.equal(status(p.sleeper(with(func(s *runtime.LinuxContainerSecurityContext) { s.NoNewPrivs = true })), "NoNewPrivs"), "1")
		k.equal(status(p.sleeper(), "NoNewPrivs"), "0")
	}},
	{"a root that cannot be written", func(k *kubelet) {
		c := k.pod().sleeper(with(func(s *runtime.LinuxContainerSecurityContext) { s.ReadonlyRootfs = true }))
		if said := c.fails("touch", "/file"); !strings.Contains(said, "Read-only") {
			k.Fatal(said)
		}
	}},
	{"seccomp", func(k *kubelet) {
		p := k.pod()
		profile := func(kind runtime.SecurityProfile_ProfileType, file string) func(*runtime.ContainerConfig) {
			return with(func(s *runtime.LinuxContainerSecurityContext) {
				s.Seccomp = &runtime.SecurityProfile{ProfileType: kind, LocalhostRef: file}
			})
		}
		k.equal(status(p.sleeper(profile(byDefault, "")), "Seccomp"), "2")
		k.equal(status(p.sleeper(profile(unconfined, "")), "Seccomp"), "0")
		file := k.TempDir() + "/profile.json"
		k.check(os.WriteFile(file, []byte(`{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }] }`), 0o644))
		if said := p.sleeper(profile(ofTheHost, file)).fails("mkdir", "/new"); !strings.Contains(said, "not permitted") {
			k.Fatal(said)
		}
	}},
	{"AppArmor", func(k *kubelet) {
		p := k.pod()
		profile := func(kind runtime.SecurityProfile_ProfileType, name string) func(*runtime.ContainerConfig) {
			return with(func(s *runtime.LinuxContainerSecurityContext) {
				s.Apparmor = &runtime.SecurityProfile{ProfileType: kind, LocalhostRef: name}
			})
		}
		k.equal(p.sleeper(profile(byDefault, "")).exec("cat", "/proc/self/attr/current"), "cri-containerd.apparmor.d (enforce)")
		k.equal(p.sleeper(profile(unconfined, "")).exec("cat", "/proc/self/attr/current"), "unconfined")
		file := k.TempDir() + "/profile"
		k.check(os.WriteFile(file, []byte("profile box-cri flags=(attach_disconnected,mediate_deleted) { file, capability, network, signal, deny /tmp/forbidden w, }\n"), 0o644))
		k.check(exec.Command("apparmor_parser", "-r", file).Run())
		c := p.sleeper(profile(ofTheHost, "box-cri"))
		k.equal(c.exec("cat", "/proc/self/attr/current"), "box-cri (enforce)")
		if said := c.fails("touch", "/tmp/forbidden"); !strings.Contains(said, "denied") {
			k.Fatal(said)
		}
		_, err := p.tryCreate([]string{"true"}, profile(ofTheHost, "no-such"))
		k.refused(err, "no-such")
	}},
	{"masked and read-only paths", func(k *kubelet) {
		c := k.pod().sleeper(with(func(s *runtime.LinuxContainerSecurityContext) {
			s.MaskedPaths, s.ReadonlyPaths = []string{"/proc/keys", "/usr/share"}, []string{"/proc/sys"}
		}))
		k.equal(c.exec("cat", "/proc/keys"), "")
		k.equal(c.exec("ls", "/usr/share"), "")
		if said := c.fails("sh", "-c", "echo x >/proc/sys/kernel/hostname"); !strings.Contains(said, "Read-only") {
			k.Fatal(said)
		}
	}},
	{"supplemental groups, strictly", func(k *kubelet) {
		c, err := k.pod().tryCreate([]string{"sleep", "1000"}, with(func(s *runtime.LinuxContainerSecurityContext) {
			s.RunAsUser = &runtime.Int64Value{Value: 1000}
			s.RunAsGroup = &runtime.Int64Value{Value: 1000}
			s.SupplementalGroups = []int64{3000}
			s.SupplementalGroupsPolicy = runtime.SupplementalGroupsPolicy_Strict
		}))
		k.check(err)
		if got := c.start().exec("id", "-G"); got != "1000 3000" && (second(k) || got != "1000 2000 3000" && got != "1000 3000 2000") {
			k.Fatalf("its groups are %s", got)
		}
	}},
	{"a debugger sees the processes of its target", func(k *kubelet) {
		p := k.pod()
		target := p.sleeper()
		c := p.sleeper(with(func(s *runtime.LinuxContainerSecurityContext) {
			s.NamespaceOptions = &runtime.NamespaceOption{Pid: runtime.NamespaceMode_TARGET, TargetId: target.id}
		}))
		k.equal(c.exec("readlink", "/proc/self/ns/pid"), target.exec("readlink", "/proc/self/ns/pid"))
	}},
	{"capabilities of an ordinary user", func(k *kubelet) {
		c := k.pod().sleeper(with(func(s *runtime.LinuxContainerSecurityContext) {
			s.RunAsUser = &runtime.Int64Value{Value: 1000}
		}))
		k.equal(status(c, "CapEff"), "0000000000000000")
	}},
}}

// second says whether containerd is 2 or newer: then it heeds the policy of groups, and
// reads configurations of version 3.
func second(k *kubelet) bool {
	k.Helper()
	version, err := k.runtime.Version(k.ctx, &runtime.VersionRequest{})
	k.check(err)
	return !strings.HasPrefix(strings.TrimPrefix(version.RuntimeVersion, "v"), "1.")
}
