package root_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// quiet starts brig with nothing on its stdio that a test could wait for.
func (b *box) quiet(args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := b.command(args...)
	cmd.Stdin = nil
	must(b.t, cmd.Start())
	return cmd
}

// clean is what an engine does after a runtime has died on it.
func (b *box) clean() {
	b.t.Helper()
	b.ok("delete", "--force", b.id)
	// The stage's first process ends by itself, when it sees that brig is gone.
	if left := b.remains(10 * time.Second); len(left) > 0 {
		b.t.Errorf("delete --force left behind %s", left)
	}
}

func TestKilledCreate(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.mount("/data", "bind", b.source(), "rbind")
	b.save()
	begin := time.Now()
	must(t, b.quiet("create", "--bundle", b.bundle, b.id).Wait())
	whole := time.Since(begin)
	b.clean()
	for i := range 50 {
		cmd := b.quiet("create", "--bundle", b.bundle, b.id)
		time.Sleep(time.Duration(rand.Int64N(int64(whole) * 5 / 4)))
		cmd.Process.Kill()
		cmd.Wait()
		b.clean()
		if t.Failed() {
			t.Fatalf("kill %d", i)
		}
	}
	// What it was is forgotten: the ID is free.
	equal(t, b.run("echo again"), "again")
}

func TestKilledRun(t *testing.T) {
	t.Run("at any moment", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t, withUserNamespace)
		b.save()
		for range 25 {
			cmd := b.quiet("run", "--bundle", b.bundle, b.id)
			time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond))))
			cmd.Process.Kill()
			cmd.Wait()
			b.clean()
		}
	})
	t.Run("while it runs", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.args("/bin/sh", "-c", "touch /tmp/ready; exec sleep 1000")
		b.save()
		cmd := b.quiet("run", "--bundle", b.bundle, b.id)
		b.until("ready", func() bool { return b.exists("/tmp/ready") })
		cmd.Process.Kill()
		cmd.Wait()
		equal(t, b.status(), "running")
		b.clean()
	})
	t.Run("while it is created", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create()
		pid := b.look().Pid
		must(t, exec.Command("kill", "-9", fmt.Sprint(pid)).Run())
		b.wait()
		b.refused("cannot start a container that has stopped", "start", b.id)
		b.ok("delete", b.id)
	})
	t.Run("start at any moment", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		for range 15 {
			b.create()
			cmd := b.quiet("start", b.id)
			time.Sleep(time.Duration(rand.Int64N(int64(15 * time.Millisecond))))
			cmd.Process.Kill()
			cmd.Wait()
			if s := b.status(); s != "created" && s != "running" {
				t.Errorf("after a killed start: %s", s)
			}
			b.clean()
		}
	})
	t.Run("delete at any moment", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		for range 15 {
			b.create()
			b.ok("start", b.id)
			cmd := b.quiet("delete", "--force", b.id)
			time.Sleep(time.Duration(rand.Int64N(int64(25 * time.Millisecond))))
			cmd.Process.Kill()
			cmd.Wait()
			b.clean()
		}
	})
}

// TestStaleState holds brig against records that the kernel no longer bears out.
func TestStaleState(t *testing.T) {
	stale := func(change func(t *testing.T, record map[string]any)) func(t *testing.T) {
		return func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			b.create()
			name := b.state + "/" + b.id + "/state.json"
			original := reads(t, name)
			record := decode(t, original).(map[string]any)
			change(t, record)
			raw, err := json.Marshal(record)
			must(t, err)
			must(t, os.WriteFile(name, raw, 0o600))
			equal(t, b.status(), "stopped")
			b.refused("cannot start a container that has stopped", "start", b.id)
			b.refused("container not running", "kill", b.id)
			must(t, os.WriteFile(name, []byte(original), 0o600))
			equal(t, b.status(), "created")
			b.ok("delete", "--force", b.id)
		}
	}
	t.Run("pid of nobody", stale(func(_ *testing.T, r map[string]any) { r["pid"] = 4000000 }))
	t.Run("pid of another", stale(func(_ *testing.T, r map[string]any) { r["pid"] = os.Getpid() }))
	t.Run("another start time", stale(func(_ *testing.T, r map[string]any) { r["startTime"] = 1 }))
	t.Run("after a reboot", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create()
		pid := b.look().Pid
		must(t, exec.Command("kill", "-9", fmt.Sprint(pid)).Run())
		b.wait()
		base, err := unified()
		must(t, err)
		b.until("the cgroup is gone", func() bool { removeGroups(base + "/brig/" + b.id); return len(b.leftGroups()) == 0 })
		equal(t, b.status(), "stopped")
		b.ok("delete", b.id)
	})
	t.Run("damaged", func(t *testing.T) {
		t.Parallel()
		b := sleeper(t)
		b.create()
		must(t, os.WriteFile(b.state+"/"+b.id+"/state.json", []byte(`{"id":`), 0o600))
		b.refused("is damaged", "state", b.id)
		b.refused("is damaged", "start", b.id)
		b.refused("is damaged", "kill", b.id)
		b.refused("is damaged", "delete", b.id)
		if out := b.brig("list"); !strings.Contains(out.err+out.out, b.id) {
			t.Errorf("list says nothing of it: %+v", out)
		}
		b.clean()
	})
}
