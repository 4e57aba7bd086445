package errors_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNamespaces is about namespaces to join.
func TestNamespaces(t *testing.T) {
	join := func(kind, path string) string {
		return `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}, {"type": "` + kind + `", "path": "` + path + `"}]}}`
	}
	const pointer = "/linux/namespaces/1/path"
	check(t, []row{
		{name: "missing", patch: join("ipc", "/proc/1/ns/none"), want: want{pointer: pointer, op: `open the ipc namespace: openat "/proc/1/ns/none"`, errno: "ENOENT"}},
		{name: "of a process that is gone", patch: join("network", "/proc/4194304/ns/net"), want: want{pointer: pointer, op: "open the network namespace", errno: "ENOENT"}},
		{name: "of another type", patch: join("ipc", "/proc/1/ns/uts"), want: want{pointer: pointer, op: "join the ipc namespace: setns", errno: "EINVAL"}},
		{name: "a file", patch: join("ipc", "/proc/1/status"), want: want{pointer: pointer, op: "join the ipc namespace: setns", errno: "EINVAL"}},
		{name: "a directory", patch: join("network", "/"), want: want{pointer: pointer, op: "join the network namespace: setns", errno: "EINVAL"}},
		{name: "a device", patch: join("pid", "/dev/null"), want: want{pointer: pointer, op: "join the pid namespace: setns", errno: "EINVAL"}},
	})
}

// TestSysctl is about kernel parameters that the kernel refuses.
func TestSysctl(t *testing.T) {
	sysctl := func(name, value string) string { return `{"linux": {"sysctl": {"` + name + `": "` + value + `"}}}` }
	check(t, []row{
		{
			name: "not there", patch: sysctl("net.ipv4.none", "1"),
			want: want{pointer: "/linux/sysctl/net.ipv4.none", op: `set net.ipv4.none: openat2 "sys/net/ipv4/none"`, errno: "ENOENT"},
		},
		{
			name: "a directory", patch: sysctl("net.ipv4", "1"),
			want: want{pointer: "/linux/sysctl/net.ipv4", op: `openat2 "sys/net/ipv4"`, errno: "EISDIR"},
		},
		{
			name: "value refused", patch: sysctl("net.ipv4.ip_forward", "many"),
			want: want{pointer: "/linux/sysctl/net.ipv4.ip_forward", op: `set net.ipv4.ip_forward: write`, errno: "EINVAL"},
		},
		{
			name: "the second of two", patch: `{"linux": {"sysctl": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "-1"}}}`,
			want: want{pointer: "/linux/sysctl/kernel.msgmax", op: `set kernel.msgmax: write`, errno: "EINVAL"},
		},
	})
}

// group makes a cgroup before the container, and removes it after the row.
func group(t *testing.T, name string) string {
	t.Helper()
	base, err := unified()
	if err != nil {
		t.Fatal(err)
	}
	dir := base + "/" + name
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroups(dir) })
	return dir
}

func put(t *testing.T, file, value string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// occupied is a cgroup with a process in it, which is none of brig's.
func occupied(t *testing.T, _ *world) {
	t.Helper()
	dir := group(t, "theirs")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+roleWait)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process in the occupied cgroup: %v", err)
		}
	})
	put(t, dir+"/cgroup.procs", itoa(cmd.Process.Pid))
}

