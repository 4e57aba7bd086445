package root_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	for kind, status := range map[string]string{"prestart": "creating", "createRuntime": "creating", "poststart": "running", "poststop": "stopped"} {
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
		b.hook(kind, map[string]any{"path": "/usr/bin/env"}, hookOf(fmt.Sprintf("tr '\\0' '\\n' </proc/$$/environ >%s/%s.env", b.dir, kind)))
		b.hook(kind, hookOf(fmt.Sprintf("tr '\\0' '\\n' </proc/$$/environ >%s/%s.own", b.dir, kind), "env", []any{"PATH=/bin", "X=1"}))
		b.hook(kind, hookOf(fmt.Sprintf("/bin/tr '\\0' '\\n' </proc/$$/environ >%s/%s.none", b.dir, kind), "env", []any{}))
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
