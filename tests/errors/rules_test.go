package errors_test

import "testing"

// TestProcess is about /process and what belongs to it.
func TestProcess(t *testing.T) {
	check(t, []row{
		{name: "version missing", patch: `{"ociVersion": null}`, want: want{pointer: "/ociVersion", op: "is missing"}},
		{name: "version 2", patch: `{"ociVersion": "2.0.0"}`, want: want{pointer: "/ociVersion", op: `"2.0.0" is not supported: only versions 1.x are`}},
		{name: "process missing", patch: `{"process": null}`, want: want{pointer: "/process", op: "the process is missing"}},
		{name: "args empty", patch: `{"process": {"args": []}}`, want: want{pointer: "/process/args", op: "there is no program to run"}},
		{name: "env without =", patch: `{"process": {"env": ["A=1", "PATH"]}}`, want: want{pointer: "/process/env/1", op: `"PATH" has no '='`}},
		{name: "env without a name", patch: `{"process": {"env": ["=1"]}}`, want: want{pointer: "/process/env/0", op: "has no name"}},
		{name: "cwd relative", patch: `{"process": {"cwd": "tmp"}}`, want: want{pointer: "/process/cwd", op: `"tmp" is not an absolute path`}},
		{name: "oom_score_adj", patch: `{"process": {"oomScoreAdj": 1001}}`, want: want{pointer: "/process/oomScoreAdj", op: "1001 is not between -1000 and 1000"}},
		{name: "umask", patch: `{"process": {"user": {"umask": 512}}}`, want: want{pointer: "/process/user/umask", op: "01000 is not a umask"}},
		{
			name: "unknown rlimit", patch: `{"process": {"rlimits": [{"type": "RLIMIT_FILES", "soft": 1, "hard": 1}]}}`,
			want: want{pointer: "/process/rlimits/0/type", op: `"RLIMIT_FILES" is not a resource limit`},
		},
		{
			name: "rlimit twice", patch: `{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]}}`,
			want: want{pointer: "/process/rlimits/1/type", op: "is there twice"},
		},
		{
			name: "soft rlimit above the hard one", patch: `{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]}}`,
			want: want{pointer: "/process/rlimits/0/soft", op: "the soft limit 2 is above the hard limit 1"},
		},
		{name: "size of a terminal", patch: `{"process": {"terminal": true, "consoleSize": {"height": 65536, "width": 1}}}`, want: want{pointer: "/process/consoleSize/height", op: "65536 is more than 65535"}},
		{name: "scheduling policy", patch: `{"process": {"scheduler": {"policy": "SCHED_ISO"}}}`, want: want{pointer: "/process/scheduler/policy", op: "no kernel implements SCHED_ISO"}},
		{
			name: "static priority of an ordinary policy", patch: `{"process": {"scheduler": {"policy": "SCHED_OTHER", "priority": 1}}}`,
			want: want{pointer: "/process/scheduler/priority", op: "only SCHED_FIFO and SCHED_RR"},
		},
		{name: "class of I/O", patch: `{"process": {"ioPriority": {"class": "RT", "priority": 0}}}`, want: want{pointer: "/process/ioPriority/class", op: `"RT" is none of`}},
		{name: "CPUs of exec", patch: `{"process": {"execCPUAffinity": {"final": "2-1"}}}`, want: want{pointer: "/process/execCPUAffinity/final", op: "ends before it begins"}},
		{name: "root missing", patch: `{"root": null}`, want: want{pointer: "/root", op: "the root file system is missing"}},
		{name: "root empty", patch: `{"root": {"path": ""}}`, want: want{pointer: "/root/path", op: "is empty"}},
		{name: "hook by a relative path", patch: `{"hooks": {"createRuntime": [{"path": "true"}]}}`, want: want{pointer: "/hooks/createRuntime/0/path", op: `"true" is not an absolute path`}},
		{name: "hook without a path", patch: `{"hooks": {"poststop": [{"args": ["x"]}]}}`, want: want{pointer: "/hooks/poststop/0/path", op: `"" is not an absolute path`}},
		{name: "hook's env", patch: `{"hooks": {"prestart": [{"path": "/bin/true", "env": ["A"]}]}}`, want: want{pointer: "/hooks/prestart/0/env/0", op: `"A" has no '='`}},
		{
			name: "hook without time", patch: `{"hooks": {"poststart": [{"path": "/bin/true"}, {"path": "/bin/true", "timeout": 0}]}}`,
			want: want{pointer: "/hooks/poststart/1/timeout", op: "0 is not greater than zero"},
		},
		{
			name: "several faults", patch: `{"process": {"cwd": "", "args": []}, "hostname": "` + long(65) + `"}`,
			want: want{pointer: "/process/args", op: "; /hostname: 65 characters are more than the 64 of the kernel"},
		},
	})
}

