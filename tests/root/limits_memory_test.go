package root_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Who takes more than memory.max is killed, and events says so.
func TestLimitMemoryKills(t *testing.T) {
	needController(t, "memory")
	b := newBox(t)
	b.resources(`{"memory":{"limit":33554432,"swap":33554432}}`)
	b.args("/bin/sh", "-c", "exec "+eat(64))
	if r := b.start(); r.code != 137 {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	equal(t, b.run(eat(16)+"; echo $?"), "0")
	b.background("sleep 1; " + eat(64) + "; sleep 1000")
	cmd := b.command("events", "--interval", "1h", b.id)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	equal(t, line, `{"type":"oom","id":"`+b.id+`"}`+"\n")
	if b.count("memory.events", "oom_kill") == 0 {
		t.Errorf("%s", b.group("memory.events"))
	}
}

// memory.high makes the container wait, and memory_pressure tells of it.
func TestLimitMemoryThrottles(t *testing.T) {
	needController(t, "memory")
	b := newBox(t)
	b.resources(`{"unified":{"memory.high":"8388608"}}`)
	b.background("sleep 1; while :; do " + eat(24) + "; done")
	cmd := b.command("events", "--memory-pressure", "--interval", "1h", b.id)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if !strings.HasPrefix(line, `{"type":"memory_pressure","id":"`+b.id+`","data":{"some":{"avg10":`) {
		t.Errorf("%s", line)
	}
	if b.count("memory.events", "high") == 0 || b.count("memory.events", "oom_kill") != 0 {
		t.Errorf("%s", b.group("memory.events"))
	}
	b.stdin = `{"unified":{"memory.high":"max"}}`
	b.ok("update", "--resources", "-", b.id)
	b.stdin = `{"unified":{"memory.high":"8388608"}}`
	b.until("it waits no more", func() bool {
		before := b.count("memory.events", "high")
		b.exec(eat(24))
		return b.count("memory.events", "high") == before
	})
	b.ok("update", "--resources", "-", b.id)
	before := b.count("memory.events", "high")
	b.until("it waits again", func() bool { return b.count("memory.events", "high") > before })
}

// The reservation of the specification is memory.low: what it covers the kernel takes from
// others first.
func TestLimitMemoryReservation(t *testing.T) {
	needController(t, "memory")
	base, err := unified()
	must(t, err)
	above := filepath.Join(base, "reservation")
	must(t, os.Mkdir(above, 0o755))
	t.Cleanup(func() { must(t, unix.Rmdir(above)) })
	for _, group := range []string{base, above} {
		must(t, os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+memory"), 0))
	}
	must(t, os.WriteFile(filepath.Join(above, "memory.max"), []byte(fmt.Sprint(96<<20)), 0))
	// The one has 40 MiB of a file in its cache, then the other reads 256.
	keeps := func(reservation int, update ...string) int64 {
		kept := reader(t, reservation, 40)
		defer kept.ok("delete", "--force", kept.id)
		if update != nil {
			kept.ok("update", "--memory-reservation", update[0], kept.id)
			equal(t, strings.TrimSpace(reads(t, filepath.Join(above, kept.id, "memory.low"))), update[0])
		}
		other := reader(t, 0, 256)
		defer other.ok("delete", "--force", other.id)
		text := strings.TrimSpace(reads(t, filepath.Join(above, kept.id, "memory.stat")))
		var n int64
		fmt.Sscanf(field(text, "file "), "%d", &n)
		return n >> 20
	}
	if with, without := keeps(64<<20), keeps(0); with < 36 || with <= without {
		t.Errorf("of 40 MiB it keeps %d with a reservation, and %d without", with, without)
	}
	// It holds for what is in the cache already, of which Linux 6.1 kept 33 once.
	if with, without := keeps(0, "67108864"), keeps(64<<20, "4096"); with < 30 || with <= without {
		t.Errorf("of 40 MiB it keeps %d with a reservation that came later, and %d with one that was taken back", with, without)
	}
}

// reader is a container that has read a file of its own, of some MiB.
func reader(t *testing.T, reservation, mib int) *box {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	must(t, err)
	defer file.Close()
	must(t, unix.Fallocate(int(file.Fd()), 0, 0, int64(mib)<<20))
	b := newBox(t)
	b.patch(`{"linux":{"cgroupsPath":"/reservation/` + b.id + `"}}`)
	b.resources(fmt.Sprintf(`{"memory":{"reservation":%d}}`, reservation))
	b.mount("/data", "bind", filepath.Dir(file.Name()), "bind")
	b.background("cat /data/file >/dev/null; echo read >/data/done; sleep 1000")
	b.until("the file is read", func() bool { _, err := os.Stat(filepath.Join(filepath.Dir(file.Name()), "done")); return err == nil })
	return b
}

// A limit that is lowered while the container runs kills, and one that it has
// already broken is refused when asked so.
func TestLimitMemoryUpdate(t *testing.T) {
	needController(t, "memory")
	b := newBox(t)
	b.resources(`{"memory":{"limit":134217728,"swap":134217728}}`)
	b.mount("/shm", "tmpfs", "tmpfs")
	b.background("sleep 1000")
	equal(t, b.exec(eat(64)+"; echo $?"), "0")
	b.ok("update", "--memory", "32m", "--memory-swap", "32m", b.id)
	equal(t, b.group("memory.max"), "33554432")
	if r := b.brig("exec", b.id, "sh", "-c", "exec "+eat(64)); r.code != 137 {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	b.exec("dd if=/dev/zero of=/shm/file bs=1M count=24 2>/dev/null")
	b.stdin = `{"memory":{"limit":16777216,"swap":16777216,"checkBeforeUpdate":true}}`
	if r := b.brig("update", "--resources", "-", b.id); r.code != 1 || !strings.Contains(r.err, "rejecting memory limit 16777216") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	equal(t, b.group("memory.max"), "33554432")
	b.ok("update", "--memory", "-1", "--memory-swap", "-1", b.id)
	equal(t, b.group("memory.max"), "max")
}

// With swap a payload may take more than memory.max, and without it may not.
func TestLimitSwap(t *testing.T) {
	needController(t, "memory")
	file := filepath.Join(t.TempDir(), "swap")
	must(t, os.WriteFile(file, nil, 0o600))
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	must(t, unix.Fallocate(fd, 0, 0, 256<<20))
	unix.Close(fd)
	for _, args := range [][]string{{"mkswap", file}, {"swapon", file}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			absent(t, "needs a file system that can swap: %s: %v %s", args[0], err, out)
		}
	}
	t.Cleanup(func() { must(t, exec.Command("swapoff", file).Run()) })
	b := newBox(t)
	b.resources(`{"memory":{"limit":33554432,"swap":134217728}}`)
	equal(t, b.run("cat /sys/fs/cgroup/memory.swap.max; "+eat(64)+"; echo $?"), "100663296\n0")
	b = newBox(t)
	b.resources(`{"memory":{"limit":33554432,"swap":33554432}}`)
	equal(t, b.run("cat /sys/fs/cgroup/memory.swap.max; "+eat(64)+" || echo killed"), "0\nkilled")
	// An update gives some, and takes it back: the limit of memory stays.
	b.background("sleep 1000")
	eats := func(both, swap string, code int) {
		t.Helper()
		b.ok("update", "--memory-swap", both, b.id)
		equal(t, b.group("memory.max")+" "+b.group("memory.swap.max"), "33554432 "+swap)
		if r := b.brig("exec", b.id, "sh", "-c", "exec "+eat(64)); r.code != code {
			t.Errorf("with %s of both: exit %d, %s", both, r.code, r.err)
		}
	}
	eats("128m", "100663296", 0)
	eats("32m", "0", 137)
	eats("-1", "max", 0)
}

// brig needs no more memory in the container's cgroup than the payload does by
// itself, and no process but init.
func TestLeastMemory(t *testing.T) {
	needController(t, "memory", "pids")
	least := func(starts func(kib int) bool) int {
		low, high := 0, 64*1024
		for high-low > 16 {
			middle := (low + high) / 2
			if starts(middle) {
				high = middle
			} else {
				low = middle
			}
		}
		return high
	}
	base, err := unified()
	must(t, err)
	group := filepath.Join(base, "least")
	must(t, os.Mkdir(group, 0o755))
	defer func() { must(t, unix.Rmdir(group)) }()
	must(t, os.WriteFile(filepath.Join(group, "memory.swap.max"), []byte("0"), 0))
	fd, err := unix.Open(group, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	alone := least(func(kib int) bool {
		must(t, os.WriteFile(filepath.Join(group, "memory.max"), []byte(fmt.Sprint(kib<<10)), 0))
		cmd := exec.Command(busybox, "true")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
		return cmd.Run() == nil
	})
	b := newBox(t)
	b.args("/bin/true")
	inside := least(func(kib int) bool {
		b.resources(fmt.Sprintf(`{"memory":{"limit":%d,"swap":%d},"pids":{"limit":1}}`, kib<<10, kib<<10))
		return b.start().code == 0
	})
	t.Logf("/bin/true needs %d KiB by itself, and %d KiB as a container", alone, inside)
	if inside > alone+512 {
		t.Errorf("%d KiB are more than 512 above %d", inside, alone)
	}
	if crun, err := exec.LookPath("crun"); err != nil {
		absent(t, "needs crun to compare with: %v", err)
	} else {
		other := least(func(kib int) bool {
			b.resources(fmt.Sprintf(`{"memory":{"limit":%d,"swap":%d}}`, kib<<10, kib<<10))
			b.save()
			cmd := exec.Command(crun, "--cgroup-manager=cgroupfs", "--root", b.dir+"/crun", "run", "-b", b.bundle, b.id)
			ran := cmd.Run() == nil
			exec.Command(crun, "--root", b.dir+"/crun", "delete", "--force", b.id).Run()
			return ran
		})
		t.Logf("with crun it needs %d KiB", other)
	}
}
