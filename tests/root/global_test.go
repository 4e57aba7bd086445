package root_test

import (
	"os"
	"strings"
	"testing"
)

func TestWithoutCgroup(t *testing.T) {
	b := newBox(t)
	own := strings.TrimSpace(reads(t, "/proc/self/cgroup"))
	b.config["linux"].(map[string]any)["namespaces"] = []any{map[string]any{"type": "mount"}, map[string]any{"type": "pid"}, map[string]any{"type": "uts"}, map[string]any{"type": "network"}, map[string]any{"type": "ipc"}}
	b.args("/bin/cat", "/proc/self/cgroup")
	b.save()
	equal(t, strings.TrimSpace(b.ok("--cgroup-manager", "disabled", "run", "--bundle", b.bundle, b.id)), own)
	b.patch(`{"linux":{"resources":{"unified":{"cgroup.max.depth":"3"}}}}`)
	b.save()
	b.refused("/linux/resources/unified/cgroup.max.depth: cannot be enforced without a cgroup", "--cgroup-manager", "disabled", "run", "--bundle", b.bundle, b.id)
}

// --rootless false makes a cgroup of an ordinary user's container, or there is none. Root's
// has one in any case: the policy of devices needs it.
func TestRootlessCgroup(t *testing.T) {
	own := strings.TrimSpace(reads(t, "/proc/self/cgroup"))
	const named = `{"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"uts"},{"type":"network"},{"type":"ipc"}],"cgroupsPath":null}}`
	for _, flag := range []string{"auto", "false", "true"} {
		b := newBox(t, named)
		b.args("/bin/cat", "/proc/self/cgroup")
		b.save()
		if got := strings.TrimSpace(b.ok("--rootless", flag, "run", "--bundle", b.bundle, b.id)); got == own || got == "" {
			t.Errorf("--rootless %s: in %s, and the caller is in %s", flag, got, own)
		}
	}
	u := ordinary(t)
	u.args("/bin/cat", "/proc/self/cgroup")
	u.save()
	equal(t, strings.TrimSpace(u.ok("--rootless", "true", "run", "--bundle", u.bundle, u.id)), strings.TrimSpace(u.ok("run", "--bundle", u.bundle, u.id)))
	u.refused("/linux/cgroupsPath: create the cgroup /brig/"+u.id+": EACCES: permission denied (the cgroup above it has to be delegated to the user)", "--rootless", "false", "run", "--bundle", u.bundle, u.id)
}

// A container that stays and has no cgroup can be entered, killed and deleted.
func TestLifeWithoutCgroup(t *testing.T) {
	b := newBox(t)
	b.args("/bin/sleep", "1000")
	b.save()
	cmd := b.command("--cgroup-manager", "disabled", "run", "--detach", "--bundle", b.bundle, b.id)
	cmd.Stdin = nil
	code, err := status(cmd.Run())
	must(t, err)
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	equal(t, b.exec("echo entered"), "entered")
	b.ok("kill", b.id, "KILL")
	b.wait()
	b.ok("delete", b.id)
}

func TestGlobalFlags(t *testing.T) {
	b := newBox(t)
	for text, args := range map[string][]string{
		"invalid --cgroup-manager: x": {"--cgroup-manager", "x", "list"},
		"invalid --log-level: x":      {"--log-level", "x", "list"},
		"invalid log-format: x":       {"--log-format", "x", "list"},
		"invalid --rootless: x":       {"--rootless", "x", "list"},
	} {
		b.refused(text, args...)
	}
	b.args("/bin/true")
	b.patch(`{"unknownKey":1}`)
	for level, want := range map[string]bool{"error": false, "warning": true, "debug": true} {
		log := b.dir + "/log-" + level
		b.save()
		b.ok("--log", "file:"+log, "--log-level", level, "run", "--bundle", b.bundle, b.id)
		if strings.Contains(reads(t, log), "unknownKey") != want {
			t.Errorf("%s: the log reads %q", level, reads(t, log))
		}
	}
}

// TestListOfSharedRoot: crun keeps a directory of its own in a root that it had from the
// same engine, and that is no container.
func TestListOfSharedRoot(t *testing.T) {
	b := newBox(t)
	mkdir(t, b.state, 0o700)
	mkdir(t, b.state+"/.cache", 0o700)
	mkdir(t, b.state+"/.cache/seccomp", 0o700)
	equal(t, b.ok("list", "-q"), "")
	b.id = ".of-mine"
	b.running()
	equal(t, b.ok("list", "-q"), ".of-mine\n")
	must(t, os.RemoveAll(b.state+"/.cache"))
}
