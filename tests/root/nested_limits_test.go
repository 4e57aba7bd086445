package root_test

import (
	"fmt"
	"testing"
)

// innerForks makes the bundles tight and wide, whose payload needs four processes: a
// limit of three is one too few. It has the cgroup namespace of the outer container, and
// so sees which cgroup it is in.
func (b *box) innerForks() {
	b.t.Helper()
	b.inner("{}")
	for name, limit := range map[string]int{"tight": 3, "wide": 4} {
		config := decode(b.t, innerConfig(b.t, `{"root":{"path":"/inner/rootfs"}}`, fmt.Sprintf(`{"linux":{"resources":{"pids":{"limit":%d}}}}`, limit),
			`{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"}]}}`)).(map[string]any)
		config["process"].(map[string]any)["args"] = []any{"/bin/sh", "-c", "cat /proc/self/cgroup; sleep 1000 & sleep 1000 & sleep 1000 & echo three"}
		config["mounts"] = []any{
			decode(b.t, `{"destination":"/proc","type":"proc","source":"proc"}`), decode(b.t, `{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]}`),
		}
		write(b.t, b.rootfs+"/inner/"+name+"/config.json", encode(b.t, config))
	}
}

// runInner runs a bundle, and says what brig left of it.
const runInner = `inner() {
	brig --root /tmp/state run -b /inner/$1 $1 2>&1; echo "exit $?"
	ls -A /tmp/state; find /sys/fs/cgroup/brig -mindepth 1 -type d 2>/dev/null
	true
}
`

// leaf takes the payload out of the root of its cgroups, which then can pass
// controllers on.
const leaf = "mkdir /sys/fs/cgroup/leaf && echo 1 >/sys/fs/cgroup/leaf/cgroup.procs\n"

const innerLimits = "0::/brig/tight\n/bin/sh: can't fork: Resource temporarily unavailable\nexit 2\n0::/brig/wide\nthree\nexit 0"

// A container within one has the limit that it asks for, or does not start.
func TestNestedPrivilegedLimit(t *testing.T) {
	needController(t, "pids")
	b := newBox(t, allowsAll())
	b.writableCgroup()
	b.resources(`{"pids":{"limit":1000}}`)
	b.innerForks()
	equal(t, b.run(runInner+"inner tight; ls /sys/fs/cgroup | grep brig\n"+leaf+"inner tight; inner wide"),
		"brig: /linux/resources/pids/limit: enable the pids controller in /: EBUSY: device or resource busy (a cgroup with processes of its own cannot pass controllers on)\nexit 1\n"+innerLimits)
}

// The root of a user namespace may make no cgroup unless the config gives it one.
func TestNestedUserNamespaceLimit(t *testing.T) {
	needController(t, "pids")
	outer := func() *box {
		b := newBox(t, allowsAll(), withUserNamespace)
		b.resources(`{"pids":{"limit":1000}}`)
		b.innerForks()
		root := decode(t, `{"destination":"/","source":"rootfs","options":["rbind","idmap"]}`)
		b.config["mounts"] = append([]any{root}, b.config["mounts"].([]any)...)
		return b
	}
	equal(t, outer().run(runInner+"inner tight"),
		"brig: /linux/cgroupsPath: create the cgroup /brig/tight: EROFS: read-only file system (the v2 hierarchy is mounted read-only here)\nexit 1")
	b := outer()
	b.writableCgroup()
	equal(t, b.run(runInner+leaf+"inner tight; inner wide"), innerLimits)
}

// writableCgroup lets the payload make cgroups.
func (b *box) writableCgroup() {
	for _, m := range b.config["mounts"].([]any) {
		if m := m.(map[string]any); m["destination"] == "/sys/fs/cgroup" {
			m["options"] = []any{"nosuid", "noexec", "nodev"}
		}
	}
}
