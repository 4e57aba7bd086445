package root_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// sleeper is a box whose payload lives until it is killed.
func sleeper(t *testing.T, patches ...string) *box {
	t.Helper()
	b := newBox(t, patches...)
	b.args("/bin/sleep", "1000")
	return b
}

func TestLifecycle(t *testing.T) {
	t.Run("transitions", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t, `{"annotations":{"org.example.key":"value"}}`)
		b.refused("container does not exist: "+b.id, "state", b.id)
		b.create()
		s := b.look()
		if s.Status != "created" || s.ID != b.id || s.Pid <= 0 || s.Bundle != b.bundle || s.OCIVersion != "1.3.0" || s.Annotations["org.example.key"] != "value" {
			t.Errorf("created: %+v", s)
		}
		b.refused("container with given ID already exists: "+b.id, "create", "--bundle", b.bundle, b.id)
		b.refused("container with given ID already exists: "+b.id, "run", "--bundle", b.bundle, b.id)
		b.ok("start", b.id)
		if now := b.look(); now.Status != "running" || now.Pid != s.Pid {
			t.Errorf("running: %+v", now)
		}
		b.refused("cannot start an already running container", "start", b.id)
		b.refused("cannot delete container "+b.id+" that is not stopped: running", "delete", b.id)
		b.ok("kill", b.id, "KILL")
		b.wait()
		if now := b.look(); now.Pid != 0 {
			t.Errorf("stopped: %+v", now)
		}
		b.refused("cannot start a container that has stopped", "start", b.id)
		b.refused("container not running", "kill", b.id)
		b.ok("delete", b.id)
		b.refused("container does not exist", "delete", b.id)
	})
	t.Run("delete of created", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create()
		b.ok("delete", b.id)
	})
	t.Run("delete with force", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.ok("delete", "--force", b.id)
		b.create()
		b.ok("start", b.id)
		b.ok("delete", "-f", b.id)
		b.ok("delete", "--force", b.id)
	})
	t.Run("verbs on what does not exist", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		for _, verb := range []string{"start", "state", "kill", "delete"} {
			b.refused("container does not exist: "+b.id, verb, b.id)
		}
	})
	t.Run("IDs that are none", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.save()
		for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", "@seccomp", strings.Repeat("x", 256)} {
			if r := b.brig("create", "--bundle", b.bundle, id); r.code != 1 || r.err == "" {
				t.Errorf("%q: exit %d, stderr %q", id, r.code, r.err)
			}
		}
	})
	t.Run("list", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		equal(t, b.ok("list", "--quiet"), "")
		b.create()
		equal(t, b.ok("list", "-q"), b.id+"\n")
		var states []state
		must(t, json.Unmarshal([]byte(b.ok("list", "--format", "json")), &states))
		if len(states) != 1 || states[0].ID != b.id || states[0].Status != "created" {
			t.Errorf("list: %+v", states)
		}
		if table := b.ok("list"); strings.Count(table, "\n") != 2 || !strings.HasPrefix(table, "ID ") {
			t.Errorf("table %q", table)
		}
		b.ok("delete", "--force", b.id)
	})
	t.Run("a long path of the root", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.state = b.dir + "/" + strings.Repeat("long", 40) + "/state"
		b.create()
		b.ok("start", b.id)
		equal(t, b.status(), "running")
		b.ok("delete", "--force", b.id)
	})
}