func long(n int) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = 'x'
	}
	return string(raw)
}

const (
	noUTS  = `[{"type": "mount"}, {"type": "pid"}]`
	userNS = `[{"type": "mount"}, {"type": "pid"}, {"type": "user"}]`
)

// TestLinux is about namespaces, ids, kernel parameters and paths.
func TestLinux(t *testing.T) {
	sysctl := func(name, value string) string { return `{"linux": {"sysctl": {"` + name + `": "` + value + `"}}}` }
	check(t, []row{
		{
			name: "unknown namespace", patch: `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}, {"type": "disk"}]}}`,
			want: want{pointer: "/linux/namespaces/1/type", op: `"disk" is not a type of namespace`},
		},
		{
			name: "namespace twice", patch: `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}, {"type": "mount"}]}}`,
			want: want{pointer: "/linux/namespaces/1/type", op: "the mount namespace is there twice"},
		},
		{
			name: "user namespace without a mount namespace", patch: `{"linux": {"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}, {"type": "uts"}]}}`,
			want: want{pointer: "/linux/namespaces", op: "with a user namespace the mount namespace has to be a new one"},
		},
		{
			name: "relative namespace path", patch: `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}, {"type": "uts", "path": "proc/1/ns/uts"}]}}`,
			want: want{pointer: "/linux/namespaces/1/path", op: "is not an absolute path"},
		},
		{name: "no linux", patch: `{"linux": null, "hostname": "h"}`, want: want{pointer: "/hostname", op: "cannot be set without a uts namespace"}},
		{
			name: "hostname of the host", patch: `{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts", "path": "/proc/1/ns/uts"}]}}`,
			want: want{pointer: "/hostname", op: "cannot be set in the uts namespace of the host"},
		},
		{name: "hostname without a namespace", patch: `{"linux": {"namespaces": ` + noUTS + `}}`, want: want{pointer: "/hostname", op: "cannot be set without a uts namespace"}},
		{name: "domainname too long", patch: `{"domainname": "` + long(65) + `"}`, want: want{pointer: "/domainname", op: "65 characters are more than the 64"}},
		{
			name: "mapping without a user namespace", patch: `{"linux": {"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}`,
			want: want{pointer: "/linux/uidMappings", op: "no user namespace"},
		},
		{
			name: "user namespace without a mapping", patch: `{"hostname": "", "linux": {"namespaces": ` + userNS + `}}`,
			want: want{pointer: "/linux/uidMappings", op: "a new user namespace needs a mapping"},
		},
		{
			name: "overlapping container ids", patch: mapped(`{"containerID": 0, "hostID": 1000, "size": 10}, {"containerID": 9, "hostID": 2000, "size": 10}`),
			want: want{pointer: "/linux/uidMappings/1/containerID", op: "overlap with those of mapping 0"},
		},
		{
			name: "overlapping host ids", patch: mapped(`{"containerID": 0, "hostID": 1000, "size": 10}, {"containerID": 10, "hostID": 1009, "size": 1}`),
			want: want{pointer: "/linux/uidMappings/1/hostID", op: "overlap with those of mapping 0"},
		},
		{name: "mapping of nothing", patch: mapped(`{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 1001, "size": 0}`), want: want{pointer: "/linux/uidMappings/1/size", op: "a mapping of no ids"}},
		{
			name: "mapping beyond the ids", patch: mapped(`{"containerID": 0, "hostID": 4294967295, "size": 1}`),
			want: want{pointer: "/linux/uidMappings/0", op: "beyond 4294967294"},
		},
		{
			name: "user not mapped", patch: `{"process": {"user": {"uid": 65536}}, "hostname": "", "linux": {"namespaces": ` + userNS +
				`, "uidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}]}}`,
			want: want{pointer: "/process/user/uid", op: "65536 is not mapped in the user namespace"},
		},
		{name: "sysctl of the host", patch: sysctl("kernel.panic", "1"), want: want{pointer: "/linux/sysctl/kernel.panic", op: "would change the host"}},
		{name: "sysctl that leads away", patch: sysctl("net/../kernel/panic", "1"), want: want{pointer: "/linux/sysctl/net~1..~1kernel~1panic", op: "not the name of a kernel parameter"}},
		{name: "sysctl without a value", patch: sysctl("net.ipv4.ip_forward", ""), want: want{pointer: "/linux/sysctl/net.ipv4.ip_forward", op: "an empty value sets nothing"}},
		{name: "sysctl of two lines", patch: sysctl("net.ipv4.ip_forward", `1\n0`), want: want{pointer: "/linux/sysctl/net.ipv4.ip_forward", op: "the value holds the byte 0x0a"}},
		{name: "relative masked path", patch: `{"linux": {"maskedPaths": ["/proc/kcore", "proc/keys"]}}`, want: want{pointer: "/linux/maskedPaths/1", op: "is not an absolute path"}},
		{name: "masked root", patch: `{"linux": {"maskedPaths": ["/proc/.."]}}`, want: want{pointer: "/linux/maskedPaths/0", op: "cannot be the root file system"}},
		{name: "read-only root by path", patch: `{"linux": {"readonlyPaths": ["/"]}}`, want: want{pointer: "/linux/readonlyPaths/0", op: "cannot be the root file system"}},
		{
			name: "clocks of the host", patch: `{"linux": {"timeOffsets": {"monotonic": {"secs": 1}}}}`,
			want: want{pointer: "/linux/timeOffsets", op: "clocks cannot be set without a time namespace"},
		},
		{
			name: "unknown clock", patch: `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}, {"type": "time"}], "timeOffsets": {"realtime": {"secs": 1}}}}`,
			want: want{pointer: "/linux/timeOffsets/realtime", op: "the clock is neither"},
		},
		{name: "flag of a personality", patch: `{"linux": {"personality": {"domain": "LINUX", "flags": ["X"]}}}`, want: want{pointer: "/linux/personality/flags/0", op: "defines no flags"}},
		{name: "nodes of a memory policy", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": ""}}}`, want: want{pointer: "/linux/memoryPolicy/nodes", op: "MPOL_BIND needs a node"}},
		{
			name: "devices without a namespace", patch: `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}], "netDevices": {"eth0": {}}}}`,
			want: want{pointer: "/linux/netDevices", op: "devices cannot be moved without a network namespace"},
		},
		{
			name: "name of a device", patch: `{"linux": {"netDevices": {"eth0": {"name": "a/b"}}}}`,
			want: want{pointer: "/linux/netDevices/eth0/name", op: "is not the name of a network device"},
		},
		{
			name: "device that is not there", patch: `{"linux": {"netDevices": {"no-device": {}}}}`,
			want: want{pointer: "/linux/netDevices/no-device", op: `find the network device "no-device"`, errno: "ENODEV"},
		},
		{name: "class of service", patch: `{"linux": {"intelRdt": {"closID": "a/b"}}}`, want: want{pointer: "/linux/intelRdt/closID", op: "it has to be a single name"}},
		{name: "resctrl", patch: `{"linux": {"intelRdt": {"closID": "a"}}}`, want: want{pointer: "/linux/intelRdt", op: "resctrl is not mounted", errno: "ENOENT", hint: "mount -t resctrl"}},
		{name: "propagation", patch: `{"linux": {"rootfsPropagation": "public"}}`, want: want{pointer: "/linux/rootfsPropagation", op: `"public" is none of`}},
	})
}

// mapped has a user namespace with a map of user ids.
func mapped(uids string) string {
	return `{"hostname": "", "linux": {"namespaces": ` + userNS + `, "uidMappings": [` + uids + `], "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}`
}

// TestDevices is about /linux/devices.
func TestDevices(t *testing.T) {
	device := func(text string) string { return `{"linux": {"devices": [` + text + `]}}` }
	check(t, []row{
		{name: "type", patch: device(`{"type": "x", "path": "/dev/fuse", "major": 10, "minor": 229}`), want: want{pointer: "/linux/devices/0/type", op: `"x" is not a type of device`}},
		{name: "relative path", patch: device(`{"type": "c", "path": "dev/fuse", "major": 10, "minor": 229}`), want: want{pointer: "/linux/devices/0/path", op: "is not an absolute path"}},
		{name: "path that leads away", patch: device(`{"type": "c", "path": "/dev/../bin/x", "major": 10, "minor": 229}`), want: want{pointer: "/linux/devices/0/path", op: "is not the plain path of a file"}},
		{name: "twice", patch: device(`{"type": "p", "path": "/dev/p"}, {"type": "p", "path": "/dev/p"}`), want: want{pointer: "/linux/devices/1/path", op: `"/dev/p" is already device 0`}},
		{name: "major", patch: device(`{"type": "c", "path": "/dev/x", "major": 4096, "minor": 1}`), want: want{pointer: "/linux/devices/0/major", op: "4096 is not between 0 and 4095"}},
		{name: "minor", patch: device(`{"type": "c", "path": "/dev/x", "major": 1, "minor": -1}`), want: want{pointer: "/linux/devices/0/minor", op: "-1 is not between 0 and 1048575"}},
		{name: "mode", patch: device(`{"type": "c", "path": "/dev/x", "major": 1, "minor": 3, "fileMode": 65536}`), want: want{pointer: "/linux/devices/0/fileMode", op: "is not the mode of a device"}},
		{name: "owner", patch: device(`{"type": "c", "path": "/dev/x", "major": 1, "minor": 3, "uid": 4294967295}`), want: want{pointer: "/linux/devices/0/uid", op: "4294967295 is not an id"}},
	})
}

// TestMountRules is about /mounts as it is written.
func TestMountRules(t *testing.T) {
	mount := func(text string) string { return `{"mounts": [` + text + `]}` }
	check(t, []row{
		{name: "no destination", patch: mount(`{"type": "tmpfs", "source": "tmpfs"}`), want: want{pointer: "/mounts/0/destination", op: "the destination is empty"}},
		{name: "no type", patch: mount(`{"destination": "/tmp", "source": "tmpfs"}`), want: want{pointer: "/mounts/0/type", op: `the type of the file system for "/tmp" is missing`}},
		{name: "bind without a source", patch: mount(`{"destination": "/tmp", "options": ["bind"]}`), want: want{pointer: "/mounts/0/source", op: "without a source"}},
		{
			name: "twice", patch: mount(`{"destination": "/tmp", "type": "tmpfs"}, {"destination": "/home", "type": "tmpfs"}, {"destination": "/tmp/../tmp", "type": "tmpfs"}`),
			want: want{pointer: "/mounts/2/destination", op: `mount 0 is on "/tmp" already`},
		},
		{name: "on the root", patch: mount(`{"destination": "/", "type": "tmpfs"}`), want: want{pointer: "/mounts/0/destination", op: `only the first mount can be on "/"`}},
		{name: "tmpfs on /proc", patch: mount(`{"destination": "/proc", "type": "tmpfs"}`), want: want{pointer: "/mounts/0", op: "only a file system of type proc"}},
		{name: "bind on /proc", patch: mount(`{"destination": "/proc", "source": "/tmp", "options": ["rbind"]}`), want: want{pointer: "/mounts/0", op: "only a file system of type proc"}},
		{name: "below /proc", patch: mount(`{"destination": "/proc/self/attr", "type": "tmpfs"}`), want: want{pointer: "/mounts/0/destination", op: `nothing can be mounted on "/proc/self/attr"`}},
		{name: "option without a name", patch: mount(`{"destination": "/tmp", "type": "tmpfs", "options": ["ro", "=1"]}`), want: want{pointer: "/mounts/0/options/1", op: "has no name"}},
		{name: "options in one word", patch: mount(`{"destination": "/tmp", "type": "tmpfs", "options": ["ro,nosuid"]}`), want: want{pointer: "/mounts/0/options/0", op: "are several mount options"}},
		{name: "option of a file system on a bind mount", patch: mount(`{"destination": "/tmp", "source": "/tmp", "options": ["bind", "nr_inodes=1"]}`), want: want{pointer: "/mounts/0/options/1", op: "which a bind mount cannot change"}},
		{name: "remount", patch: mount(`{"destination": "/tmp", "source": "/tmp", "options": ["bind", "remount"]}`), want: want{pointer: "/mounts/0/options/1", op: "nothing is mounted there before"}},
		{name: "half a mapping", patch: mount(`{"destination": "/tmp", "source": "/tmp", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}`), want: want{pointer: "/mounts/0/gidMappings", op: "these are missing"}},
	})
}
