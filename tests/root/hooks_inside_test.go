package root_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// insideHook is an entry of /hooks that runs a script of the container's shell.
func insideHook(script string, more ...any) map[string]any { return hookOf(script, more...) }

// startWithHooks runs a payload by run, or by create and start.
func (b *box) startWithHooks(verb string) result {
	if verb == "run" {
		return b.start()
	}
	b.create()
	r := b.brig("start", b.id)
	if r.code == 0 {
		b.wait()
		b.ok("delete", b.id)
	}
	return r
}

// A startContainer hook is a process of the container, confined as its payload.
func TestHooksStartContainer(t *testing.T) {
	for _, verb := range []string{"start", "run"} {
		for name, patches := range map[string][]string{
			"root":           {`{"process":{"env":["PATH=/bin","SECRET=of the payload"]}}`},
			"user namespace": {withUserNamespace, `{"process":{"env":["PATH=/bin","SECRET=of the payload"]}}`},
			"another user":   {`{"process":{"env":["PATH=/bin","SECRET=of the payload"],"user":{"uid":1000,"gid":1000},"cwd":"/tmp"}}`},
			"no PID namespace": {`{"hostname":null,"process":{"env":["PATH=/bin","SECRET=of the payload"]},
				"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}],
				"linux":{"namespaces":[{"type":"mount"}]}}`},
			"an ordinary user": {`{"process":{"env":["PATH=/bin","SECRET=of the payload"]}}`},
		} {
			t.Run(verb+" "+name, func(t *testing.T) {
				t.Parallel()
				b := boxOf(t, name, patches...)
				must(t, os.Chmod(b.rootfs+"/tmp", 0o777))
				const look = "exec >/tmp/NAME; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; ls -l /proc/self/fd | wc -l; pwd; umask; env; for n in /proc/self/ns/*; do readlink $n; done; cat /proc/self/cgroup"
				b.hook("startContainer", insideHook(strings.ReplaceAll(look, "NAME", "inherits")))
				b.hook("startContainer", insideHook("/bin/busybox tr '\\0' '\\n' </proc/$$/environ >/tmp/own; true", "env", []any{"A=b"}))
				b.hook("startContainer", insideHook("cat >/tmp/state; echo $$ >/tmp/pid"))
				b.args("/bin/sh", "-c", strings.ReplaceAll(look, "NAME", "payload")+"; echo $$ >/tmp/payload.pid; ls /tmp/own >/dev/null && touch /tmp/after")
				if r := b.startWithHooks(verb); r.code != 0 {
					t.Fatalf("exit %d, %q", r.code, r.err)
				}
				equal(t, reads(t, b.rootfs+"/tmp/inherits"), reads(t, b.rootfs+"/tmp/payload"))
				equal(t, reads(t, b.rootfs+"/tmp/own"), "A=b\n")
				var s hookState
				must(t, json.Unmarshal([]byte(reads(t, b.rootfs+"/tmp/state")), &s))
				if s.Status != "created" || s.ID != b.id || fmt.Sprintln(*s.Pid) != reads(t, b.rootfs+"/tmp/payload.pid") {
					t.Errorf("%+v, payload %s", s, reads(t, b.rootfs+"/tmp/payload.pid"))
				}
				if !b.exists("/tmp/after") {
					t.Error("the payload ran before the hooks")
				}
			})
		}
	}
}

// boxOf is newBox, and for "an ordinary user" one of his.
func boxOf(t *testing.T, whose string, patches ...string) *box {
	t.Helper()
	if whose != "an ordinary user" {
		return newBox(t, patches...)
	}
	b := ordinary(t)
	for _, p := range patches {
		b.patch(p)
	}
	return b
}