func TestKillForms(t *testing.T) {
	for _, signal := range []string{"", "15", "TERM", "SIGTERM", "sigterm"} {
		t.Run("signal "+signal, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			b.args("/bin/sh", "-c", "trap 'touch /tmp/got; exit' TERM; touch /tmp/ready; while :; do sleep 0.01; done")
			b.create()
			b.ok("start", b.id)
			b.until("ready", func() bool { return b.exists("/tmp/ready") })
			args := []string{"kill", b.id}
			if signal != "" {
				args = append(args, signal)
			}
			b.ok(args...)
			b.wait()
			if !b.exists("/tmp/got") {
				t.Error("the payload got no SIGTERM")
			}
			b.ok("delete", b.id)
		})
	}
	t.Run("signal 0 asks only", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create()
		b.ok("kill", b.id, "0")
		equal(t, b.status(), "created")
		b.ok("kill", b.id, "KILL")
		b.wait()
		b.refused("container not running", "kill", b.id, "0")
		b.ok("delete", b.id)
	})
	t.Run("unknown signal", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create()
		b.refused("unknown signal", "kill", b.id, "NOSUCH")
		b.ok("delete", "--force", b.id)
	})
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		// Without a PID namespace the death of init takes nobody with it.
		b := sleeper(t, `{"hostname":null,"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}],
			"linux":{"namespaces":[{"type":"mount"}]}}`)
		b.args("/bin/sh", "-c", "sleep 1000 & sleep 1000 & touch /tmp/ready; exec sleep 1000")
		b.create()
		b.ok("start", b.id)
		b.until("ready", func() bool { return b.exists("/tmp/ready") })
		b.ok("kill", "--all", b.id, "KILL")
		b.wait()
		b.until("all are gone", func() bool { return len(b.leftProcesses()) == 0 })
		b.ok("kill", "--all", b.id, "KILL")
		b.ok("delete", b.id)
	})
	t.Run("all, by another signal", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t, `{"hostname":null,"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}],
			"linux":{"namespaces":[{"type":"mount"}]}}`)
		b.args("/bin/sh", "-c", "w() { trap 'echo '$1' >>/tmp/heard; exit' USR1; touch /tmp/ready-$1; while :; do sleep 0.1; done; }; w 1 & w 2 & w 3")
		b.create()
		b.ok("start", b.id)
		b.until("ready", func() bool { return b.exists("/tmp/ready-1") && b.exists("/tmp/ready-2") && b.exists("/tmp/ready-3") })
		b.ok("kill", "--all", b.id, "USR1")
		b.wait()
		b.until("all have heard", func() bool {
			raw, _ := os.ReadFile(b.rootfs + "/tmp/heard")
			words := strings.Fields(string(raw))
			slices.Sort(words)
			return slices.Equal(words, []string{"1", "2", "3"})
		})
		b.ok("delete", b.id)
	})
	t.Run("delete takes what init left", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t, `{"hostname":null,"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}],
			"linux":{"namespaces":[{"type":"mount"}]}}`)
		b.args("/bin/sh", "-c", "sleep 1000 & sleep 1000 &")
		b.create()
		b.ok("start", b.id)
		b.wait()
		b.ok("delete", b.id)
	})
}

// exists says whether the container's tree has a file.
func (b *box) exists(name string) bool {
	_, err := os.Lstat(b.rootfs + name)
	return err == nil
}

func TestPidFile(t *testing.T) {
	t.Run("create", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create("--pid-file", b.dir+"/pid")
		equal(t, reads(t, b.dir+"/pid"), strconv.Itoa(b.look().Pid))
		b.ok("delete", b.id)
	})
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.mount("/out", "bind", b.dir, "bind")
		b.run("[ -s /out/pid ]", "--pid-file", b.dir+"/pid")
		if n, err := strconv.Atoi(reads(t, b.dir+"/pid")); err != nil || n <= 1 {
			t.Errorf("pid %d, %v", n, err)
		}
	})
	t.Run("in a missing directory", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.save()
		b.refused("ENOENT", "create", "--bundle", b.bundle, "--pid-file", b.dir+"/not/there", b.id)
	})
}

func TestRunStatus(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -TERM $$; sleep 1": 0,
		"sleep 1000 & kill -KILL $!; wait $!": 137,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if r := b.try(script); r.code != want || r.out != "" {
				t.Errorf("exit %d, want %d, stderr %q", r.code, want, r.err)
			}
		})
	}
	t.Run("killed by a signal", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.args("/bin/sh", "-c", "touch /tmp/ready; exec sleep 1000")
		b.save()
		cmd := b.command("run", "--bundle", b.bundle, b.id)
		must(t, cmd.Start())
		b.until("ready", func() bool { return b.exists("/tmp/ready") })
		b.ok("kill", b.id, "KILL")
		code, err := status(cmd.Wait())
		must(t, err)
		equal(t, strconv.Itoa(code), "137")
	})
	t.Run("not found and not executable", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"/not/there", "/home"} {
			b := newBox(t)
			b.args(name)
			if r := b.start(); r.code != 1 || !strings.Contains(r.err, "/process/args/0") {
				t.Errorf("exit %d, stderr %q", r.code, r.err)
			}
		}
	})
	t.Run("a script whose interpreter is missing", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		write(t, b.rootfs+"/bin/script", "#!/not/there\n")
		must(t, os.Chmod(b.rootfs+"/bin/script", 0o755))
		b.args("/bin/script")
		if r := b.start(); r.code != 1 || !strings.Contains(r.err, `/process/args/0: exec: "/bin/script"`) || !strings.Contains(r.err, "ENOENT") {
			t.Errorf("exit %d, stderr %q", r.code, r.err)
		}
	})
	t.Run("the same by create and start", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		write(t, b.rootfs+"/bin/script", "neither a program nor a script\x00")
		must(t, os.Chmod(b.rootfs+"/bin/script", 0o755))
		b.args("/bin/script")
		b.create()
		b.refused("ENOEXEC", "start", b.id)
		b.wait()
		b.ok("delete", b.id)
	})
}

