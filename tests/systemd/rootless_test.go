package systemd_test

import (
	"os"
	"os/user"
	"strings"
	"testing"
)

// rootless is a config of an ordinary user, with the ids of /etc/subuid.
func rootless(t *testing.T, patches ...string) *box {
	t.Helper()
	b := newBox(t)
	b.as(who)
	b.patch(`{"linux":{"namespaces":[{"type":"user"},{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}],
		"uidMappings":[{"containerID":0,"hostID":` + b.user.Uid + `,"size":1},{"containerID":1,"hostID":200000,"size":65535}],
		"gidMappings":[{"containerID":0,"hostID":` + b.user.Gid + `,"size":1},{"containerID":1,"hostID":200000,"size":65535}]}}`)
	for _, p := range patches {
		b.patch(p)
	}
	return b
}

// The systemd of a user makes scopes too, with limits.
func TestRootlessScope(t *testing.T) {
	b := rootless(t, `{"linux":{"resources":{"memory":{"limit":67108864},"pids":{"limit":20},"cpu":{"shares":2048,"quota":20000,"period":100000,"cpus":"0"}}}}`)
	unit := "brig-" + b.id + ".scope"
	b.start()
	group := b.show(unit, "ControlGroup")
	if !strings.HasPrefix(group, "/user.slice/user-"+b.user.Uid+".slice/user@"+b.user.Uid+".service/") || !strings.HasSuffix(group, "/user.slice/"+unit) {
		t.Errorf("the cgroup is %s", group)
	}
	equal(t, b.file(unit, "memory.max")+" "+b.file(unit, "pids.max"), "67108864 20")
	equal(t, b.file(unit, "cpu.max")+" "+b.file(unit, "cpuset.cpus.effective"), "20000 100000 0")
	equal(t, b.show(unit, "TasksMax")+" "+b.show(unit, "CPUQuotaPerSecUSec")+" "+b.show(unit, "AllowedCPUs"), "20 200ms 0")
	b.ok("delete", "--force", b.id)
	b.left()
}

// A user enters his container from where his systemd may move nobody from, such as a
// session: it asks that of the host's.
func TestRootlessExec(t *testing.T) {
	b := rootless(t, `{"linux":{"resources":{"pids":{"limit":20}}}}`)
	unit := "brig-" + b.id + ".scope"
	b.start()
	equal(t, strings.TrimSpace(b.ok("exec", b.id, "cat", "/proc/self/cgroup")), "0::"+b.show(unit, "ControlGroup"))
	cmd := b.command("exec", b.id, "true")
	cmd.Env = append(cmd.Env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+b.dir+"/none")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "connect to D-Bus at "+b.dir+"/none: ENOENT") {
		t.Errorf("%v: %s", err, out)
	}
	equal(t, b.file(unit, "pids.current"), "1")
	b.ok("delete", "--force", b.id)
	b.left()
}

// The limits bite: the payload runs on its processor and on no other, and for its part of
// the time, and a fork too many is refused, which ends its shell.
func TestRootlessLimitsBite(t *testing.T) {
	b := rootless(t, `{"linux":{"resources":{"pids":{"limit":6},"cpu":{"quota":20000,"period":100000,"cpus":"0"}}}}`)
	out, stderr := b.asks("grep Cpus_allowed_list /proc/self/status; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; " +
		"grep -q 'nr_throttled [1-9]' /sys/fs/cgroup/cpu.stat && echo throttled; for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo forks")
	equal(t, out, "Cpus_allowed_list:\t0\nthrottled")
	if !strings.Contains(stderr, "can't fork: Resource temporarily unavailable") {
		t.Errorf("the payload forks: %s", stderr)
	}
	b.left()
}