// TestCgroups is about the container's cgroup and its limits.
func TestCgroups(t *testing.T) {
	in := func(path string) string { return `{"linux": {"cgroupsPath": "` + path + `"}}` }
	const pointer = "/linux/cgroupsPath"
	check(t, []row{
		{name: "path that leads away", patch: in("/a/../../b"), want: want{pointer: pointer, op: "is no path of a cgroup"}},
		{name: "component too long", patch: in("/" + long(256)), want: want{pointer: pointer, op: "is no path of a cgroup"}},
		{name: "the root", patch: in("/./"), want: want{pointer: pointer, op: "the root of the hierarchy cannot be"}},
		{name: "occupied", patch: in("/theirs"), prepare: occupied, want: want{pointer: pointer, op: "container's cgroup is not empty: 1 process(es) found", errno: "EBUSY"}},
		{name: "frozen", patch: in("/frozen"), prepare: func(t *testing.T, _ *world) {
			put(t, group(t, "frozen")+"/cgroup.freeze", "1")
		}, want: want{pointer: pointer, op: "container's cgroup unexpectedly frozen", errno: "EBUSY"}},
		{name: "no more cgroups allowed", patch: in("/full/x"), prepare: func(t *testing.T, _ *world) {
			put(t, group(t, "full")+"/cgroup.max.descendants", "0")
		}, want: want{pointer: pointer, op: "create the cgroup /full/x", errno: "EAGAIN"}},
		{name: "no deeper cgroups allowed", patch: in("/deep/x/y"), prepare: func(t *testing.T, _ *world) {
			put(t, group(t, "deep")+"/cgroup.max.depth", "1")
		}, want: want{pointer: pointer, op: "create the cgroup /deep/x/y", errno: "EAGAIN"}},
		{
			name: "swap below memory", patch: `{"linux": {"resources": {"memory": {"limit": 2097152, "swap": 1048576}}}}`,
			want: want{pointer: "/linux/resources/memory/swap"},
		},
		{name: "cpus", patch: `{"linux": {"resources": {"cpu": {"cpus": "0-"}}}}`, want: want{pointer: "/linux/resources/cpu/cpus"}},
		{name: "a file that leads away", patch: `{"linux": {"resources": {"unified": {"../x": "1"}}}}`, want: want{pointer: "/linux/resources/unified/..~1x"}},
		{
			name: "type of a device rule", patch: `{"linux": {"resources": {"devices": [{"allow": true, "type": "x", "access": "r"}]}}}`,
			want: want{pointer: "/linux/resources/devices/0/type"},
		},
		{
			name: "access of a device rule", patch: `{"linux": {"resources": {"devices": [{"allow": true, "type": "c", "access": "x"}]}}}`,
			want: want{pointer: "/linux/resources/devices/0/access"},
		},
	})
}

// TestMissingController: on a hybrid host the controllers are those of cgroup v1,
// and brig says so instead of leaving out a limit.
func TestMissingController(t *testing.T) {
	needRoot(t)
	base, err := unified()
	if err != nil {
		t.Fatal(err)
	}
	has, err := os.ReadFile(base + "/cgroup.controllers")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(has), "memory") || strings.Contains(string(has), "pids") {
		t.Skip("this host's cgroup v2 has the controllers memory and pids")
	}
	check(t, []row{
		{
			name: "memory", patch: `{"linux": {"resources": {"memory": {"limit": 67108864}}}}`,
			want: want{pointer: "/linux/resources/memory/limit", op: "has no memory controller", errno: "ENOENT", hint: "cgroup v1"},
		},
		{
			name: "pids", patch: `{"linux": {"resources": {"pids": {"limit": 10}}}}`,
			want: want{pointer: "/linux/resources/pids/limit", op: "has no pids controller", errno: "ENOENT", hint: "cgroup v1"},
		},
		{
			name: "pids, through a path of several new cgroups", patch: `{"linux": {"cgroupsPath": "/a/b/c", "resources": {"pids": {"limit": 10}}}}`,
			want: want{pointer: "/linux/resources/pids/limit", op: "has no pids controller", errno: "ENOENT"},
		},
	})
}