func TestRunFlags(t *testing.T) {
	t.Run("detach", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.save()
		cmd := b.command("run", "--detach", "--bundle", b.bundle, b.id)
		cmd.Stdin = nil
		code, err := status(cmd.Run())
		must(t, err)
		equal(t, fmt.Sprintf("%d %s", code, b.status()), "0 running")
		b.ok("kill", b.id, "9")
		b.wait()
		b.ok("delete", b.id)
	})
	t.Run("keep", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		equal(t, strconv.Itoa(b.try("exit 3", "--keep").code), "3")
		equal(t, b.status(), "stopped")
		b.ok("delete", b.id)
	})
	t.Run("another config", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.args("/bin/echo", "by another name")
		b.save()
		must(t, os.Rename(b.bundle+"/config.json", b.dir+"/other.json"))
		equal(t, b.ok("run", "--config", b.dir+"/other.json", "--bundle", b.bundle, b.id), "by another name\n")
	})
	t.Run("delete with force from beside", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.args("/bin/sh", "-c", "touch /tmp/ready; exec sleep 1000")
		b.save()
		cmd := b.command("run", "--bundle", b.bundle, b.id)
		must(t, cmd.Start())
		b.until("ready", func() bool { return b.exists("/tmp/ready") })
		b.ok("delete", "--force", b.id)
		code, err := status(cmd.Wait())
		must(t, err)
		equal(t, strconv.Itoa(code), "137")
	})
	t.Run("the working directory is the bundle", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.args("/bin/echo", "here")
		b.save()
		cmd := b.command("run", b.id)
		cmd.Dir = b.bundle
		equal(t, finish(t, cmd).out, "here\n")
	})
	t.Run("orphans are reaped", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, `{"hostname":null,"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}],
			"linux":{"namespaces":[{"type":"mount"}]}}`)
		b.run("(sleep 0.01 & ) ; (sleep 1000 >/dev/null 2>&1 & ); true")
	})
	t.Run("SIGTERM is passed on", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.args("/bin/sh", "-c", "trap 'exit 42' TERM; touch /tmp/ready; while :; do sleep 0.01; done")
		b.save()
		cmd := b.command("run", "--bundle", b.bundle, b.id)
		must(t, cmd.Start())
		b.until("ready", func() bool { return b.exists("/tmp/ready") })
		must(t, cmd.Process.Signal(unix.SIGTERM))
		code, err := status(cmd.Wait())
		must(t, err)
		equal(t, strconv.Itoa(code), "42")
	})
	t.Run("USR1, later", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.args("/bin/sh", "-c", "trap 'exit 43' USR1; touch /tmp/ready; while :; do sleep 0.01; done")
		b.save()
		cmd := b.command("run", "--bundle", b.bundle, b.id)
		must(t, cmd.Start())
		b.until("ready", func() bool { return b.exists("/tmp/ready") })
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// brig asks for this one some time after the start, and until then it is
		// lost: so it is sent until it has arrived.
		code := -1
		b.until("brig passes USR1 on", func() bool {
			cmd.Process.Signal(unix.SIGUSR1)
			select {
			case err := <-ended:
				code, _ = status(err)
				return true
			default:
				return false
			}
		})
		equal(t, strconv.Itoa(code), "43")
	})
}

func TestConcurrentCreate(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.save()
	codes := make([]int, 8)
	var all sync.WaitGroup
	for i := range codes {
		all.Add(1)
		go func() {
			defer all.Done()
			cmd := b.command("create", "--bundle", b.bundle, b.id)
			cmd.Stdin = nil
			codes[i], _ = status(cmd.Run())
		}()
	}
	all.Wait()
	won := 0
	for _, code := range codes {
		if code == 0 {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of %d creates succeeded: %v", won, len(codes), codes)
	}
	equal(t, b.status(), "created")
	b.ok("delete", b.id)
}
