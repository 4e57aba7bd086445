package root_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	b := newBox(t)
	b.mount("/out", "bind", b.source(), "bind")
	b.args("/bin/sh", "-c", "while :; do echo x >>/out/ticks; sleep 0.01; done")
	b.create()
	b.refused("container not paused", "resume", b.id)
	b.ok("start", b.id)
	b.until("the payload runs", func() bool { _, err := os.Stat(b.dir + "/source/ticks"); return err == nil })
	b.ok("pause", b.id)
	was := reads(t, b.dir+"/source/ticks")
	time.Sleep(200 * time.Millisecond)
	equal(t, reads(t, b.dir+"/source/ticks"), was)
	if state := b.ok("state", b.id); !strings.Contains(state, `"status": "paused"`) {
		t.Errorf("the state is %s", state)
	}
	b.refused("cannot exec in a paused container (use --ignore-paused to override)", "exec", b.id, "true")
	b.refused("container not running", "pause", b.id)
	b.refused("that is not stopped: paused", "delete", b.id)
	b.ok("resume", b.id)
	for deadline := time.Now().Add(5 * time.Second); reads(t, b.dir+"/source/ticks") == was; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not go on")
		}
	}
	b.refused("container not paused", "resume", b.id)
	// A paused container can be killed and deleted.
	b.ok("pause", b.id)
	b.ok("delete", "--force", b.id)
}

func TestPauseRefuses(t *testing.T) {
	b := newBox(t)
	b.refused("container does not exist", "pause", "nobody")
	b.refused("container does not exist", "resume", "nobody")
	b.refused("takes one argument", "pause")
	b.refused("takes one argument", "resume", "a", "b")
	id := b.stopped()
	b.refused("container not running", "pause", id)
	b.refused("container not paused", "resume", id)
}

func TestPs(t *testing.T) {
	b := sleeping(t)
	init := b.initOf()
	other := b.detached()
	var pids []int
	out := b.ok("ps", "--format", "json", b.id)
	if err := json.Unmarshal([]byte(out), &pids); err != nil || len(pids) != 2 || strings.Count(out, "\n") != 1 {
		t.Errorf("%q: %v", out, err)
	}
	equal(t, fmt.Sprint(pids), fmt.Sprint([]int{min(init, other), max(init, other)}))
	table := strings.Split(strings.TrimSpace(b.ok("ps", b.id)), "\n")
	if len(table) != 3 || !strings.HasPrefix(table[0], "UID") || !strings.Contains(table[1], "sleep 1000") {
		t.Errorf("the table is %q", table)
	}
	options := b.ok("ps", b.id, "-eo", "comm,pid")
	equal(t, strings.Join(strings.Fields(strings.Split(options, "\n")[1])[:1], ""), "sleep")
	b.refused("couldn't find PID field in ps output", "ps", b.id, "-eo", "comm")
	b.refused("run ps --nosuch", "ps", b.id, "--nosuch")
	b.refused("invalid format option: x", "ps", "--format", "x", b.id)
	b.refused("container does not exist", "ps", "nobody")
	b.refused("brig ps takes", "ps")
}

func TestPsOfStopped(t *testing.T) {
	b := newBox(t)
	equal(t, b.ok("ps", "--format", "json", b.stopped()), "[]\n")
}
