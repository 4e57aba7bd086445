package root_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const rdmaDevice = "brig0"

// needRdma makes a device of RDMA in software, over an interface that leads nowhere, and
// returns the file by which programs use it. It stays: Linux 6.12 fails (list_del
// corruption in rdmacg_unregister_device) when a device goes after a cgroup that had a
// limit for it.
func needRdma(t *testing.T) string {
	t.Helper()
	needRoot(t)
	if os.Getenv("BRIG_VM") == "" {
		t.Skip("needs a machine that is thrown away afterwards (make test-vm)")
	}
	needController(t, "rdma")
	for _, cmd := range [][]string{
		{"modprobe", "-a", "rdma_rxe", "ib_uverbs", "dummy"},
		{"ip", "link", "add", rdmaDevice + "net", "type", "dummy"},
		{"ip", "link", "set", rdmaDevice + "net", "up"},
		{"rdma", "link", "add", rdmaDevice, "type", "rxe", "netdev", rdmaDevice + "net"},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("this test machine has no RDMA in software: %s: %v %s", strings.Join(cmd, " "), err, out)
		}
	}
	list, err := filepath.Glob("/sys/class/infiniband_verbs/uverbs*")
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("the devices are %q", list)
	}
	return "/dev/infiniband/" + filepath.Base(list[0])
}

// TestLimitRdma opens a device as often as the limit lets it, and makes as many objects;
// so it does when they have changed.
func TestLimitRdma(t *testing.T) {
	file := needRdma(t)
	var st unix.Stat_t
	must(t, unix.Stat(file, &st))
	b := sleeper(t)
	device := fmt.Sprintf(`"type":"c","major":%d,"minor":%d`, unix.Major(st.Rdev), unix.Minor(st.Rdev))
	b.resources(`{"rdma":{"` + rdmaDevice + `":{"hcaHandles":2,"hcaObjects":3}},"devices":[{"allow":false,"access":"rwm"},{"allow":true,"access":"rw",` + device + `}]}`)
	b.patch(`{"linux":{"devices":[{"path":"/dev/uverbs",` + device + `}]}}`)
	raw, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(b.rootfs+"/handles", raw, 0o755))
	const handles = roleVariable + "=" + roleRdma + " /handles"
	b.create()
	b.ok("start", b.id)
	for _, c := range []struct{ change, handles, objects string }{
		{"", "2", "3"}, {`{"hcaHandles":1}`, "1", "3"}, {`{"hcaHandles":3,"hcaObjects":5}`, "3", "5"},
	} {
		if c.change != "" {
			b.stdin = `{"rdma":{"` + rdmaDevice + `":` + c.change + `}}`
			b.ok("update", "--resources", "-", b.id)
			b.stdin = ""
		}
		equal(t, b.group("rdma.max"), rdmaDevice+" hca_handle="+c.handles+" hca_object="+c.objects)
		equal(t, b.exec(handles), c.handles+" handles, then EAGAIN\n"+c.objects+" objects, then EAGAIN")
	}
	b.stdin = `{"rdma":{"nothing0":{"hcaHandles":1}}}`
	b.refused("/rdma/nothing0", "update", "--resources", "-", b.id)
	b.stdin = ""
	b.ok("delete", "--force", b.id)
}

// rdmaHandles opens the device until that fails, and makes objects of the first until that
// does, and says how often it did not.
func rdmaHandles() {
	var files []*os.File
	count("handles", func() error {
		f, err := os.OpenFile("/dev/uverbs", os.O_RDWR, 0)
		if err == nil {
			files = append(files, f)
			_, err = f.Write(rdmaCommand(getContext))
		}
		return err
	})
	if len(files) == 0 {
		return
	}
	count("objects", func() error {
		_, err := files[0].Write(rdmaCommand(allocPD))
		return err
	})
}

// count says how often something can be done.
func count(what string, do func() error) {
	for n := range 10 {
		if err := do(); err != nil {
			var errno unix.Errno
			errors.As(err, &errno)
			fmt.Printf("%d %s, then %s\n", n, what, unix.ErrnoName(errno))
			return
		}
	}
	fmt.Println("no end of " + what)
}

// Commands of rdma/ib_user_verbs.h: what makes a handle of the file, and an object of it.
const (
	getContext = 0 // IB_USER_VERBS_CMD_GET_CONTEXT
	allocPD    = 3 // IB_USER_VERBS_CMD_ALLOC_PD
)

// rdmaCommand is a header, with the lengths of the command and of its answer in words,
// and where the answer goes. What the driver says of itself follows the answer.
func rdmaCommand(number uint32) []byte {
	raw := binary.NativeEndian.AppendUint32(nil, number)
	raw = binary.NativeEndian.AppendUint16(raw, answerWords)
	raw = binary.NativeEndian.AppendUint16(raw, answerWords)
	return binary.NativeEndian.AppendUint64(raw, uint64(uintptr(unsafe.Pointer(&answer))))
}

const answerWords = 4

// answer is what the kernel writes of a new handle or object.
var answer [answerWords]uint32
