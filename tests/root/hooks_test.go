package root_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hookOf is an entry of /hooks that runs a shell script on the host.
func hookOf(script string, more ...any) map[string]any {
	h := map[string]any{"path": "/bin/sh", "args": []any{"sh", "-c", script}}
	for i := 0; i < len(more); i += 2 {
		h[more[i].(string)] = more[i+1]
	}
	return h
}

func (b *box) hook(kind string, hooks ...any) {
	all, ok := b.config["hooks"].(map[string]any)
	if !ok {
		all = map[string]any{}
		b.config["hooks"] = all
	}
	list, _ := all[kind].([]any)
	all[kind] = append(list, hooks...)
}

// hookState is what a hook reads.
type hookState struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Status      string            `json:"status"`
	Pid         *int              `json:"pid"`
	Bundle      string            `json:"bundle"`
	Root        string            `json:"root"`
	Annotations map[string]string `json:"annotations"`
}

// hostHooks are the kinds that run in the host's namespaces, in order.
var hostHooks = [...]string{"prestart", "createRuntime", "poststart", "poststop"}

// logged is a file in which hooks write lines.
func (b *box) logged() string {
	raw, _ := os.ReadFile(b.dir + "/log")
	return string(raw)
}

func (b *box) line(text string) string { return "echo " + text + " >>" + b.dir + "/log" }

func TestHooksOrder(t *testing.T) {
	for _, run := range []bool{false, true} {
		t.Run(fmt.Sprintf("run=%v", run), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			for _, kind := range hostHooks {
				b.hook(kind, hookOf(b.line(kind+"0")), hookOf(b.line(kind+"1")))
			}
			b.patch(`{"linux":{"sysctl":{"net.ipv4.ip_forward":"0"}}}`)
			if run {
				b.run("sleep 0.3")
			} else {
				b.args("/bin/sleep", "1000")
				b.create()
				equal(t, b.logged(), "prestart0\nprestart1\ncreateRuntime0\ncreateRuntime1\n")
				equal(t, b.status(), "created")
				b.ok("start", b.id)
				equal(t, strings.TrimPrefix(b.logged(), "prestart0\nprestart1\ncreateRuntime0\ncreateRuntime1\n"), "poststart0\npoststart1\n")
				equal(t, b.status(), "running")
				b.ok("delete", "--force", b.id)
			}
			equal(t, b.logged(), "prestart0\nprestart1\ncreateRuntime0\ncreateRuntime1\npoststart0\npoststart1\npoststop0\npoststop1\n")
		})
	}
}

func TestHooksState(t *testing.T) {
	b := sleeper(t, `{"annotations":{"org.example.key":"a\n\"b","zz":"1"}}`)
	for _, kind := range hostHooks {
		b.hook(kind, hookOf(fmt.Sprintf("cat >%s/%s.json; readlink /proc/self/ns/mnt >%[1]s/%[2]s.ns; pwd >%[1]s/%[2]s.cwd", b.dir, kind)))
	}
	b.create()
	pid := b.look().Pid
	b.ok("start", b.id)
	b.ok("delete", "--force", b.id)
	own, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	for kind, status := range map[string]string{"prestart": "created", "createRuntime": "creating", "poststart": "running", "poststop": "stopped"} {
		raw := reads(t, b.dir+"/"+kind+".json")
		var s hookState
		must(t, json.Unmarshal([]byte(raw), &s))
		if strings.Contains(raw, "\n") {
			t.Errorf("%s: more than one line: %q", kind, raw)
		}
		if s.Status != status || s.ID != b.id || s.Bundle != b.bundle || s.Root != b.rootfs || s.OCIVersion != "1.3.0" ||
			s.Annotations["org.example.key"] != "a\n\"b" || s.Annotations["zz"] != "1" {
			t.Errorf("%s: %s", kind, raw)
		}
		if stopped := status == "stopped"; stopped != (s.Pid == nil) || s.Pid != nil && *s.Pid != pid {
			t.Errorf("%s: the pid is not %d: %s", kind, pid, raw)
		}
		equal(t, reads(t, b.dir+"/"+kind+".ns"), own+"\n")
		equal(t, reads(t, b.dir+"/"+kind+".cwd"), b.bundle+"\n")
	}
}