// asks lets the payload see its cgroup, as the root of the hierarchy, and run a script.
func (b *box) asks(script string) (out, stderr string) {
	b.t.Helper()
	linux, process := b.config["linux"].(map[string]any), b.config["process"].(map[string]any)
	linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": "cgroup"})
	b.config["mounts"] = append(b.config["mounts"].([]any), map[string]any{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"})
	process["args"] = []any{"sh", "-c", script}
	out, stderr, _ = b.brig("run", "-b", b.dir, b.id)
	return out, stderr
}

// The cgroup is the user's: a container may make groups below its own, move there, and
// limit those, but not itself.
func TestRootlessDelegates(t *testing.T) {
	b := rootless(t, `{"linux":{"resources":{"pids":{"limit":20}}}}`)
	out, stderr := b.asks("cd /sys/fs/cgroup && mkdir inner && echo 0 >inner/cgroup.procs && cat /proc/self/cgroup && " +
		"echo +pids >cgroup.subtree_control && cat inner/pids.max; echo max >pids.max")
	equal(t, out, "0::/inner\nmax")
	if !strings.Contains(stderr, "Operation not permitted") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("its own limit it may not lift: %s", stderr)
	}
	b.left()
}

// More ids than one's own come from newuidmap.
func TestRootlessIDs(t *testing.T) {
	b := rootless(t, `{"process":{"user":{"uid":1000,"gid":1000,"additionalGids":[5]}}}`)
	b.global = nil
	equal(t, b.run("id -u; id -G"), "1000\n1000 5")
	b.patch(`{"process":{"user":{"uid":0,"gid":0,"additionalGids":null}}}`)
	equal(t, b.run("cat /proc/self/uid_map | tr -s ' '"), " 0 "+b.user.Uid+" 1\n 1 200000 65535")
}

// One id needs nobody's help, and no groups can be dropped then.
func TestRootlessOneID(t *testing.T) {
	b := rootless(t)
	b.global = nil
	b.patch(`{"linux":{"uidMappings":[{"containerID":0,"hostID":` + b.user.Uid + `,"size":1}],"gidMappings":[{"containerID":0,"hostID":` + b.user.Gid + `,"size":1}]}}`)
	equal(t, b.run("id -u; cat /proc/self/setgroups"), "0\ndeny")
	b.patch(`{"process":{"user":{"uid":0,"gid":0,"additionalGids":[5]}}}`)
	if _, stderr, code := b.brig("run", "-b", b.dir, b.id); code == 0 || !strings.Contains(stderr, "/process/user/additionalGids") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// Without systemd a user who asks for no limit gets no cgroup, and one who does a
// clear error: the group is not his.
func TestRootlessWithoutSystemd(t *testing.T) {
	b := rootless(t)
	b.global = nil
	own, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	equal(t, b.run("cat /proc/self/cgroup"), strings.TrimSpace(string(own)))
	b.patch(`{"linux":{"resources":{"pids":{"limit":20}}}}`)
	if _, stderr, code := b.brig("run", "-b", b.dir, b.id); code == 0 || !strings.Contains(stderr, "/linux/cgroupsPath") || !strings.Contains(stderr, "EACCES") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// A user without a systemd of his own is told so.
func TestRootlessWithoutManager(t *testing.T) {
	b := rootless(t)
	b.as("nobody")
	b.patch(`{"linux":{"uidMappings":[{"containerID":0,"hostID":` + b.user.Uid + `,"size":1}],"gidMappings":[{"containerID":0,"hostID":` + b.user.Gid + `,"size":1}]}}`)
	_, stderr, code := b.brig("run", "-b", b.dir, b.id)
	if code == 0 || !strings.Contains(stderr, "connect to D-Bus at /run/user/"+b.user.Uid+"/bus") || !strings.Contains(stderr, "enable-linger") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	root, err := user.Lookup("root")
	must(t, err)
	b.user = root
}

// The state of a user is in his runtime directory.
func TestRootlessDefaultRoot(t *testing.T) {
	b := rootless(t)
	b.global, b.state = nil, ""
	b.start()
	dir := "/run/user/" + b.user.Uid + "/brig"
	for _, name := range []string{dir, dir + "/" + b.id} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != 0o700 || (info.Mode()&os.ModeSticky != 0) != (name == dir) {
			t.Errorf("the mode of %s is %v", name, info.Mode())
		}
	}
	b.ok("delete", "--force", b.id)
}
