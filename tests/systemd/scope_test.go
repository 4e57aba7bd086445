package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A container without a cgroupsPath is a scope of system services.
func TestScope(t *testing.T) {
	b := newBox(t)
	equal(t, b.run("cat /proc/self/cgroup"), "0::/system.slice/brig-"+b.id+".scope")
	b.left()
}

// A cgroupsPath names the slice and the scope, and a slice that is not there is made.
func TestScopeByPath(t *testing.T) {
	b := newBox(t)
	b.patch(`{"linux":{"cgroupsPath":"brigtest-inner.slice:pre:` + b.id + `"}}`)
	equal(t, b.run("cat /proc/self/cgroup"), "0::/brigtest.slice/brigtest-inner.slice/pre-"+b.id+".scope")
}

const limits = `{"linux":{"resources":{
	"memory":{"limit":67108864,"reservation":33554432,"swap":67108864},
	"cpu":{"shares":2048,"quota":50000,"period":100000,"cpus":"0","mems":"0"},
	"pids":{"limit":20},
	"unified":{"memory.high":"60002304"},
	"devices":[{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}}}`

// files are those that the limits above are written to.
var files = []string{"memory.max", "memory.low", "memory.swap.max", "memory.high", "cpu.weight", "cpu.max", "cpuset.cpus", "cpuset.mems", "pids.max"}

func (b *box) limits(unit string) string {
	b.t.Helper()
	var list []string
	for _, f := range files {
		list = append(list, b.file(unit, f))
	}
	return strings.Join(list, ",")
}

// systemd knows the limits, and keeps them when it is reloaded; what it does not
// know, such as the device policy of brig, stays in force too.
func TestScopeLimits(t *testing.T) {
	b := newBox(t, limits)
	unit := "brig-" + b.id + ".scope"
	b.start()
	before := b.limits(unit)
	if !strings.HasPrefix(before, "67108864,33554432,0,60002304,") || !strings.HasSuffix(before, ",50000 100000,0,0,20") {
		t.Errorf("%s", before)
	}
	for property, want := range map[string]string{
		"MemoryMax": "67108864", "MemoryLow": "33554432", "MemorySwapMax": "0", "MemoryHigh": "60002304", "TasksMax": "20", "AllowedCPUs": "0",
		"CPUQuotaPerSecUSec": "500ms", "Delegate": "yes", "Slice": "system.slice", "DevicePolicy": "strict",
	} {
		if got := b.show(unit, property); got != want {
			t.Errorf("%s is %s, want %s", property, got, want)
		}
	}
	if allowed := b.show(unit, "DeviceAllow"); !strings.Contains(allowed, "/dev/char/10:229 rw") || !strings.Contains(allowed, "/dev/char/1:3 rwm") {
		t.Errorf("DeviceAllow is %s", allowed)
	}
	// The disk is in nobody's list.
	const disk = "mknod /tmp/disk b 254 0; dd if=/tmp/disk of=/dev/null count=1 2>&1 | grep -o 'not permitted'"
	equal(t, b.ok("exec", b.id, "sh", "-c", disk), "not permitted")
	b.systemctl("daemon-reload")
	equal(t, b.limits(unit), before)
	equal(t, b.ok("exec", b.id, "sh", "-c", "dd if=/tmp/disk of=/dev/null count=1 2>&1 | grep -o 'not permitted'"), "not permitted")
	b.ok("update", "--memory", "128m", "--memory-swap", "128m", "--pids-limit", "30", b.id)
	equal(t, b.show(unit, "MemoryMax")+" "+b.show(unit, "TasksMax"), "134217728 30")
	b.systemctl("daemon-reload")
	equal(t, b.file(unit, "memory.max")+" "+b.file(unit, "pids.max"), "134217728 30")
	equal(t, b.ok("exec", b.id, "cat", "/proc/self/cgroup"), "0::/system.slice/"+unit)
	b.global = nil // the driver is one of the container, not of the command
	b.ok("delete", "--force", b.id)
	b.left()
}

// One process is enough, though two make it.
func TestScopeOfOneProcess(t *testing.T) {
	b := newBox(t, `{"linux":{"resources":{"pids":{"limit":1}}}}`)
	unit := "brig-" + b.id + ".scope"
	b.start()
	equal(t, b.file(unit, "pids.max")+" "+b.show(unit, "TasksMax"), "1 1")
}

// In another PID namespace than systemd's, as in a container that has the host's bus, brig
// could only name processes to systemd that are others there.
func TestScopeFromOtherPIDs(t *testing.T) {
	b := newBox(t)
	b.config["process"].(map[string]any)["args"] = []any{"cat", "/proc/self/cgroup"}
	inner := b.command("run", "-b", b.dir, b.id)
	_, stderr, code := b.finish(exec.Command("unshare", append([]string{"--pid", "--fork", "--mount-proc"}, inner.Args...)...))
	if code != 1 || !strings.Contains(stderr, "D-Bus at /run/dbus/system_bus_socket is of another PID namespace") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	b.left()
	// Without systemd it runs there.
	b.global = nil
	inner = b.command("run", "-b", b.dir, b.id)
	out, stderr, _ := b.finish(exec.Command("unshare", append([]string{"--pid", "--fork", "--mount-proc"}, inner.Args...)...))
	if !strings.HasPrefix(out, "0::/") {
		t.Errorf("%s%s", out, stderr)
	}
}

