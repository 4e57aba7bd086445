package root_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a container that may read a disk, and write to a file below /data.
func disk(t *testing.T, number string) *box {
	t.Helper()
	major, minor, _ := strings.Cut(number, ":")
	b := newBox(t)
	b.mount("/data", "bind", t.TempDir(), "bind")
	b.patch(fmt.Sprintf(`{"linux":{"devices":[{"path":"/dev/disk","type":"b","major":%s,"minor":%s}],
		"resources":{"devices":[{"allow":true,"type":"b","major":%[1]s,"minor":%[2]s,"access":"r"}]}}}`, major, minor))
	return b
}

const (
	reads4M  = "dd if=/dev/disk of=/dev/null iflag=direct bs=256k count=16"
	writes4M = "dd if=/dev/zero of=/data/file oflag=direct bs=256k count=16"
)

// io.max bounds bytes and operations, those of a read and those of a write, of a start and
// of an update.
func TestLimitIO(t *testing.T) {
	needController(t, "io")
	for _, c := range []struct{ field, rate, max, script string }{
		{"throttleReadBpsDevice", "1048576", "rbps=1048576 wbps=max riops=max wiops=max", reads4M},
		{"throttleWriteBpsDevice", "1048576", "rbps=max wbps=1048576 riops=max wiops=max", writes4M},
		{"throttleReadIOPSDevice", "4", "rbps=max wbps=max riops=4 wiops=max", reads4M},
		{"throttleWriteIOPSDevice", "4", "rbps=max wbps=max riops=max wiops=4", writes4M},
	} {
		t.Run(c.field, func(t *testing.T) {
			number := rootDevice(t)
			b := disk(t, number)
			b.background("sleep 1000")
			major, minor, _ := strings.Cut(number, ":")
			limit := func(rate string) string {
				return fmt.Sprintf(`{"blockIO":{"%s":[{"major":%s,"minor":%s,"rate":%s}]}}`, c.field, major, minor, rate)
			}
			b.until("it is fast without a limit", func() bool { return b.takes(c.script) < fast })
			b.stdin = limit(c.rate)
			b.ok("update", "--resources", "-", b.id)
			equal(t, b.group("io.max"), number+" "+c.max)
			b.slow(c.script)
			b.stdin = limit("0")
			b.ok("update", "--resources", "-", b.id)
			b.until("it is fast again", func() bool { return b.takes(c.script) < fast })
			b.stdin = ""
			b.ok("delete", "--force", b.id)
			b.resources(limit(c.rate))
			b.background("sleep 1000")
			equal(t, b.group("io.max"), number+" "+c.max)
			b.slow(c.script)
		})
	}
}

// What the limits let through in four seconds, less a first burst, a disk does in a
// moment. A machine that is busy takes longer with a limit, never shorter, and without one
// it is asked until it is fast.
const fast, slowest = time.Second, 2 * time.Second

func (b *box) slow(script string) {
	b.t.Helper()
	if took := b.takes(script); took < slowest {
		b.t.Errorf("%s took %v", script, took)
	}
}

// takes is how long a script takes, without what an exec does before.
func (b *box) takes(script string) time.Duration {
	b.t.Helper()
	said := b.exec("read -r from _ </proc/uptime; " + script + " 2>&1 | grep -q '16+0 records out' || exit; read -r to _ </proc/uptime; echo $from $to")
	var from, to float64
	if _, err := fmt.Sscan(said, &from, &to); err != nil {
		b.t.Fatalf("%s: %q: %v", script, said, err)
	}
	return time.Duration((to - from) * float64(time.Second))
}

// The weights of BFQ are how two that read all the time share a disk: one that has a
// request at a time, for 10 ms, whatever the machine does. They may change meanwhile, and
// that for the disk goes before that for all.
func TestLimitIOWeight(t *testing.T) {
	number := weighedDisk(t)
	reader := func(weight int) *box {
		b := disk(t, number)
		b.resources(fmt.Sprintf(`{"blockIO":{"weight":%d}}`, weight))
		// Some, so that there is always one that waits.
		b.background("for i in 1 2 3 4; do dd if=/dev/disk of=/dev/null iflag=direct bs=4k count=200000 2>/dev/null & done; wait")
		equal(t, b.group("io.bfq.weight"), fmt.Sprintf("default %d", weight))
		return b
	}
	one, other := reader(10), reader(1000)
	readsMore(t, number, other, one)
	one.ok("update", "--blkio-weight", "1000", one.id)
	other.ok("update", "--blkio-weight", "10", other.id)
	equal(t, one.group("io.bfq.weight")+", "+other.group("io.bfq.weight"), "default 1000, default 10")
	readsMore(t, number, one, other)
	major, minor, _ := strings.Cut(number, ":")
	for b, weight := range map[*box]int{one: 10, other: 1000} {
		b.stdin = fmt.Sprintf(`{"blockIO":{"weightDevice":[{"major":%s,"minor":%s,"weight":%d}]}}`, major, minor, weight)
		b.ok("update", "--resources", "-", b.id)
		b.stdin = ""
	}
	equal(t, one.group("io.bfq.weight")+", "+other.group("io.bfq.weight"), "default 1000\n"+number+" 10, default 10\n"+number+" 1000")
	readsMore(t, number, other, one)
}

// weighedDisk is the number of a disk that BFQ shares out.
func weighedDisk(t *testing.T) string {
	t.Helper()
	needController(t, "io")
	if out, err := exec.Command("modprobe", "null_blk", "submit_queues=1", "hw_queue_depth=1", "irqmode=2", "completion_nsec=10000000", "gb=1").CombinedOutput(); err != nil {
		absent(t, "needs the block device null_blk: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("modprobe", "-r", "null_blk").Run() })
	if err := os.WriteFile("/sys/block/nullb0/queue/scheduler", []byte("bfq"), 0); err != nil {
		absent(t, "needs the I/O scheduler BFQ: %v", err)
	}
	// What it does for interactive programs it does for both.
	must(t, os.WriteFile("/sys/block/nullb0/queue/iosched/low_latency", []byte("0"), 0))
	return strings.TrimSpace(reads(t, "/sys/block/nullb0/dev"))
}

// readsMore waits until a container has read a while, in which the other has read half of
// that at most. The scheduler heeds a new weight when a reader comes to wait anew, and so
// the first while may be of the old one; of the same weight neither reads twice as much.
func readsMore(t *testing.T, number string, heavy, light *box) {
	t.Helper()
	read := func(b *box) (n int64) {
		for line := range strings.Lines(b.group("io.stat")) {
			fmt.Sscanf(line, number+" rbytes=%d", &n)
		}
		return n
	}
	var seen []string
	for range 5 {
		from := [2]int64{read(light), read(heavy)}
		heavy.until("it has read much", func() bool { return read(heavy) > from[1]+400*4096 })
		a, b := read(light)-from[0], read(heavy)-from[1]
		if b >= 2*a {
			return
		}
		seen = append(seen, fmt.Sprint(a, " and ", b))
	}
	t.Errorf("with the weights %q and %q they read, in bytes, %s", light.group("io.bfq.weight"), heavy.group("io.bfq.weight"), strings.Join(seen, ", "))
}

// rootDevice is the number of the disk that the files of tests are on.
func rootDevice(t *testing.T) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(t.TempDir(), &st))
	number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	dir, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		absent(t, "needs files on a disk: %v", err)
	}
	if _, err := os.Stat(dir + "/partition"); err == nil {
		number = strings.TrimSpace(reads(t, filepath.Dir(dir)+"/dev"))
	}
	return number
}
