package root_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// profile allows all but one file.
const profile = `profile brig-root-test flags=(attach_disconnected, mediate_deleted) {
	capability,
	network,
	file,
	mount,
	umount,
	remount,
	pivot_root,
	ptrace,
	signal,
	unix,
	dbus,
	deny /etc/secret r,
}
`

// loadProfile gives the kernel the profile for the time of a test.
func loadProfile(t *testing.T) {
	t.Helper()
	needRoot(t)
	if enabled, err := os.ReadFile("/sys/module/apparmor/parameters/enabled"); err != nil || enabled[0] != 'Y' {
		absent(t, "needs a kernel with AppArmor")
	}
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		absent(t, "needs apparmor_parser: %v", err)
	}
	parse := func(flags string) {
		cmd := exec.Command(parser, "--skip-cache", flags)
		cmd.Stdin = strings.NewReader(profile)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser %s: %v: %s", flags, err, out)
		}
	}
	parse("--replace")
	t.Cleanup(func() { parse("--remove") })
}

// confined prints the profile of the process and tries what it denies.
const confined = `cat /proc/self/attr/apparmor/current; cat /etc/secret 2>/dev/null || echo denied`

const confinedSays = "brig-root-test (enforce)\ndenied"

func TestAppArmor(t *testing.T) {
	loadProfile(t)
	const inProfile = `{"process":{"apparmorProfile":"brig-root-test"}}`
	secret := func(b *box) { write(b.t, b.rootfs+"/etc/secret", "secret") }
	// Not in parallel: the profile goes when the test is over.
	for _, c := range [...]struct{ name, patch string }{
		{"root", inProfile},
		{"an ordinary user of the container", `{"process":{"apparmorProfile":"brig-root-test","user":{"uid":1000,"gid":1000}}}`},
		{"with new privileges", `{"process":{"apparmorProfile":"brig-root-test","noNewPrivileges":false}}`},
		{"with a filter", `{"process":{"apparmorProfile":"brig-root-test"},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t, c.patch)
			secret(b)
			equal(t, b.run(confined), confinedSays)
		})
	}
	t.Run("user namespace", func(t *testing.T) {
		b := newBox(t, withUserNamespace, inProfile)
		secret(b)
		equal(t, b.run(confined), confinedSays)
	})
	t.Run("rootless", func(t *testing.T) {
		b := ordinary(t)
		b.patch(inProfile)
		secret(b)
		equal(t, b.run(confined), confinedSays)
	})
	t.Run("without a profile", func(t *testing.T) {
		b := newBox(t)
		secret(b)
		equal(t, b.run(confined), "unconfined\nsecret")
	})
	t.Run("exec", func(t *testing.T) {
		b := sleeping(t, inProfile)
		secret(b)
		equal(t, b.exec(confined), confinedSays)
		equal(t, reads(t, "/proc/"+strconv.Itoa(b.initOf())+"/attr/apparmor/current"), "brig-root-test (enforce)\n")
	})
	t.Run("exec with a profile of its own", func(t *testing.T) {
		b := sleeping(t)
		secret(b)
		equal(t, b.exec(confined), "unconfined\nsecret")
		equal(t, b.exec(confined, "--apparmor", "brig-root-test"), confinedSays)
	})
	t.Run("no such profile", func(t *testing.T) {
		b := newBox(t, `{"process":{"apparmorProfile":"brig-no-such"}}`)
		r := b.try("echo runs")
		if r.code == 0 || r.out != "" || !strings.Contains(r.err, "/process/apparmorProfile: set `/proc/thread-self/attr/apparmor/exec`: write: ENOENT") {
			t.Errorf("exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
		}
	})
}