// TestSeccomp is about profiles.
func TestSeccomp(t *testing.T) {
	profile := func(text string) string {
		return `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", ` + text + `}}}`
	}
	rule := func(text string) string { return profile(`"syscalls": [` + text + `]`) }
	const at = "/linux/seccomp"
	const notify = `{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}`
	check(t, []row{
		{name: "default action", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ASK"}}}`, want: want{pointer: at + "/defaultAction", op: `"SCMP_ACT_ASK"`}},
		{name: "no default action", patch: `{"linux": {"seccomp": {}}}`, want: want{pointer: at + "/defaultAction"}},
		{name: "action", patch: rule(`{"names": ["mount"], "action": "SCMP_ACT_ASK"}`), want: want{pointer: at + "/syscalls/0/action", op: `"SCMP_ACT_ASK"`}},
		{name: "architecture", patch: profile(`"architectures": ["SCMP_ARCH_VAX"]`), want: want{pointer: at + "/architectures/0", op: `"SCMP_ARCH_VAX"`}},
		{name: "flag", patch: profile(`"flags": ["SECCOMP_FILTER_FLAG_NONE"]`), want: want{pointer: at + "/flags/0", op: `"SECCOMP_FILTER_FLAG_NONE"`}},
		{name: "no names", patch: rule(`{"names": [], "action": "SCMP_ACT_KILL"}`), want: want{pointer: at + "/syscalls/0/names"}},
		{name: "argument 6", patch: rule(`{"names": ["mount"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}`), want: want{pointer: at + "/syscalls/0/args/0/index"}},
		{name: "operator", patch: rule(`{"names": ["mount"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_IS"}]}`), want: want{pointer: at + "/syscalls/0/args/0/op"}},
		{name: "errno", patch: rule(`{"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000}`), want: want{pointer: at + "/syscalls/0/errnoRet", op: "5000"}},
		{name: "default notify", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x"}}}`, want: want{pointer: at + "/defaultAction", op: "SCMP_ACT_NOTIFY cannot be used as default action"}},
		{name: "no listener path", patch: rule(notify), want: want{pointer: at + "/syscalls/0/action", op: "SCMP_ACT_NOTIFY without a listenerPath"}},
		{name: "metadata alone", patch: profile(`"listenerMetadata": "x"`), want: want{pointer: at + "/listenerMetadata"}},
		{name: "relative listener", patch: profile(`"listenerPath": "run/x", "syscalls": [` + notify + `]`), want: want{pointer: at + "/listenerPath", op: `"run/x"`}},
		{name: "notify of write", patch: profile(`"listenerPath": "/x", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]`), want: want{pointer: at + "/syscalls/0/action", op: "SCMP_ACT_NOTIFY cannot be used for the write syscall"}},
		{name: "too large", patch: rule(manyRules(5000)), want: want{pointer: at, op: "more than the kernel's 4096"}},
	})
}

// manyRules compare many arguments, each with three instructions or more.
func manyRules(n int) string {
	rules := make([]string, n)
	for i := range rules {
		rules[i] = `{"names": ["prctl"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": ` + itoa(i) + `, "op": "SCMP_CMP_EQ"}]}`
	}
	return strings.Join(rules, ",")
}

// tmpfs mounts a file system over a directory, and removes it after the row.
func tmpfs(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	mkdir(t, dir)
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// TestHooks is about hooks that the host cannot execute, or that say no.
func TestHooks(t *testing.T) {
	check(t, []row{
		{
			name: "missing", patch: `{"hooks": {"createRuntime": [{"path": "/no/hook"}]}}`,
			want: want{pointer: "/hooks/createRuntime/0", op: "error running createRuntime hook #0: execute /no/hook", errno: "ENOENT"},
		},
		{
			name: "not executable", patch: `{"hooks": {"prestart": [{"path": "/bin/true"}, {"path": "/etc/passwd"}]}}`,
			want: want{pointer: "/hooks/prestart/1", op: "error running prestart hook #1: execute /etc/passwd", errno: "EACCES"},
		},
		{
			name: "fails", patch: `{"hooks": {"createRuntime": [{"path": "/bin/false"}]}}`,
			want: want{pointer: "/hooks/createRuntime/0", op: "error running createRuntime hook #0: exit status 1, stdout: , stderr: "},
		},
		{
			name: "after the start", patch: `{"hooks": {"poststart": [{"path": "/bin/false"}]}}`, verb: "run",
			want: want{pointer: "/hooks/poststart/0", op: "error running poststart hook #0: exit status 1, stdout: , stderr: "},
		},
	})
}
