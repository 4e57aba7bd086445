package root_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// needController skips where the cgroup v2 of this host lacks a controller.
func needController(t *testing.T, names ...string) {
	t.Helper()
	base, err := unified()
	must(t, err)
	have := strings.Fields(reads(t, filepath.Join(base, "cgroup.controllers")))
	for _, name := range names {
		found := false
		for _, h := range have {
			found = found || h == name
		}
		if !found {
			absent(t, "needs the controller %s in cgroup v2, and there are %q", name, have)
		}
	}
}

// absent skips a test for want of something that the test machines have: there it fails.
func absent(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("BRIG_VM") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format+" (make test-vm)", args...)
}

// resources sets /linux/resources.
func (b *box) resources(text string) { b.patch(`{"linux":{"resources":` + text + `}}`) }

// group reads a file of the container's cgroup on the host.
func (b *box) group(name string) string {
	b.t.Helper()
	base, err := unified()
	must(b.t, err)
	return strings.TrimSpace(reads(b.t, filepath.Join(base, "brig", b.id, name)))
}

// count is a line "KEY NUMBER" of a file of the container's cgroup.
func (b *box) count(name, key string) int64 {
	b.t.Helper()
	for line := range strings.Lines(b.group(name)) {
		if k, v, _ := strings.Cut(strings.TrimSpace(line), " "); k == key {
			n, err := strconv.ParseInt(v, 10, 64)
			must(b.t, err)
			return n
		}
	}
	b.t.Fatalf("%s has no %s: %s", name, key, b.group(name))
	return 0
}

// background starts a container with a script as its payload.
func (b *box) background(script string) {
	b.t.Helper()
	b.args("/bin/sh", "-c", script)
	b.create()
	b.ok("start", b.id)
	b.t.Cleanup(func() { b.ok("delete", "--force", b.id) })
}

// busy is a payload that takes all the CPU time it gets, and says nothing.
const busy = "while :; do :; done"

// eat takes memory: dd has a buffer of its block size, and fills it.
func eat(mib int) string {
	return fmt.Sprintf("dd if=/dev/zero of=/dev/null bs=%dM count=1 2>/dev/null", mib)
}

// A process too many is refused, to the number that is written, and one is enough
// to start.
func TestLimitPids(t *testing.T) {
	needController(t, "pids")
	b := newBox(t)
	b.resources(`{"pids":{"limit":1}}`)
	b.args("/bin/true")
	if r := b.start(); r.code != 0 {
		t.Errorf("with pids.max 1: exit %d, %s", r.code, r.err)
	}
	// The shell is one of them, and one that cannot fork ends.
	const three = "sleep 1000 & sleep 1000 & sleep 1000 & echo three"
	b = newBox(t)
	b.resources(`{"pids":{"limit":3}}`)
	if r := b.try(three); r.code == 0 || r.out != "" || !strings.Contains(r.err, "can't fork: Resource temporarily unavailable") {
		t.Errorf("with pids.max 3: exit %d, %q, %s", r.code, r.out, r.err)
	}
	b = newBox(t)
	b.resources(`{"pids":{"limit":4}}`)
	equal(t, b.run(three), "three")
	b = newBox(t)
	b.resources(`{"pids":{"limit":-1}}`)
	equal(t, b.run("cat /sys/fs/cgroup/pids.max"), "max")
}

// A limit that changes while the container runs holds from then on.
func TestLimitPidsUpdate(t *testing.T) {
	needController(t, "pids")
	b := sleeping(t)
	b.resources(`{}`)
	b.ok("update", "--pids-limit", "2", b.id)
	equal(t, b.group("pids.max"), "2")
	// One of the two is the payload, the other the shell that cannot fork.
	r := b.brig("exec", b.id, "sh", "-c", "true & wait")
	if !strings.Contains(r.err, "can't fork") || b.count("pids.events", "max") == 0 {
		t.Errorf("exit %d, %q, %s", r.code, r.err, b.group("pids.events"))
	}
	b.ok("update", "--pids-limit", "20", b.id)
	equal(t, b.exec("true & wait; echo done"), "done")
}
