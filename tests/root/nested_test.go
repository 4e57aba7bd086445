package root_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inner puts a bundle into the root file system, and brig beside it.
func (b *box) inner(config string) {
	b.t.Helper()
	makeRootfs(b.t, b.rootfs+"/inner/rootfs")
	write(b.t, b.rootfs+"/inner/config.json", config)
	raw, err := os.ReadFile(brig(b.t))
	must(b.t, err)
	must(b.t, os.WriteFile(b.rootfs+"/bin/brig", raw, 0o755))
}

// everything is what a container needs to make containers itself.
const everything = `{"process":{"capabilities":{"bounding":CAPS,"effective":CAPS,"permitted":CAPS}},"linux":{"maskedPaths":null,"readonlyPaths":null}}`

func allowsAll() string {
	var names []string
	for _, c := range []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_ADMIN", "SYS_CHROOT", "MKNOD", "NET_ADMIN", "SYS_PTRACE", "SETFCAP", "BPF"} {
		names = append(names, `"CAP_`+c+`"`)
	}
	return strings.ReplaceAll(everything, "CAPS", "["+strings.Join(names, ",")+"]")
}

const innerScript = "id -u; ls -a / | tr '\\n' ' '; echo; echo x >/dev/null && stat -c %F /dev/null; cat /proc/1/comm; grep -c . /proc/keys; true"

const innerSays = "0\n. .. bin dev etc home proc sys tmp \ncharacter special file\nsh\n0"

func innerConfig(t *testing.T, patches ...string) string {
	t.Helper()
	b := &box{t: t, config: decode(t, reads(t, "testdata/config.json")).(map[string]any)}
	for _, p := range patches {
		b.patch(p)
	}
	b.config["process"].(map[string]any)["args"] = []any{"/bin/sh", "-c", innerScript}
	return encode(t, b.config)
}

// brig runs in a privileged container of brig's, with a cgroup of its own below that.
func TestNestedPrivileged(t *testing.T) {
	b := newBox(t, allowsAll())
	b.writableCgroup()
	b.inner(innerConfig(t))
	equal(t, b.run("brig --root /tmp/state run -b /inner box; ls /sys/fs/cgroup | grep -c brig; ls -A /tmp/state"), innerSays+"\n1")
}

// In a container with a user namespace too, where brig is root and may make no nodes.
func TestNestedUserNamespace(t *testing.T) {
	b := newBox(t, allowsAll(), withUserNamespace)
	b.inner(innerConfig(t, `{"mounts":null}`))
	root := decode(t, `{"destination":"/","source":"rootfs","options":["rbind","idmap"]}`)
	b.config["mounts"] = append([]any{root}, b.config["mounts"].([]any)...)
	config := decode(t, reads(t, b.rootfs+"/inner/config.json")).(map[string]any)
	config["mounts"] = []any{
		decode(t, `{"destination":"/proc","type":"proc","source":"proc"}`), decode(t, `{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]}`),
	}
	write(t, b.rootfs+"/inner/config.json", encode(t, config))
	equal(t, b.run("brig --root /tmp/state run -b /inner box; ls -A /tmp/state"), innerSays)
	// Ids that it does not have it cannot hand on, and says so.
	write(t, b.rootfs+"/inner/config.json", innerConfig(t, withUserNamespace))
	r := b.try("brig --root /tmp/state run -b /inner other")
	if r.code == 0 || !strings.Contains(r.err, "only the ids that it has there") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}

// Rootless engines run brig as root of a user namespace outside of any container.
func TestRootOfUserNamespace(t *testing.T) {
	b := newBox(t)
	b.args("/bin/sh", "-c", innerScript)
	for i, m := range b.config["mounts"].([]any) {
		if m.(map[string]any)["destination"] == "/sys" {
			// Without a network namespace of its own the kernel mounts it only so.
			b.config["mounts"].([]any)[i] = decode(t, `{"destination":"/sys","type":"none","source":"/sys","options":["rbind","nosuid","noexec","nodev","ro"]}`)
		}
	}
	b.save()
	must(t, os.MkdirAll(b.state, 0o700))
	must(t, filepath.WalkDir(b.dir, func(name string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(name, 700000, 700000)
		}
		return err
	}))
	for d := b.dir; d != os.TempDir(); d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	raw, err := os.ReadFile(brig(t))
	must(t, err)
	must(t, os.WriteFile(b.dir+"/brig", raw, 0o755))
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 700000, Size: 65536}}
	cmd := exec.Command(b.dir+"/brig", "--root", b.state, "run", "-b", b.bundle, b.id)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{Uid: 0, Gid: 0},
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	equal(t, strings.TrimSuffix(string(out), "\n"), innerSays)
}