// A startContainer hook that fails ends the container, and the payload never runs.
func TestHooksStartContainerFail(t *testing.T) {
	for _, c := range []struct {
		name string
		hook map[string]any
		want string
	}{
		{"exit status", insideHook("echo said; echo complained >&2; exit 3"), `exit status 3, stdout: said\n, stderr: complained\n`},
		{"missing", map[string]any{"path": "/no/hook"}, `exec: "/no/hook": ENOENT: no such file or directory`},
		{"not executable", map[string]any{"path": "/etc/file"}, `exec: "/etc/file": EACCES: permission denied`},
		{"timeout", insideHook("sleep 100 & exec sleep 100", "timeout", 1), "hook ran past specified timeout of 1.0s, stdout: , stderr: "},
		{"killed", insideHook("kill -KILL $$"), "signal: killed, stdout: , stderr: "},
	} {
		for _, verb := range []string{"start", "run"} {
			for _, whose := range []string{"root", "an ordinary user"} {
				t.Run(c.name+" "+verb+" "+whose, func(t *testing.T) {
					t.Parallel()
					b := boxOf(t, whose)
					write(t, b.rootfs+"/etc/file", "#!/bin/sh\n")
					b.args("/bin/touch", "/tmp/payload")
					b.hook("startContainer", insideHook("true"), c.hook, insideHook("touch /tmp/payload"))
					b.hook("poststop", hookOf(b.line("end")))
					r := b.startWithHooks(verb)
					if r.code != 1 || !strings.HasPrefix(r.err, "brig: /hooks/startContainer/1: error running startContainer hook #1: ") || !strings.Contains(r.err, c.want) {
						t.Errorf("exit %d, %q", r.code, r.err)
					}
					if b.exists("/tmp/payload") {
						t.Error("the payload, or the hook after, ran")
					}
					equal(t, b.logged(), "end\n")
					b.refused("container does not exist", "state", b.id)
				})
			}
		}
	}
}

// A createContainer hook is a program of the host, with the host's files, in the
// container's namespaces, where all is mounted: what it mounts is the container's.
func TestHooksCreateContainer(t *testing.T) {
	for _, verb := range []string{"start", "run"} {
		for name, patches := range map[string][]string{
			"root":             nil,
			"user namespace":   {withUserNamespace},
			"masked":           {`{"linux":{"maskedPaths":["/proc/kcore"]}}`},
			"an ordinary user": nil,
		} {
			t.Run(verb+" "+name, func(t *testing.T) {
				t.Parallel()
				b := boxOf(t, name, patches...)
				for _, d := range []string{b.rootfs + "/data", b.rootfs + "/mnt", b.dir + "/extra", b.dir + "/out"} {
					mkdir(t, d, 0o777)
				}
				// The root of a user namespace has to get there.
				for d := b.dir; d != os.TempDir(); d = d[:strings.LastIndexByte(d, '/')] {
					must(t, os.Chmod(d, 0o755))
				}
				must(t, os.Chmod(b.rootfs+"/tmp", 0o777))
				write(t, b.dir+"/extra/file", "from the hook\n")
				b.mount("/data", "bind", b.source(), "rbind")
				b.env = []string{"PATH=/usr/bin:/bin", "BRIG_TEST=yes"}
				b.hook("createRuntime", hookOf(b.line("first")))
				b.hook("createContainer", hookOf("exec >"+b.dir+"/out/look; pwd; echo $BRIG_TEST; umask; ls /proc/self/fd | wc -l; test -e "+busybox+" && echo host; cut -d ' ' -f 5 /proc/self/mountinfo"))
				b.hook("createContainer", hookOf("mount --bind "+b.dir+"/extra "+b.rootfs+"/mnt"))
				b.hook("createContainer", hookOf("cat >"+b.dir+"/out/state; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done >"+b.dir+"/out/ns"))
				b.args("/bin/sh", "-c", "exec >/tmp/out; cat /mnt/file; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done")
				if r := b.startWithHooks(verb); r.code != 0 {
					t.Fatalf("exit %d, %q", r.code, r.err)
				}
				equal(t, reads(t, b.rootfs+"/tmp/out"), "from the hook\n"+reads(t, b.dir+"/out/ns"))
				look := reads(t, b.dir+"/out/look")
				if !strings.HasPrefix(look, b.bundle+"\nyes\n0022\n4\nhost\n") || !strings.Contains(look, "\n"+b.rootfs+"/data\n") || strings.Contains(look, b.rootfs+"/proc/kcore") {
					t.Error(look)
				}
				var s hookState
				must(t, json.Unmarshal([]byte(reads(t, b.dir+"/out/state")), &s))
				if s.Status != "creating" || *s.Pid != 1 || s.Bundle != b.bundle {
					t.Errorf("%+v", s)
				}
				equal(t, b.logged(), "first\n")
			})
		}
	}
}

