package root_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// A huge page too many is refused, of a start and of an update.
func TestLimitHugePages(t *testing.T) {
	needController(t, "hugetlb")
	before := reads(t, "/proc/sys/vm/nr_hugepages")
	must(t, os.WriteFile("/proc/sys/vm/nr_hugepages", []byte("8"), 0))
	t.Cleanup(func() { must(t, os.WriteFile("/proc/sys/vm/nr_hugepages", []byte(strings.TrimSpace(before)), 0)) })
	if n, _ := strconv.Atoi(strings.TrimSpace(reads(t, "/proc/sys/vm/nr_hugepages"))); n < 3 {
		absent(t, "needs memory for huge pages")
	}
	b := newBox(t)
	b.resources(`{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`)
	b.mount("/huge", "hugetlbfs", "hugetlbfs", "pagesize=2M")
	b.stage("fallocate")
	equal(t, b.run("cat /sys/fs/cgroup/hugetlb.2MB.rsvd.max; cat /sys/fs/cgroup/hugetlb.2MB.max; fallocate -l 4M /huge/a && echo two; fallocate -l 2M /huge/b 2>/dev/null || echo no third"), "4194304\n4194304\ntwo\nno third")
	b.background("sleep 1000")
	b.stdin = `{"hugepageLimits":[{"pageSize":"2MB","limit":2097152}]}`
	b.ok("update", "--resources", "-", b.id)
	equal(t, b.exec("fallocate -l 2M /huge/a && echo one; fallocate -l 2M /huge/b 2>/dev/null || echo no second"), "one\nno second")
}

// stage makes one more applet of busybox.
func (b *box) stage(applet string) { must(b.t, os.Symlink("busybox", b.rootfs+"/bin/"+applet)) }
