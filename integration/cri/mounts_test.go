package cri

import (
	"os"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"golang.org/x/sys/unix"
)

func mount(m *runtime.Mount) func(*runtime.ContainerConfig) {
	return func(c *runtime.ContainerConfig) { c.Mounts = append(c.Mounts, m) }
}

var mounts = group{"mounts", []scenario{
	{"a directory of the host", func(k *kubelet) {
		dir := k.TempDir()
		k.check(os.WriteFile(dir+"/file", []byte("outside"), 0o644))
		p := k.pod()
		c := p.sleeper(mount(&runtime.Mount{HostPath: dir, ContainerPath: "/data"}))
		k.equal(c.exec("cat", "/data/file"), "outside")
		c.exec("touch", "/data/new")
		c = p.sleeper(mount(&runtime.Mount{HostPath: dir, ContainerPath: "/data", Readonly: true}))
		if said := c.fails("touch", "/data/new"); !strings.Contains(said, "Read-only") {
			k.Fatal(said)
		}
	}},
	{"a single file", func(k *kubelet) {
		file := k.TempDir() + "/file"
		k.check(os.WriteFile(file, []byte("outside"), 0o644))
		c := k.pod().sleeper(mount(&runtime.Mount{HostPath: file, ContainerPath: "/etc/single"}))
		k.equal(c.exec("cat", "/etc/single"), "outside")
	}},
	{"recursively read-only", func(k *kubelet) {
		dir := tmpfsBelow(k)
		c, err := k.pod().tryCreate([]string{"sleep", "1000"}, mount(&runtime.Mount{HostPath: dir, ContainerPath: "/data", Readonly: true, RecursiveReadOnly: true}))
		k.check(err)
		said := c.start().fails("touch", "/data/file", "/data/below/file")
		if strings.Count(said, "Read-only") != 2 {
			k.oldContainerd(said)
			k.Fatal(said)
		}
	}},
	{"read-only and not recursively", func(k *kubelet) {
		c := k.pod().sleeper(mount(&runtime.Mount{HostPath: tmpfsBelow(k), ContainerPath: "/data", Readonly: true}))
		c.fails("touch", "/data/file")
		c.exec("touch", "/data/below/file")
	}},
	{"mounts of the host arrive later", func(k *kubelet) {
		dir := tmpfsBelow(k) + "/below"
		k.check(unix.Mount("", dir, "", unix.MS_SHARED, ""))
		c := k.pod().sleeper(mount(&runtime.Mount{HostPath: dir, ContainerPath: "/data", Propagation: runtime.MountPropagation_PROPAGATION_HOST_TO_CONTAINER}))
		k.check(os.Mkdir(dir+"/later", 0o755))
		k.check(unix.Mount("later", dir+"/later", "tmpfs", 0, ""))
		if !strings.Contains(c.exec("cat", "/proc/mounts"), " /data/later ") {
			k.Fatal(c.exec("cat", "/proc/mounts"))
		}
	}},
	{"mounts of a privileged container reach the host", func(k *kubelet) {
		dir := tmpfsBelow(k) + "/below"
		k.check(unix.Mount("", dir, "", unix.MS_SHARED, ""))
		p := k.pod(func(c *runtime.PodSandboxConfig) { c.Linux.SecurityContext.Privileged = true })
		c := p.sleeper(mount(&runtime.Mount{HostPath: dir, ContainerPath: "/data", Propagation: runtime.MountPropagation_PROPAGATION_BIDIRECTIONAL}),
			with(func(s *runtime.LinuxContainerSecurityContext) { s.Privileged = true }))
		c.exec("sh", "-c", "mkdir /data/inner && mount -t tmpfs inner /data/inner")
		text, err := os.ReadFile("/proc/mounts")
		k.check(err)
		if !strings.Contains(string(text), dir+"/inner ") {
			k.Fatal("it did not arrive")
		}
	}},
	{"an image as a volume", func(k *kubelet) {
		c, err := k.pod().tryCreate([]string{"sleep", "1000"}, mount(&runtime.Mount{ContainerPath: "/other", Image: &runtime.ImageSpec{Image: image}, Readonly: true}))
		if err != nil {
			k.oldContainerd(err.Error())
		}
		k.check(err)
		k.equal(c.start().exec("cat", "/other/usr/share/file"), "of the image")
	}},
	{"in a user namespace with ids that are mapped", func(k *kubelet) {
		dir := k.TempDir()
		k.check(os.Chmod(dir, 0o755))
		k.check(os.WriteFile(dir+"/file", []byte("outside"), 0o600))
		p, err := k.tryPod(handler, ownIDs)
		if err != nil {
			k.oldContainerd(err.Error())
		}
		k.check(err)
		ids := p.config.Linux.SecurityContext.NamespaceOptions.UsernsOptions
		c, err := p.tryCreate([]string{"sleep", "1000"}, mount(&runtime.Mount{HostPath: dir, ContainerPath: "/data", UidMappings: ids.Uids, GidMappings: ids.Gids}))
		if err != nil {
			k.oldContainerd(err.Error())
		}
		k.check(err)
		k.equal(c.start().exec("cat", "/data/file"), "outside")
	}},
	{"a device", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) {
			c.Devices = []*runtime.Device{{HostPath: "/dev/vda", ContainerPath: "/dev/mine", Permissions: "r"}}
		})
		k.equal(c.exec("sh", "-c", "head -c 3 /dev/mine | wc -c"), "3")
		for _, script := range []string{": >>/dev/mine", "mknod /tmp/d b 254 16 && head -c 1 /tmp/d"} {
			if said := c.fails("sh", "-c", script); !strings.Contains(said, "not permitted") {
				k.Fatalf("%s: %s", script, said)
			}
		}
	}},
	{"a device by CDI", func(k *kubelet) {
		shell(k.T, "mkdir -p /etc/cdi; write_cdi >/etc/cdi/box.json")
		k.Cleanup(func() { os.RemoveAll("/etc/cdi") })
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) { c.CDIDevices = []*runtime.CDIDevice{{Name: "box.test/dev=one"}} })
		k.equal(c.exec("sh", "-c", "echo $CDI $(cat /driver/file) $(head -c 1 </dev/mine | wc -c)"), "yes driver 1")
		if said := c.fails("sh", "-c", ": >>/dev/mine"); !strings.Contains(said, "not permitted") {
			k.Fatal(said)
		}
		state, err := os.ReadFile("/tmp/cdi-state")
		k.check(err)
		if !strings.Contains(string(state), `"id"`) {
			k.Fatalf("its hook read %q", state)
		}
	}},
	{"a target that is a link, and one that is not there", func(k *kubelet) {
		dir := k.TempDir()
		k.check(os.WriteFile(dir+"/file", []byte("outside"), 0o644))
		c := k.pod().sleeper(with(func(s *runtime.LinuxContainerSecurityContext) { s.ReadonlyRootfs = true }),
			mount(&runtime.Mount{HostPath: dir, ContainerPath: "/link/secrets/x", Readonly: true}),
			mount(&runtime.Mount{HostPath: dir, ContainerPath: "/new/deep/dir", Readonly: true}))
		k.equal(c.exec("cat", "/link/secrets/x/file", "/home/secrets/x/file", "/new/deep/dir/file"), "outsideoutsideoutside")
	}},
	{"a file on a directory", func(k *kubelet) {
		file := k.TempDir() + "/file"
		k.check(os.WriteFile(file, nil, 0o644))
		c := k.pod().create([]string{"true"}, mount(&runtime.Mount{HostPath: file, ContainerPath: "/home"}))
		_, err := k.runtime.StartContainer(k.ctx, &runtime.StartContainerRequest{ContainerId: c.id})
		k.refused(err, "ot a directory")
	}},
}}

// oldContainerd skips what containerd 1.7 does not have.
func (k *kubelet) oldContainerd(said string) {
	k.Helper()
	r, err := k.runtime.Version(k.ctx, &runtime.VersionRequest{})
	k.check(err)
	if strings.HasPrefix(r.RuntimeVersion, "1.") || strings.HasPrefix(r.RuntimeVersion, "v1.") {
		k.Skipf("containerd %s has none: %s", r.RuntimeVersion, said)
	}
}

// tmpfsBelow is a directory with a mount below it.
func tmpfsBelow(k *kubelet) string {
	k.Helper()
	dir := k.TempDir()
	k.check(os.Mkdir(dir+"/below", 0o755))
	k.check(unix.Mount("below", dir+"/below", "tmpfs", 0, ""))
	k.Cleanup(func() {
		for unix.Unmount(dir+"/below", unix.MNT_DETACH) == nil {
		}
	})
	return dir
}