// A createContainer hook that fails is an error of create, and nothing is left.
func TestHooksCreateContainerFail(t *testing.T) {
	for _, c := range []struct {
		name string
		hook map[string]any
		want string
	}{
		{"exit status", hookOf("echo said; echo complained >&2; exit 3"), `exit status 3, stdout: said\n, stderr: complained\n`},
		{"missing", map[string]any{"path": "/no/hook"}, `exec: "/no/hook": execve "/no/hook": ENOENT: no such file or directory`},
		{"not executable", map[string]any{"path": "/etc/passwd"}, `exec: "/etc/passwd": execve "/etc/passwd": EACCES: permission denied`},
		{"timeout", hookOf("sleep 100 & exec sleep 100", "timeout", 1), "hook ran past specified timeout of 1.0s, stdout: , stderr: "},
	} {
		for _, verb := range []string{"create", "run"} {
			for _, whose := range []string{"root", "an ordinary user"} {
				t.Run(c.name+" "+verb+" "+whose, func(t *testing.T) {
					t.Parallel()
					b := boxOf(t, whose)
					b.hook("createContainer", hookOf("true"), c.hook, hookOf(b.line("never")))
					b.hook("poststop", hookOf(b.line("end")))
					b.save()
					r := b.brig(verb, "--bundle", b.bundle, b.id)
					if r.code != 1 || !strings.HasPrefix(r.err, "brig: /hooks/createContainer/1: error running createContainer hook #1: ") || !strings.Contains(r.err, c.want) {
						t.Errorf("exit %d, %q", r.code, r.err)
					}
					equal(t, b.logged(), "end\n")
					b.refused("container does not exist", "state", b.id)
				})
			}
		}
	}
}

// The hooks of an ordinary user's container run as that user, and those that enter it
// as its root.
func TestHooksRootless(t *testing.T) {
	t.Run("on the host", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		for _, kind := range hostHooks {
			b.hook(kind, hookOf("echo "+kind+" $(id -u) >>"+b.dir+"/log"))
		}
		b.run("sleep 0.2")
		equal(t, b.logged(), "prestart 1000\ncreateRuntime 1000\npoststart 1000\npoststop 1000\n")
	})
	for _, verb := range []string{"start", "run"} {
		t.Run("all of them, with clocks of their own, by "+verb, func(t *testing.T) {
			t.Parallel()
			b := ordinary(t)
			b.patch(`{"linux":{"timeOffsets":{"boottime":{"secs":86400}},"namespaces":[{"type":"mount"},{"type":"user"},{"type":"pid"},
				{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"time"},{"type":"cgroup"}]}}`)
			must(t, os.Chmod(b.rootfs+"/tmp", 0o777))
			const look = "echo hook $(id -u) $(for n in user mnt pid net ipc uts time cgroup; do readlink /proc/self/ns/$n; done) >>"
			b.hook("createContainer", hookOf(look+b.rootfs+"/tmp/log"))
			b.hook("startContainer", insideHook(look+"/tmp/log"))
			b.args("/bin/sh", "-c", look+"/tmp/log")
			// brig holds none of them any more when the container is gone.
			b.hook("poststop", hookOf("ls -l /proc/$PPID/fd | grep -cE ' (user|mnt|pid|net|ipc|uts|time|cgroup):' >"+b.dir+"/held; true"))
			if r := b.startWithHooks(verb); r.code != 0 {
				t.Fatalf("exit %d, %q", r.code, r.err)
			}
			lines := strings.Split(strings.TrimSpace(reads(t, b.rootfs+"/tmp/log")), "\n")
			if len(lines) != 3 || lines[0] != lines[2] || lines[1] != lines[2] || !strings.HasPrefix(lines[0], "hook 0 user:[") {
				t.Errorf("%q", lines)
			}
			equal(t, reads(t, b.dir+"/held"), "0\n")
		})
	}
}
