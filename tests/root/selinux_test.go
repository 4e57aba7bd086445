package root_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Labels as the policies of the distributions have them.
const (
	processLabel = "system_u:system_r:container_t:s0:c1,c2"
	fileLabel    = "system_u:object_r:container_file_t:s0:c1,c2"
)

// needSELinux wants a policy that says what it sees and forbids nothing: the root
// file systems of these tests have no labels of their own.
func needSELinux(t *testing.T) {
	t.Helper()
	needRoot(t)
	if enforce, err := os.ReadFile("/sys/fs/selinux/enforce"); err != nil || string(enforce) != "0" {
		if os.Getenv("BRIG_VM") != "" {
			t.Fatalf("this test machine has no permissive SELinux policy: %q, %v", enforce, err)
		}
		t.Skip("needs a kernel with a permissive SELinux policy")
	}
}

func TestSELinux(t *testing.T) {
	needSELinux(t)
	const (
		label  = `{"process":{"selinuxLabel":"` + processLabel + `"}}`
		mounts = `{"linux":{"mountLabel":"` + fileLabel + `"}}`
		attrs  = `for a in current exec keycreate; do tr '\0' '\n' </proc/self/attr/$a; done; `
	)
	t.Run("process", func(t *testing.T) {
		for _, patch := range []string{label, withUserNamespace, `{"process":{"noNewPrivileges":false}}`} {
			b := newBox(t, patch, label)
			equal(t, b.run(attrs), processLabel)
		}
	})
	t.Run("rootless", func(t *testing.T) {
		b := ordinary(t)
		b.patch(label)
		equal(t, b.run(attrs), processLabel)
	})
	t.Run("exec", func(t *testing.T) {
		b := sleeping(t)
		equal(t, b.exec(attrs, "--process-label", processLabel), processLabel)
	})
	t.Run("mounts", func(t *testing.T) {
		for _, patch := range []string{mounts, withUserNamespace} {
			b := newBox(t, patch, mounts)
			const context = `context="` + fileLabel + `"`
			got := b.run(`for m in /proc /dev /dev/pts /dev/shm /sys; do awk -v p=$m '$5 == p { print p, $NF }' /proc/self/mountinfo; done`)
			for line := range strings.Lines(got) {
				where, options, _ := strings.Cut(strings.TrimSpace(line), " ")
				want := where != "/proc" && where != "/sys" && options != ""
				if want != strings.Contains(options, context) {
					t.Errorf("%s: %s", where, options)
				}
			}
			if strings.Count(got, context) < 2 {
				t.Errorf("labelled: %s", got)
			}
		}
	})
	t.Run("message queues", func(t *testing.T) {
		b := newBox(t, mounts)
		b.args("/bin/sleep", "1000")
		b.create()
		var label [256]byte
		n, err := unix.Getxattr("/proc/"+strconv.Itoa(b.initOf())+"/root/dev/mqueue", "security.selinux", label[:])
		must(t, err)
		equal(t, strings.TrimRight(string(label[:n]), "\x00"), fileLabel)
		b.ok("delete", "--force", b.id)
	})
	t.Run("a type of context", func(t *testing.T) {
		b := newBox(t, mounts, `{"annotations":{"run.oci.mount_context_type":"rootcontext"}}`)
		if got := b.run(`awk '$5 == "/dev" { print $NF }' /proc/self/mountinfo`); strings.Contains(got, `,context=`) || !strings.Contains(got, `rootcontext="`+fileLabel) {
			t.Error(got)
		}
	})
	t.Run("no such label", func(t *testing.T) {
		for patch, want := range map[string]string{
			`{"process":{"selinuxLabel":"system_u:system_r:brig_no_such_t:s0"}}`: "/process/selinuxLabel: set `/proc/thread-self/attr/exec`: write: EINVAL",
			`{"linux":{"mountLabel":"system_u:object_r:brig_no_such_t:s0"}}`:     "/linux/mountLabel: label the tmpfs for ",
		} {
			b := newBox(t, patch)
			if r := b.try("echo runs"); r.code == 0 || r.out != "" || !strings.Contains(r.err, want) {
				t.Errorf("exit %d, stdout %q, stderr %q, want %q", r.code, r.out, r.err, want)
			}
		}
	})
}