// Of what brig has, and whoever called it, a hook gets stdio and the environment.
func TestHooksInherit(t *testing.T) {
	b := newBox(t)
	leak, err := os.Open("/")
	must(t, err)
	defer leak.Close()
	b.files = []*os.File{leak, leak}
	b.env = []string{"PATH=/usr/bin:/bin", "BRIG_TEST=yes"}
	list := func(name string) string { return "ls /proc/self/fd >" + b.dir + "/" + name }
	for _, kind := range hostHooks {
		b.hook(kind, hookOf(list(kind+".fds")))
		b.hook(kind, map[string]any{"path": "/usr/bin/env"}, hookOf(fmt.Sprintf("tr '\\0' '\\n' </proc/$$/environ >%s/%s.env; true", b.dir, kind)))
		b.hook(kind, hookOf(fmt.Sprintf("tr '\\0' '\\n' </proc/$$/environ >%s/%s.own; true", b.dir, kind), "env", []any{"PATH=/bin", "X=1"}))
		b.hook(kind, hookOf(fmt.Sprintf("/bin/tr '\\0' '\\n' </proc/$$/environ >%s/%s.none; true", b.dir, kind), "env", []any{}))
		b.hook(kind, hookOf(fmt.Sprintf("tr '\\0' ' ' </proc/$$/cmdline >%s/%s.args; exit 0", b.dir, kind)))
		b.hook(kind, map[string]any{"path": "/bin/busybox", "args": []any{"false-name"}})
	}
	delete(b.config["hooks"].(map[string]any), "poststop")
	r := b.try("sleep 0.2")
	// The last hook is busybox under a name that it does not know.
	if want := "/hooks/prestart/6: error running prestart hook #6: exit status 127, stdout: , stderr: false-name: applet not found"; r.code != 1 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	for _, kind := range hostHooks[:3] {
		list := b.config["hooks"].(map[string]any)[kind].([]any)
		b.config["hooks"].(map[string]any)[kind] = list[:6]
	}
	b.run("sleep 0.2")
	for _, kind := range hostHooks[:3] {
		equal(t, reads(t, b.dir+"/"+kind+".fds"), "0\n1\n2\n3\n") // 3 is the directory that ls reads
		equal(t, reads(t, b.dir+"/"+kind+".env"), strings.Join(b.env, "\n")+"\n")
		equal(t, reads(t, b.dir+"/"+kind+".own"), "PATH=/bin\nX=1\n")
		equal(t, reads(t, b.dir+"/"+kind+".none"), "")
		if args := reads(t, b.dir+"/"+kind+".args"); !strings.HasPrefix(args, "sh -c ") {
			t.Errorf("%s: %q", kind, args)
		}
	}
}

// A hook without args is called by its path, and nothing runs through a shell.
func TestHooksArguments(t *testing.T) {
	b := newBox(t)
	script := b.dir + "/a hook; $(x)"
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$0|$#|$1|$2\" >>"+b.dir+"/log\n"), 0o755))
	b.hook("createRuntime", map[string]any{"path": script}, map[string]any{"path": script, "args": []any{"zero", "$(one)", "*"}})
	b.run("true")
	equal(t, b.logged(), script+"|0||\n"+script+"|2|$(one)|*\n")
}

