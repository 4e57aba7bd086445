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

// TestLimitRdma opens a device as often as the limit lets it, and is heard by update.
func TestLimitRdma(t *testing.T) {
	file := needRdma(t)
	var st unix.Stat_t
	must(t, unix.Stat(file, &st))
	b := newBox(t)
	device := fmt.Sprintf(`"type":"c","major":%d,"minor":%d`, unix.Major(st.Rdev), unix.Minor(st.Rdev))
	b.resources(`{"rdma":{"` + rdmaDevice + `":{"hcaHandles":2,"hcaObjects":100}},"devices":[{"allow":false,"access":"rwm"},{"allow":true,"access":"rw",` + device + `}]}`)
	b.patch(`{"linux":{"devices":[{"path":"/dev/uverbs",` + device + `}]}}`)
	raw, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(b.rootfs+"/handles", raw, 0o755))
	const handles = roleVariable + "=" + roleRdma + " /handles"
	equal(t, b.run("echo $(grep "+rdmaDevice+" /sys/fs/cgroup/rdma.max); "+handles), rdmaDevice+" hca_handle=2 hca_object=100\n2 handles, then EAGAIN")

	b = sleeper(t)
	b.resources(`{"rdma":{"` + rdmaDevice + `":{"hcaObjects":7}}}`)
	b.create()
	b.ok("start", b.id)
	equal(t, b.group("rdma.max"), rdmaDevice+" hca_handle=max hca_object=7")
	b.stdin = `{"rdma":{"` + rdmaDevice + `":{"hcaHandles":1}}}`
	b.ok("update", "--resources", "-", b.id)
	equal(t, b.group("rdma.max"), rdmaDevice+" hca_handle=1 hca_object=7")
	b.stdin = `{"rdma":{"nothing0":{"hcaHandles":1}}}`
	b.refused("/rdma/nothing0", "update", "--resources", "-", b.id)
	b.stdin = ""
	b.ok("delete", "--force", b.id)
}

// rdmaHandles opens the device until that fails, and says how often it did not.
func rdmaHandles() {
	n := 0
	for ; n < 10; n++ {
		f, err := os.OpenFile("/dev/uverbs", os.O_RDWR, 0)
		if err == nil {
			_, err = f.Write(getContext())
		}
		if err != nil {
			var errno unix.Errno
			errors.As(err, &errno)
			fmt.Printf("%d handles, then %s\n", n, unix.ErrnoName(errno))
			return
		}
		defer f.Close()
	}
	fmt.Println("no end of handles")
}

// getContext is the command of rdma/ib_user_verbs.h that makes a handle of the file: a
// header, with the lengths of the command and of its answer in words, and where the answer
// goes. What the driver says of itself follows the answer.
func getContext() []byte {
	const command = 0 // IB_USER_VERBS_CMD_GET_CONTEXT
	raw := binary.NativeEndian.AppendUint32(nil, command)
	raw = binary.NativeEndian.AppendUint16(raw, answerWords)
	raw = binary.NativeEndian.AppendUint16(raw, answerWords)
	return binary.NativeEndian.AppendUint64(raw, uint64(uintptr(unsafe.Pointer(&answer))))
}

const answerWords = 4

// answer is what the kernel writes of a new handle.
var answer [answerWords]uint32
