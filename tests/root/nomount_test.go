package root_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// sharesMounts takes the mount namespace out of the list, or puts one to join in.
func sharesMounts(path string) string {
	mount := ""
	if path != "" {
		mount = fmt.Sprintf(`{"type":"mount","path":%q},`, path)
	}
	return `{"linux":{"namespaces":[` + mount + `{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"}]}}`
}

// needs615 skips where nothing can be mounted on a tree that is attached nowhere.
func needs615(t *testing.T) {
	t.Helper()
	var name unix.Utsname
	must(t, unix.Uname(&name))
	var major, minor int
	release := unix.ByteSliceToString(name.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 15 {
		b := newBox(t, sharesMounts(""))
		r := b.try("true")
		if r.code == 0 || !strings.Contains(r.err, "/linux/namespaces: a container without a new mount namespace needs Linux 6.15") {
			t.Errorf("exit %d, %s", r.code, r.err)
		}
		t.Skipf("Linux %s has no mounts on detached trees, and brig says so", release)
	}
}

// A container without a mount namespace of its own is in that of the host, and its
// root is a tree that the host does not see.
func TestNoMountNamespace(t *testing.T) {
	needs615(t)
	host, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	b := newBox(t, sharesMounts(""), `{"root":{"readonly":true},"hooks":{"startContainer":[{"path":"/bin/touch","args":["touch","/tmp/hook"]}]}}`)
	b.mount("/tmp", "tmpfs", "tmpfs")
	b.mount("/data", "bind", b.submount(), "rbind", "ro")
	must(t, os.Mkdir(b.rootfs+"/data", 0o755))
	before := b.hostMounts()
	b.args("/bin/sleep", "1000")
	b.create()
	b.ok("start", b.id)
	const look = options + `readlink /proc/self/ns/mnt; ls -a / | tr '\n' ' '; echo; ls -a /.. | tr '\n' ' '; echo; cat /data/file /data/sub/deep
		ls /tmp; ! touch /data/x /x 2>/dev/null && echo refused; cat /proc/keys | wc -c; wc -l </proc/self/mountinfo; pwd`
	want := host + "\n. .. bin data dev etc home proc sys tmp \n. .. bin data dev etc home proc sys tmp \nof the host\ndeep\nhook\nrefused\n0\n0\n/"
	equal(t, b.exec(look), want)
	equal(t, fmt.Sprint(b.hostMounts()), fmt.Sprint(before))
	b.ok("delete", "--force", b.id)
	equal(t, fmt.Sprint(b.hostMounts()), fmt.Sprint(before))
	b.patch(`{"hooks":null}`)
	equal(t, b.run(look), strings.Replace(want, "hook\n", "", 1))
}

// What mounts there are in a namespace that is joined stays as it is.
func TestJoinedMountNamespace(t *testing.T) {
	needs615(t)
	dir := t.TempDir()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	ns := fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid)
	mounts := fmt.Sprintf("/proc/%d/mountinfo", cmd.Process.Pid)
	want, err := os.Readlink(ns)
	must(t, err)
	before := reads(t, mounts)
	b := newBox(t, sharesMounts(ns))
	b.mount("/tmp", "tmpfs", "tmpfs")
	write(t, dir+"/file", "of the host\n")
	b.mount("/data", "bind", dir, "bind")
	const look = "readlink /proc/self/ns/mnt; cat /data/file; ls -a / | tr '\\n' ' '; cat /proc/keys | wc -c"
	says := want + "\nof the host\n. .. bin data dev etc home proc sys tmp 0"
	equal(t, b.run(look), says)
	b.args("/bin/sleep", "1000")
	b.create()
	b.ok("start", b.id)
	equal(t, b.exec(look), says)
	equal(t, reads(t, mounts), before)
	b.ok("delete", "--force", b.id)
	equal(t, reads(t, mounts), before)
}

// Without any section about Linux a container shares all namespaces, and has its own
// root all the same.
func TestNoNamespaces(t *testing.T) {
	needs615(t)
	host, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	b := newBox(t, `{"linux":null,"hostname":null,"mounts":null}`)
	b.mount("/proc", "proc", "proc")
	equal(t, b.run("readlink /proc/self/ns/mnt; ls / | tr '\n' ' '"), host+"\nbin dev etc home proc sys tmp ")
}

func TestNoMountNamespaceRefusals(t *testing.T) {
	needs615(t)
	refuse(t, []refusal{
		{name: "with a user namespace", make: func(b *box) {
			b.patch(`{"linux":{"namespaces":[{"type":"pid"},{"type":"user"}],"uidMappings":[{"containerID":0,"hostID":700000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":800000,"size":65536}]}}`)
		}, want: []string{"/linux/namespaces", "with a user namespace the mount namespace has to be a new one"}},
		{name: "a mount that fails", patch: sharesMounts(""), make: func(b *box) { b.mount("/data", "bind", b.dir+"/none", "bind") }, want: []string{"/source", "no such file"}},
		{name: "no such namespace", patch: sharesMounts("/proc/self/ns/none"), want: []string{"/linux/namespaces/0/path", "no such file"}},
		{name: "another namespace", patch: sharesMounts("/proc/self/ns/uts"), want: []string{"/linux/namespaces/0/path: join the mount namespace", "invalid argument"}},
	})
}

// A way out needs two capabilities; brig says so.
func TestNoMountNamespaceWarns(t *testing.T) {
	needs615(t)
	b := newBox(t, sharesMounts(""), `{"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN","CAP_SYS_CHROOT"]}}}`)
	r := b.try("true")
	if r.code != 0 || !strings.Contains(r.err, "CAP_SYS_ADMIN and CAP_SYS_CHROOT are a way out of the root file system") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}
