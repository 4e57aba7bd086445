package root_test

import (
	"strings"
	"testing"
)

// The host of these tests may have no controllers: what every group has are the
// bounds of its descendants.
func TestUpdate(t *testing.T) {
	b := sleeping(t, `{"linux":{"resources":{"unified":{"cgroup.max.depth":"3","cgroup.max.descendants":"4"}}}}`)
	limits := func() string {
		return strings.ReplaceAll(b.exec("cat /sys/fs/cgroup/cgroup.max.depth /sys/fs/cgroup/cgroup.max.descendants"), "\n", " ")
	}
	equal(t, limits(), "3 4")
	write(t, b.dir+"/r.json", `{"unified":{"cgroup.max.depth":"7"}}`)
	b.ok("update", "--resources", b.dir+"/r.json", b.id)
	equal(t, limits(), "7 4")
	b.stdin = `{"unified":{"cgroup.max.descendants":"9"},"devices":[{"allow":true,"access":"rwm"}]}`
	b.ok("update", "--resources=-", b.id) // as go-runc calls it
	b.ok("update", "-r", "-", b.id)
	b.stdin = ""
	equal(t, limits(), "7 9")
	// If one cannot be written, those before it are as they were.
	write(t, b.dir+"/bad.json", `{"unified":{"cgroup.max.depth":"5","cgroup.max.descendants":"many"}}`)
	b.refused(`/unified/cgroup.max.descendants: write "many" to cgroup.max.descendants: EINVAL`, "update", "-r", b.dir+"/bad.json", b.id)
	equal(t, limits(), "7 9")
	b.ok("update", b.id)
	equal(t, limits(), "7 9")
}

// Rules of devices in an update change nothing: neither does a rule open what the policy
// refuses, nor does one close what it allows.
func TestUpdateDevices(t *testing.T) {
	b := newBox(t)
	device(fuse, "")(b)
	b.background("sleep 1000")
	const script = "(true </dev/fuse) 2>/dev/null && echo opened || echo refused; echo x >/dev/null && echo written"
	equal(t, b.exec(script), "refused\nwritten")
	for _, rule := range []string{
		`{"allow":true,"access":"rwm"}`,
		`{"allow":true,"type":"c","major":10,"minor":229,"access":"rwm"}`,
		`{"allow":false,"access":"rwm"}`,
	} {
		b.stdin = `{"devices":[` + rule + `],"unified":{"cgroup.max.depth":"7"}}`
		b.ok("update", "--resources", "-", b.id)
		b.stdin = ""
		equal(t, b.exec(script), "refused\nwritten")
		equal(t, b.exec("cat /sys/fs/cgroup/cgroup.max.depth"), "7")
	}
}

func TestUpdateRefuses(t *testing.T) {
	b := sleeping(t)
	write(t, b.dir+"/empty.json", "")
	write(t, b.dir+"/type.json", `{"memory":{"limit":"1g"}}`)
	write(t, b.dir+"/unknown.json", `{"memroy":{}}`)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"brig update takes one argument", nil},
		{"container does not exist", []string{"nobody"}},
		{`--memory: invalid value "lots"`, []string{"--memory", "lots", b.id}},
		{`--cpu-period: invalid value "-1"`, []string{"--cpu-period", "-1", b.id}},
		{`--cpu-quota: invalid value "x"`, []string{"--cpu-quota", "x", b.id}},
		{`--pids-limit: invalid value "1k"`, []string{"--pids-limit", "1k", b.id}},
		{`--blkio-weight: invalid value "1001"`, []string{"--blkio-weight", "1001", b.id}},
		{"/cpu/realtimeRuntime: cgroup v2 has no realtime scheduling", []string{"--cpu-rt-runtime", "5", b.id}},
		{"/memory/swap: a limit of memory and swap together needs a memory limit too", []string{"--memory-swap", "1g", b.id}},
		{"/cpu/idle: 2 is neither 0 nor 1", []string{"--cpu-idle", "2", b.id}},
		{"open the config " + b.dir + "/none.json: ENOENT", []string{"-r", b.dir + "/none.json", b.id}},
		{"the config is empty", []string{"-r", b.dir + "/empty.json", b.id}},
		{"/memory/limit", []string{"-r", b.dir + "/type.json", b.id}},
		{"the config is empty", []string{"-r", "-", b.id}},
	} {
		b.refused(c.want, append([]string{"update"}, c.args...)...)
	}
	if r := b.brig("update", "-r", b.dir+"/unknown.json", b.id); r.code != 0 || !strings.Contains(r.err, "memroy") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	if r := b.brig("update", "--kernel-memory", "1g", b.id); r.code != 0 || !strings.Contains(r.err, "--kernel-memory: cgroup v2 has no such limit") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	other := newBox(t)
	other.refused("container not running", "update", other.stopped())
}

// A schema needs a class of service.
func TestUpdateSchema(t *testing.T) {
	b := sleeping(t)
	b.refused("has no class of service, whose schema could be changed", "update", "--l3-cache-schema", "L3:0=f", b.id)
	b.refused("has no class of service, whose schema could be changed", "update", "--mem-bw-schema", "MB:0=50", b.id)
}