func TestScopeAnnotations(t *testing.T) {
	b := newBox(t, `{"annotations":{"org.systemd.property.TimeoutStopSec":"uint64 7","org.systemd.property.CollectMode":"'inactive-or-failed'"}}`)
	unit := "brig-" + b.id + ".scope"
	b.start()
	equal(t, b.show(unit, "TimeoutStopUSec")+" "+b.show(unit, "CollectMode"), "7s inactive-or-failed")
}

func TestScopeRefusals(t *testing.T) {
	for patch, want := range map[string]string{
		`{"linux":{"cgroupsPath":"/not/a/unit"}}`:                               "/linux/cgroupsPath: \"/not/a/unit\" is not of the form SLICE:PREFIX:NAME",
		`{"annotations":{"org.systemd.property.ExecStop":"'/bin/sh'"}}`:         "/annotations/org.systemd.property.ExecStop: the property ExecStop cannot be set",
		`{"annotations":{"org.systemd.property.KillSignal":"'no signal'"}}`:     "StartTransientUnit",
		`{"linux":{"resources":{"unified":{"memory.max":"lots"}}}}`:             "/linux/resources/unified/memory.max",
		`{"process":{"args":["/not/there"]}}`:                                   `exec: "/not/there"`,
		`{"mounts":[{"destination":"/x","source":"/gone","options":["bind"]}]}`: "/mounts/0/source",
	} {
		b := newBox(t, patch)
		_, stderr, code := b.brig("run", "-b", b.dir, b.id)
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", patch, code, stderr)
		}
		b.left()
	}
	// A name that is in use.
	b := newBox(t)
	b.start()
	other := newBox(t, `{"linux":{"cgroupsPath":"system.slice:brig:`+b.id+`"}}`)
	if _, stderr, code := other.brig("run", "-b", other.dir, other.id); code == 0 || !strings.Contains(stderr, "is there already, with processes in it") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if status := b.ok("state", b.id); !strings.Contains(status, `"running"`) {
		t.Errorf("the first container is %s", status)
	}
}

// A container with ids of its own gets the scope's cgroup, but for its limits, and keeps
// it when systemd is reloaded or told of limits.
func TestScopeDelegates(t *testing.T) {
	b := newBox(t, limits, `{"mounts":[
		{"destination":"/proc","type":"proc","source":"proc"},
		{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]},
		{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup"}],
		"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"},{"type":"cgroup"},{"type":"user"}],
		"uidMappings":[{"containerID":0,"hostID":300000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":400000,"size":65536}]}}`)
	must(t, os.MkdirAll(b.dir+"/rootfs/sys/fs/cgroup", 0o755))
	b.start()
	script := func(name string) string {
		return "cd /sys/fs/cgroup && mkdir " + name + " && echo 0 >" + name + "/cgroup.procs && grep -o /" + name + " /proc/self/cgroup; (echo max >pids.max) 2>/dev/null || echo limited"
	}
	equal(t, b.ok("exec", b.id, "sh", "-c", script("one")), "/one\nlimited")
	b.systemctl("daemon-reload")
	b.ok("update", "--pids-limit", "30", b.id)
	equal(t, b.ok("exec", b.id, "sh", "-c", script("two")), "/two\nlimited")
	b.ok("delete", "--force", b.id)
	b.left()
}

// A limit that the kernel takes and systemd refuses is taken back, with those beside it.
func TestScopeUpdateRefused(t *testing.T) {
	b := newBox(t, limits)
	b.start()
	unit := "brig-" + b.id + ".scope"
	before := b.limits(unit)
	resources := b.dir + "/resources.json"
	must(t, os.WriteFile(resources, []byte(`{"cpu":{"idle":1},"unified":{"memory.high":"33554432","pids.max":"0"}}`), 0o644))
	_, stderr, code := b.brig("update", "--resources", resources, b.id)
	if code == 0 || !strings.Contains(stderr, "SetUnitProperties") || !strings.Contains(stderr, "TasksMax") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	equal(t, b.limits(unit), before)
	equal(t, b.show(unit, "MemoryHigh")+" "+b.show(unit, "TasksMax"), "60002304 20")
}

