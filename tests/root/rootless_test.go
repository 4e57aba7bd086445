package root_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ordinary makes a box that an ordinary user runs, who is root of the container.
func ordinary(t *testing.T) *box {
	t.Helper()
	const id = 1000
	b := newBox(t, withUserNamespace)
	b.patch(fmt.Sprintf(`{"linux":{"uidMappings":[{"containerID":0,"hostID":%d,"size":1}],"gidMappings":[{"containerID":0,"hostID":%d,"size":1}]}}`, id, id))
	b.user = &syscall.Credential{Uid: id, Gid: id}
	b.env = []string{"PATH=/usr/bin:/bin"}
	// The user has to get there, and to own it.
	must(t, os.Chmod(filepath.Dir(b.dir), 0o755))
	must(t, filepath.WalkDir(b.dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, id, id)
	}))
	return b
}

func TestOrdinaryUser(t *testing.T) {
	t.Run("ids", func(t *testing.T) {
		t.Parallel()
		equal(t, ordinary(t).run("id -u; id -g; tr -s ' ' </proc/self/uid_map; cat /proc/self/setgroups"), "0\n0\n 0 1000 1\ndeny")
	})
	t.Run("namespaces", func(t *testing.T) {
		t.Parallel()
		equal(t, ordinary(t).run("hostname; echo $$; ls /sys/class/net; cat /proc/1/comm"), "box\n1\nlo\ncat")
	})
	t.Run("mounts, masks, devices", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		b.mount("/one/two", "bind", b.source(), "bind", "ro")
		b.patch(`{"root":{"readonly":true}}`)
		equal(t, b.run(options+"cat /one/two/file; options /one/two | cut -d, -f1; ! touch /x 2>/dev/null && echo refused; wc -c </proc/keys; echo x >/dev/null; stat -c %t,%T /dev/zero"),
			"of the host\nro\nrefused\n0\n1,5")
	})
	t.Run("capabilities", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		b.patch(`{"process":{"capabilities":` + ambient + `}}`)
		b.args("/bin/grep", "^Cap", "/proc/self/status")
		r := b.start()
		equal(t, r.out+r.err, sets{kill | chown, threeCaps, threeCaps, threeCaps, kill}.String()+"\n")
	})
	t.Run("lifecycle", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		b.args("/bin/sleep", "1000")
		b.create()
		equal(t, b.status(), "created")
		if r := b.brig("exec", b.id, "/bin/true"); r.code != 255 || !strings.Contains(r.err, "EACCES: permission denied (an ordinary user can enter a container only when its payload runs: start it first)") {
			t.Errorf("exit %d, %q", r.code, r.err)
		}
		b.ok("start", b.id)
		equal(t, b.status(), "running")
		b.ok("exec", b.id, "/bin/true")
		b.ok("delete", "--force", b.id)
	})
	t.Run("another's ids", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		b.patch(`{"linux":{"uidMappings":[{"containerID":0,"hostID":0,"size":1}]}}`)
		if r := b.try("id -u"); r.code == 0 || r.out != "" {
			t.Errorf("exit %d, stdout %q", r.code, r.out)
		}
	})
}
