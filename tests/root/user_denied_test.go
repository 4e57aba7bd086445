package root_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A user namespace with one id, as an ordinary user makes it, denies setgroups to all who
// are in it: a container that joins it has no groups, and those of brig's caller neither.
func TestJoinsUserNamespaceWithoutGroups(t *testing.T) {
	b := newBox(t, `{"hostname":null}`)
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	holder := exec.Command(busybox, "sleep", "1000")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one, Pdeathsig: syscall.SIGKILL}
	must(t, holder.Start())
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	b.patch(fmt.Sprintf(`{"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"ipc"},{"type":"network"},{"type":"cgroup"},{"type":"uts"},{"type":"user","path":"/proc/%d/ns/user"}]}}`, holder.Process.Pid))
	b.user = &syscall.Credential{Uid: 0, Gid: 0, Groups: []uint32{7, 8}}
	equal(t, b.run("cat /proc/self/setgroups; echo $(grep Groups /proc/self/status)"), "deny\nGroups:")

	b.patch(`{"annotations":{"run.oci.keep_original_groups":"1"}}`)
	equal(t, b.run("echo $(grep Groups /proc/self/status)"), "Groups: 65534 65534")
	b.patch(`{"annotations":null,"process":{"user":{"additionalGids":[0]}}}`)
	b.save()
	const want = "/process/user/additionalGids: the user namespace denies setgroups, and so has no additional groups"
	if r := b.brig("run", "--bundle", b.bundle, b.id); r.code == 0 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, %q, want %q", r.code, r.err, want)
	}
}
