package systemd_test

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bpf is a call of the kernel, whose attributes are words of 32 bits.
func bpf(t *testing.T, call uintptr, attr []uint32) int {
	t.Helper()
	fd, _, errno := unix.Syscall(unix.SYS_BPF, call, uintptr(unsafe.Pointer(&attr[0])), uintptr(4*len(attr)))
	if errno != 0 {
		t.Fatalf("bpf %d: %v", call, errno)
	}
	return int(fd)
}

// address is where something lies, as two words.
func address(p unsafe.Pointer) (low, high uint32) {
	return uint32(uintptr(p)), uint32(uint64(uintptr(p)) >> 32)
}

// programs are the names of the device programs of the container's cgroup.
func (b *box) programs(unit string) (names []string) {
	b.t.Helper()
	group, err := os.Open("/sys/fs/cgroup" + b.show(unit, "ControlGroup"))
	must(b.t, err)
	defer group.Close()
	ids := new([16]uint32)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(ids)
	low, high := address(unsafe.Pointer(ids))
	query := []uint32{uint32(group.Fd()), unix.BPF_CGROUP_DEVICE, 0, 0, low, high, uint32(len(ids)), 0}
	bpf(b.t, unix.BPF_PROG_QUERY, query)
	for _, id := range ids[:query[6]] {
		program := bpf(b.t, unix.BPF_PROG_GET_FD_BY_ID, []uint32{id, 0, 0})
		info := new([128]byte)
		pin.Pin(info)
		low, high := address(unsafe.Pointer(info))
		bpf(b.t, unix.BPF_OBJ_GET_INFO_BY_FD, []uint32{uint32(program), uint32(len(info)), low, high})
		must(b.t, unix.Close(program))
		const at, size = 64, 16 // of the name in struct bpf_prog_info
		name, _, _ := strings.Cut(string(info[at:at+size]), "\x00")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// What systemd cannot say of devices, such as a denial of what was allowed before, is
// denied by brig's own program, which systemd leaves in its place when it is reloaded.
// Both devices are in the list of systemd.
func TestScopeDevices(t *testing.T) {
	const rule = `{"allow":true,"type":"c","major":10,"minor":229,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":235,"access":"rwm"},`
	for name, c := range map[string]struct{ rules, policy, programs string }{
		"listed": {rule + `{"allow":false,"type":"c","major":10,"minor":229,"access":"rwm"}`, "strict", "brig_devices sd_devices"},
		"all":    {`{"allow":true,"type":"a","access":"rwm"},{"allow":false,"type":"c","major":10,"minor":229,"access":"rwm"}`, "auto", "brig_devices"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, `{"linux":{"resources":{"devices":[`+c.rules+`]}}}`)
			unit := "brig-" + b.id + ".scope"
			for minor, name := range map[uint32]string{229: "denied", 235: "allowed"} {
				must(t, unix.Mknod(b.dir+"/rootfs/tmp/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(10, minor))))
			}
			b.start()
			check := func() {
				t.Helper()
				equal(t, b.show(unit, "DevicePolicy"), c.policy)
				allow := b.show(unit, "DeviceAllow")
				if c.policy == "strict" && (!strings.Contains(allow, "/dev/char/10:229 rwm") || !strings.Contains(allow, "/dev/char/10:235 rwm")) {
					t.Errorf("DeviceAllow is %s", allow)
				}
				equal(t, strings.Join(b.programs(unit), " "), c.programs)
				equal(t, b.ok("exec", b.id, "sh", "-c", "(: </tmp/denied) 2>&1 | grep -o 'not permitted'; : </tmp/allowed && echo opens"), "not permitted\nopens")
			}
			check()
			b.systemctl("daemon-reload")
			check()
			b.ok("update", "--pids-limit", "30", b.id) // which tells systemd of properties anew
			check()
		})
	}
}