// When the hooks of create run, all is mounted, the root is where the config says,
// nothing is masked or read-only yet, and what they mount stays.
func TestHooksSeeTheMounts(t *testing.T) {
	for name, patches := range map[string][]string{
		"plain":          nil,
		"user namespace": {withUserNamespace},
		"masked":         {`{"root":{"readonly":true},"linux":{"maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, patches...)
			b.mount("/data", "bind", b.source(), "rbind")
			mkdir(t, b.rootfs+"/data", 0o755)
			mkdir(t, b.dir+"/extra", 0o755)
			write(t, b.dir+"/extra/file", "from the hook\n")
			must(t, os.Chmod(b.dir, 0o755))
			b.hook("createRuntime", hookOf(`pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/')
cut -d ' ' -f 5 /proc/$pid/mountinfo >`+b.dir+`/mounts
nsenter -t $pid -m sh -c 'mkdir -p `+b.rootfs+`/mnt && mount --bind `+b.dir+`/extra `+b.rootfs+`/mnt'`))
			equal(t, b.run("cat /mnt/file; ls -d /data"), "from the hook\n/data")
			mounts := "\n" + reads(t, b.dir+"/mounts")
			for _, want := range []string{"", "/proc", "/data", "/dev"} {
				if !strings.Contains(mounts, "\n"+b.rootfs+want+"\n") {
					t.Errorf("%q is not mounted:%s", want, mounts)
				}
			}
			if strings.Contains(mounts, b.rootfs+"/proc/kcore") {
				t.Errorf("masked before the hooks:%s", mounts)
			}
			// Nothing of it is on the host.
			if left, _ := filepath.Glob(b.rootfs + "/mnt/*"); len(left) > 0 {
				t.Errorf("on the host: %q", left)
			}
		})
	}
	t.Run("without pivot_root", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.hook("createRuntime", hookOf("true"))
		equal(t, b.run("ls -d /proc/self; ls /nothing 2>/dev/null; pwd", "--no-pivot"), "/proc/self\n/")
	})
}

// A hook that fails in create: the error says which and why, nothing is left, and
// the hooks of the end run.
func TestHooksFail(t *testing.T) {
	silent := map[string]any{"path": "/bin/false"}
	for _, c := range []struct {
		name string
		hook map[string]any
		want string
	}{
		{"exit status", hookOf("cat >/dev/null; echo said; echo complained >&2; exit 3"), `exit status 3, stdout: said\n, stderr: complained\n`},
		{"silent", silent, "exit status 1, stdout: , stderr: "},
		{"killed", hookOf("kill -ILL $$"), "signal: illegal instruction, stdout: , stderr: "},
		{"missing", map[string]any{"path": "/no/such/hook"}, "execute /no/such/hook: ENOENT: no such file or directory"},
		{"a directory", map[string]any{"path": "/etc"}, "execute /etc: EACCES: permission denied"},
		{"timeout", hookOf("echo before; exec sleep 100", "timeout", 1), `hook ran past specified timeout of 1.0s, stdout: before\n, stderr: `},
		{"timeout with children", hookOf("sleep 100 & sleep 100", "timeout", 1), "hook ran past specified timeout of 1.0s, stdout: , stderr: "},
		{"a writer without end", hookOf("exec cat /dev/zero", "timeout", 1), "hook ran past specified timeout of 1.0s, stdout: […]"},
		{"much output", hookOf("head -c 300000 /dev/zero | tr '\\0' x; echo end; exit 1"), `xxxxend\n, stderr: `},
	} {
		for _, verb := range []string{"create", "run"} {
			for _, kind := range []string{"prestart", "createRuntime"} {
				t.Run(c.name+" "+verb+" "+kind, func(t *testing.T) {
					t.Parallel()
					b := sleeper(t)
					b.hook(kind, hookOf(b.line("first")), c.hook, hookOf(b.line("never")))
					b.hook("poststart", hookOf(b.line("never")))
					b.hook("poststop", hookOf(b.line("last")))
					b.save()
					r := b.brig(verb, "--bundle", b.bundle, "--pid-file", b.dir+"/pid", b.id)
					prefix := "brig: /hooks/" + kind + "/1: error running " + kind + " hook #1: "
					if r.code != 1 || !strings.HasPrefix(r.err, prefix) || !strings.Contains(r.err, c.want) || strings.Count(r.err, "\n") != 1 {
						t.Errorf("exit %d, %.1000q", r.code, r.err)
					}
					if len(r.err) > 20000 {
						t.Errorf("%d bytes of error", len(r.err))
					}
					equal(t, b.logged(), "first\nlast\n")
					b.refused("container does not exist", "state", b.id)
					if _, err := os.Lstat(b.dir + "/pid"); err == nil {
						t.Error("a pid file is left")
					}
				})
			}
		}
	}
}

// A hook of start that fails ends the container, with an error.
func TestHooksFailPoststart(t *testing.T) {
	for _, verb := range []string{"start", "run", "run --detach"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			b.hook("poststart", hookOf("exit 7"), hookOf(b.line("never")))
			b.hook("poststop", hookOf(b.line("last")))
			const want = "/hooks/poststart/0: error running poststart hook #0: exit status 7, stdout: , stderr: "
			if verb == "start" {
				b.create()
				b.refused(want, "start", b.id)
			} else {
				b.save()
				b.refused(want, append(strings.Fields(verb), "--bundle", b.bundle, b.id)...)
			}
			equal(t, b.logged(), "last\n")
			b.refused("container does not exist", "state", b.id)
		})
	}
}

// A hook after the end that fails is a warning, and the next one runs.
func TestHooksFailPoststop(t *testing.T) {
	for _, verb := range []string{"delete", "run"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.hook("poststop", hookOf("echo no; exit 7"), hookOf(b.line("last")))
			b.args("/bin/true")
			var r result
			if verb == "run" {
				r = b.start()
			} else {
				b.create()
				r = b.brig("delete", b.id)
			}
			if r.code != 0 || !strings.Contains(r.err, `/hooks/poststop/0: error running poststop hook #0: exit status 7, stdout: no\n, stderr: `) {
				t.Errorf("exit %d, %q", r.code, r.err)
			}
			equal(t, b.logged(), "last\n")
		})
	}
	t.Run("without a bundle", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.hook("poststop", hookOf(b.line("never")))
		b.create()
		must(t, os.Rename(b.bundle, b.bundle+".gone"))
		r := b.brig("delete", b.id)
		must(t, os.Rename(b.bundle+".gone", b.bundle))
		if r.code != 0 || !strings.Contains(r.err, "/hooks/poststop/0: error running poststop hook #0: enter the bundle "+b.bundle+": ENOENT: ") {
			t.Errorf("exit %d, %q", r.code, r.err)
		}
		equal(t, b.logged(), "")
	})
}

