package root_test

import (
	"fmt"
	"os"
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

// A user that is not root gets it too, and nobody does whom the config does not let write,
// or whose number is somebody's on the host.
func TestCgroupOwner(t *testing.T) {
	const user = `{"process":{"user":{"uid":7,"gid":7}}}`
	for name, c := range map[string]struct {
		patches []string
		want    string
	}{
		"a user of the namespace": {[]string{delegated, user}, "cgroup 7\ncgroup/cgroup.procs 7\ncgroup/cgroup.freeze 65534"},
		"a user of the host":      {[]string{delegated, hostUser, user}, "cgroup 0\ncgroup/cgroup.procs 0\ncgroup/cgroup.freeze 0"},
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

// Who owns his cgroup cannot make groups where files of limits will be, and so keep limits
// from himself and from those beside him.
func TestCgroupOfHostileNames(t *testing.T) {
	needController(t, "hugetlb")
	const limit = `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`
	hostile := newBox(t, delegated)
	hostile.args("/bin/sh", "-c", "cd /sys/fs/cgroup; mkdir hugetlb.2MB.max hugetlb.2MB.rsvd.max memory.max pids.max cpu.max io.max io.bfq.weight; touch /tmp/tried; sleep 1000")
	must(t, os.Chmod(hostile.rootfs+"/tmp", 0o777))
	hostile.create()
	hostile.ok("start", hostile.id)
	hostile.until("it has tried", func() bool { return hostile.exists("/tmp/tried") })
	hostile.stdin = limit
	hostile.ok("update", "--resources", "-", hostile.id)
	equal(t, hostile.group("hugetlb.2MB.max"), "4194304")
	b := newBox(t)
	b.resources(limit)
	b.run("true")
	hostile.ok("delete", "--force", hostile.id)
	b.checkNothingLeft()
}

// Where not all controllers can be enabled before, it stays brig's, and brig says why.
func TestCgroupIsKept(t *testing.T) {
	needController(t, "hugetlb")
	above := newBox(t)
	above.args("/bin/sleep", "1000")
	above.patch(`{"linux":{"cgroupsPath":"/brig/` + above.id + `"}}`)
	above.create()
	b := newBox(t, delegated)
	b.patch(`{"linux":{"cgroupsPath":"/brig/` + above.id + `/below"}}`)
	r := b.try(cgroupOwners)
	equal(t, r.out, "cgroup 65534\ncgroup/cgroup.procs 65534\ncgroup/cgroup.freeze 65534\n")
	const warning = "the container does not get its cgroup: /linux/cgroupsPath: enable the controllers "
	if r.code != 0 || !strings.Contains(r.err, warning) || !strings.Contains(r.err, "EBUSY") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	above.ok("delete", "--force", above.id)
	b.checkNothingLeft()
}

// How many it makes the config may bound.
func TestCgroupDescendants(t *testing.T) {
	b := newBox(t, delegated)
	b.resources(`{"unified":{"cgroup.max.descendants":"2"}}`)
	equal(t, b.run("cd /sys/fs/cgroup; mkdir one two; mkdir three 2>&1; true"), "mkdir: can't create directory 'three': Resource temporarily unavailable")
}

// The plan says whose the cgroup will be.
func TestPlanNamesCgroupOwner(t *testing.T) {
	b := newBox(t, delegated)
	b.save()
	out := b.ok("plan", "-b", b.bundle)
	if !strings.Contains(out, "\n        /linux/uidMappings: enable all controllers for it, and give it to user 700000 and group 800000 of the host\n") {
		t.Errorf("the plan is %.600s", out)
	}
	if out := b.ok("plan", "--format", "json", "-b", b.bundle); !strings.Contains(out, "\"owner\": {\n      \"uid\": 700000,\n      \"gid\": 800000\n    }") {
		t.Errorf("the plan is %.600s", out)
	}
}

// With systemd the plan says what that is asked for, and what brig writes then.
func TestPlanNamesScope(t *testing.T) {
	b := newBox(t, delegated)
	b.resources(`{"pids":{"limit":7}}`)
	b.save()
	out := b.ok("--systemd-cgroup", "plan", "-b", b.bundle, b.id)
	for _, line := range []string{
		"scope brig-" + b.id + ".scope", "        /linux/cgroupsPath: ask systemd for TasksMax=7", "        /linux/cgroupsPath: ask systemd for Delegate=true",
		`        /linux/resources/pids/limit: write "7" to pids.max`, "        /linux/uidMappings: enable all controllers for it, and give it to user 700000 and group 800000 of the host",
	} {
		if !strings.Contains("\n"+out, "\n"+line+"\n") {
			t.Errorf("no %q in %.1500s", line, out)
		}
	}
	out = b.ok("--systemd-cgroup", "plan", "--format", "json", "-b", b.bundle, b.id)
	for _, part := range []string{`"name": "brig-` + b.id + `.scope"`, `"TasksMax=7"`, `"file": "pids.max"`} {
		if !strings.Contains(out, part) {
			t.Errorf("no %s in %.1500s", part, out)
		}
	}
}
