package root_test

import (
	"fmt"
	"strings"
	"testing"
)

// delegated is a config that gives the container its cgroup: it has a cgroup namespace,
// and may write to it.
const delegated = `{"mounts":[
	{"destination":"/proc","type":"proc","source":"proc","options":["nosuid","noexec","nodev"]},
	{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","strictatime","mode=755","size=65536k"]},
	{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
	{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","noexec","nodev"]}],
	"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"},{"type":"user"}],
	"uidMappings":[{"containerID":0,"hostID":700000,"size":65536}],
	"gidMappings":[{"containerID":0,"hostID":800000,"size":65536}]}}`

const cgroupOwners = "stat -c '%n %u' /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/cgroup.freeze | cut -d/ -f4-\n"

// The root of a user namespace makes groups in its own, and moves there; what the host
// decides about its cgroup it cannot change. What it made goes with it.
func TestCgroupDelegated(t *testing.T) {
	b := newBox(t, delegated)
	b.args("/bin/sh", "-c", "cd /sys/fs/cgroup; mkdir -p inner/most && echo 1 >inner/most/cgroup.procs; sleep 1000")
	b.create()
	b.ok("start", b.id)
	equal(t, b.exec("for i in $(seq 600); do grep -q inner /proc/1/cgroup && break; sleep 0.1; done; grep ^0: /proc/1/cgroup"), "0::/inner/most")
	equal(t, b.exec(cgroupOwners), "cgroup 0\ncgroup/cgroup.procs 0\ncgroup/cgroup.freeze 65534")
	equal(t, b.exec("exec 2>/dev/null; for name in freeze kill; do (echo 1 >/sys/fs/cgroup/cgroup.$name) || echo $name; done"), "freeze\nkill")
	b.ok("delete", "--force", b.id)
	b.checkNothingLeft()
}

// A user that is not root gets it too, and nobody does whom the config does not let write
// or who would see the groups of others.
func TestCgroupOwner(t *testing.T) {
	const user = `{"process":{"user":{"uid":7,"gid":7}}}`
	for name, c := range map[string]struct {
		patches []string
		want    string
	}{
		"a user of the namespace": {[]string{delegated, user}, "cgroup 7\ncgroup/cgroup.procs 7\ncgroup/cgroup.freeze 65534"},
		"a user of the host":      {[]string{delegated, hostUser, user}, "cgroup 7\ncgroup/cgroup.procs 7\ncgroup/cgroup.freeze 0"},
		"read-only":               {[]string{withUserNamespace}, "cgroup 65534\ncgroup/cgroup.procs 65534\ncgroup/cgroup.freeze 65534"},
		"a readonlyPath":          {[]string{delegated, `{"linux":{"readonlyPaths":["/sys/fs/cgroup"]}}`}, "cgroup 65534\ncgroup/cgroup.procs 65534\ncgroup/cgroup.freeze 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, c.patches...)
			equal(t, b.run(cgroupOwners), c.want)
			b.checkNothingLeft()
		})
	}
}

const hostUser = `{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"}],"uidMappings":null,"gidMappings":null}}`

// So does a container that joins a user namespace, of whose mapping its config tells.
func TestCgroupOwnerInJoinedNamespace(t *testing.T) {
	first := newBox(t, withUserNamespace)
	first.args("/bin/sleep", "1000")
	first.create()
	b := newBox(t, delegated)
	namespaces := b.config["linux"].(map[string]any)["namespaces"].([]any)
	namespaces[len(namespaces)-1].(map[string]any)["path"] = fmt.Sprintf("/proc/%d/ns/user", first.initOf())
	equal(t, b.run(cgroupOwners+"mkdir /sys/fs/cgroup/inner && echo makes"), "cgroup 0\ncgroup/cgroup.procs 0\ncgroup/cgroup.freeze 65534\nmakes")
	first.ok("delete", "--force", first.id)
	b.checkNothingLeft()
}

// The plan says whose the cgroup will be.
func TestPlanNamesCgroupOwner(t *testing.T) {
	b := newBox(t, delegated)
	b.save()
	out := b.ok("plan", "-b", b.bundle)
	if !strings.Contains(out, "\n        /process/user: give it to user 700000 and group 800000 of the host\n") {
		t.Errorf("the plan is %.600s", out)
	}
	if out := b.ok("plan", "--format", "json", "-b", b.bundle); !strings.Contains(out, "\"owner\": {\n      \"uid\": 700000,\n      \"gid\": 800000\n    }") {
		t.Errorf("the plan is %.600s", out)
	}
}