// A container that fails before its hooks had their turn has none at its end; one
// that fails after them has.
func TestHooksOfFailures(t *testing.T) {
	for name, c := range map[string]struct {
		patch string
		want  string
	}{
		"before":              {`{"mounts":[{"destination":"/x","type":"nofs","source":"x"}]}`, ""},
		"after":               {`{"process":{"args":["/no/such/payload"]}}`, "create\nend\n"},
		"after, in the start": {`{"process":{"args":["/etc/script"]}}`, "create\nend\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, c.patch)
			write(t, b.rootfs+"/etc/script", "#!/none\n")
			must(t, os.Chmod(b.rootfs+"/etc/script", 0o755))
			b.hook("createRuntime", hookOf(b.line("create")))
			b.hook("poststart", hookOf(b.line("never")))
			b.hook("poststop", hookOf(b.line("end")))
			if r := b.start(); r.code != 1 || r.err == "" {
				t.Errorf("exit %d, %q", r.code, r.err)
			}
			equal(t, b.logged(), c.want)
		})
	}
}

// While a hook of create runs the container is being created, and brig says so.
func TestHooksAskForTheState(t *testing.T) {
	b := sleeper(t)
	b.hook("createRuntime", hookOf(fmt.Sprintf("%s --root %s state %s >%s/said", brig(t), b.state, b.id, b.dir)))
	b.create()
	var s state
	must(t, json.Unmarshal([]byte(reads(t, b.dir+"/said")), &s))
	if now := b.look(); s.Status != "creating" || s.Pid != now.Pid || now.Status != "created" {
		t.Errorf("in the hook: %+v, after it: %+v", s, now)
	}
	b.ok("delete", b.id)
}

// What a hook leaves running does not keep brig waiting.
func TestHooksLeaveDaemons(t *testing.T) {
	b := newBox(t)
	b.hook("createRuntime", hookOf("sleep 30 & echo $! >"+b.dir+"/daemon"))
	begin := time.Now()
	b.run("true", "--no-subreaper")
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("brig waited %s", d)
	}
	must(t, exec.Command("kill", strings.TrimSpace(reads(t, b.dir+"/daemon"))).Run())
}

// A brig that is killed in a hook leaves what delete removes, hooks of the end included.
func TestHooksKilledBrig(t *testing.T) {
	for _, verb := range []string{"create", "run"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			b.hook("createRuntime", hookOf("touch "+b.dir+"/in; exec sleep 5"))
			b.hook("poststop", hookOf(b.line("end")))
			b.save()
			cmd := b.quiet(verb, "--bundle", b.bundle, b.id)
			b.until("the hook runs", func() bool { _, err := os.Stat(b.dir + "/in"); return err == nil })
			equal(t, b.status(), "creating")
			cmd.Process.Kill()
			cmd.Wait()
			b.until("init has ended", func() bool { return b.status() == "stopped" })
			b.refused("cannot start a container that has stopped", "start", b.id)
			b.ok("delete", "--force", b.id)
			equal(t, b.logged(), "end\n")
		})
	}
}
