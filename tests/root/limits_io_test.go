package root_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// disk is a container that may read the disk of the root file system, and write to a file
// on it, below /data.
func disk(t *testing.T) (b *box, number string) {
	t.Helper()
	number = rootDevice(t)
	major, minor, _ := strings.Cut(number, ":")
	b = newBox(t)
	b.mount("/data", "bind", t.TempDir(), "bind")
	b.stage("dd")
	b.patch(fmt.Sprintf(`{"linux":{"devices":[{"path":"/dev/disk","type":"b","major":%s,"minor":%s}],
		"resources":{"devices":[{"allow":true,"type":"b","major":%[1]s,"minor":%[2]s,"access":"r"}]}}}`, major, minor))
	return b, number
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
			b, number := disk(t)
			b.background("sleep 1000")
			// 4 MiB at 1 MiB a second, or 16 of 4 a second: a machine that is busy takes
			// longer, never shorter. The kernel allows a first burst.
			slow := func(limited bool) {
				t.Helper()
				from := time.Now()
				b.exec(c.script + " 2>&1 | grep -q '16+0 records out'")
				if took := time.Since(from); limited && took < 2*time.Second {
					t.Errorf("%s took %v", c.script, took)
				}
			}
			slow(false)
			major, minor, _ := strings.Cut(number, ":")
			limit := fmt.Sprintf(`{"blockIO":{"%s":[{"major":%s,"minor":%s,"rate":%s}]}}`, c.field, major, minor, c.rate)
			b.stdin = limit
			b.ok("update", "--resources", "-", b.id)
			equal(t, b.group("io.max"), number+" "+c.max)
			slow(true)
			b.ok("delete", "--force", b.id)
			b.resources(limit)
			b.background("sleep 1000")
			equal(t, b.group("io.max"), number+" "+c.max)
			slow(true)
		})
	}
}

// The weights of BFQ are how two that read all the time share a disk.
func TestLimitIOWeight(t *testing.T) {
	needController(t, "io")
	number := rootDevice(t)
	weigh(t, number)
	boxes := map[int]*box{}
	for _, weight := range []int{10, 1000} {
		b, _ := disk(t)
		b.resources(fmt.Sprintf(`{"blockIO":{"weight":%d}}`, weight))
		b.background("while :; do " + reads4M + " 2>/dev/null; done")
		equal(t, b.group("io.bfq.weight"), fmt.Sprintf("default %d", weight))
		boxes[weight] = b
	}
	read := func(b *box) (n int64) {
		for word := range strings.FieldsSeq(b.group("io.stat")) {
			if text, ok := strings.CutPrefix(word, "rbytes="); ok {
				n, _ = strconv.ParseInt(text, 10, 64)
			}
		}
		return n
	}
	light, heavy := boxes[10], boxes[1000]
	from := [2]int64{read(light), read(heavy)}
	heavy.until("it has read much", func() bool { return read(heavy) > from[1]+64<<20 })
	if a, b := read(light)-from[0], read(heavy)-from[1]; b < 2*a {
		t.Errorf("with weight 10 it read %d bytes, with weight 1000 %d", a, b)
	}
}

// weigh gives the disk the scheduler that knows weights.
func weigh(t *testing.T, number string) {
	t.Helper()
	file := "/sys/dev/block/" + number + "/queue/scheduler"
	_, old, _ := strings.Cut(reads(t, file), "[")
	old, _, _ = strings.Cut(old, "]")
	if err := os.WriteFile(file, []byte("bfq"), 0); err != nil {
		absent(t, "needs the I/O scheduler BFQ: %v", err)
	}
	t.Cleanup(func() { must(t, os.WriteFile(file, []byte(old), 0)) })
}

// rootDevice is the number of the block device of the root file system.
func rootDevice(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"vda", "sda", "nvme0n1"} {
		if raw, err := os.ReadFile(filepath.Join("/sys/block", name, "dev")); err == nil {
			return strings.TrimSpace(string(raw))
		}
	}
	absent(t, "needs a block device")
	return ""
}