// So is one where there was none: the kernel has no word for that in some files.
func TestScopeUpdateRefusedWithoutLimits(t *testing.T) {
	disks, err := filepath.Glob("/sys/block/vd*/dev")
	if err != nil || len(disks) == 0 {
		t.Fatalf("no disk, %v", err)
	}
	disk := strings.TrimSpace(text(t, disks[0]))
	b := newBox(t)
	b.start()
	unit := "brig-" + b.id + ".scope"
	resources := b.dir + "/resources.json"
	update := func(pids, io string) (string, int) {
		must(t, os.WriteFile(resources, []byte(`{"cpu":{"cpus":"0"},"unified":{"io.max":"`+io+`","pids.max":"`+pids+`"}}`), 0o644))
		_, stderr, code := b.brig("update", "--resources", resources, b.id)
		return stderr, code
	}
	before := b.file(unit, "cpuset.cpus.effective") + b.file(unit, "pids.max") // systemd's own
	if stderr, code := update("0", disk+" rbps=1048576"); code == 0 || !strings.Contains(stderr, "TasksMax") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	equal(t, b.file(unit, "cpuset.cpus.effective")+b.file(unit, "io.max")+b.file(unit, "pids.max"), before)
	// Another limit of the disk stays as it is.
	if stderr, code := update("9", disk+" wbps=1048576"); code != 0 {
		t.Fatal(stderr)
	}
	if _, code := update("0", disk+" rbps=1048576 wbps=2097152"); code == 0 {
		t.Error("it is not refused")
	}
	equal(t, b.file(unit, "cpuset.cpus")+" "+b.file(unit, "io.max")+" "+b.file(unit, "pids.max"), "0 "+disk+" rbps=max wbps=1048576 riops=max wiops=max 9")
}

// Killed at any moment, brig leaves what delete --force can find.
func TestScopeAfterKill(t *testing.T) {
	b := newBox(t, limits)
	b.config["process"].(map[string]any)["args"] = []any{"sleep", "1000"}
	for wait := time.Duration(0); wait < 700*time.Millisecond; wait += 35 * time.Millisecond {
		cmd := b.command("create", "-b", b.dir, b.id)
		must(t, cmd.Start())
		time.Sleep(wait)
		cmd.Process.Kill()
		cmd.Wait()
		b.ok("delete", "--force", b.id)
		b.left()
		if t.Failed() {
			t.Fatalf("after %v", wait)
		}
	}
}

// cycles is how often a container comes and goes.
func cycles(t *testing.T, most int) int {
	if n, err := strconv.Atoi(os.Getenv("BRIG_CYCLES")); err == nil {
		return min(n, most)
	}
	return most
}

// 200 containers, one after the other, leave nothing in systemd, and nothing elsewhere.
func TestScopeCycles(t *testing.T) {
	b := newBox(t)
	b.cycle(cycles(t, 200))
	b.left()
}

// Without --systemd-cgroup nobody talks to D-Bus, and 500 containers leave nothing.
func TestCyclesWithoutSystemd(t *testing.T) {
	b := newBox(t)
	b.global = nil
	b.config["process"].(map[string]any)["args"] = []any{"sleep", "1000"}
	traces := 0
	traced := func(args ...string) *exec.Cmd {
		traces++
		inner := b.command(args...)
		name := b.dir + "/trace" + strconv.Itoa(traces)
		return exec.Command("strace", append([]string{"-f", "-e", "trace=connect,sendmsg", "-o", name}, inner.Args...)...)
	}
	// strace stays until all that it follows has ended, and so does the container.
	create := traced("create", "-b", b.dir, b.id)
	said, err := os.Create(b.dir + "/said")
	must(t, err)
	defer said.Close()
	create.Stdout, create.Stderr = said, said
	must(t, create.Start())
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if out, _, _ := b.brig("state", b.id); strings.Contains(out, `"created"`) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is not created: %s\n%s", text(t, b.dir+"/said"), text(t, b.dir+"/trace1"))
		}
	}
	for _, verb := range [][]string{{"start", b.id}, {"kill", b.id, "KILL"}, {"delete", "--force", b.id}} {
		if _, stderr, code := b.finish(traced(verb...)); code != 0 {
			t.Fatalf("exit %d, %s", code, stderr)
		}
	}
	must(t, create.Wait())
	for n := 1; n <= traces; n++ {
		raw, err := os.ReadFile(b.dir + "/trace" + strconv.Itoa(n))
		must(t, err)
		if text := string(raw); !strings.Contains(text, "+++ exited") || strings.Contains(text, "dbus") || strings.Contains(text, "/run/systemd") {
			t.Errorf("%s", text)
		}
	}
	asked := watched(t, b)
	b.cycle(cycles(t, 500))
	if n := asked(); n != 0 {
		t.Errorf("they talked to D-Bus %d times", n)
	}
	b.left()
	b.global = []string{"--systemd-cgroup"}
	if _, stderr, _ := b.brig("run", "-b", b.dir, b.id); asked() != 1 {
		t.Errorf("nobody would notice: %s", stderr)
	}
	b.global, b.env = nil, nil
	b.left()
	if _, err := os.Stat("/sys/fs/cgroup/brig/" + b.id); err == nil {
		t.Error("left behind: a cgroup")
	}
}
