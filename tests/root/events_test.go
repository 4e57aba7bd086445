package root_test

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
)

// event is what go-runc decodes.
type event struct {
	Type string
	ID   string
	Data struct {
		CPU    map[string]any `json:"cpu"`
		Memory map[string]any `json:"memory"`
		Pids   map[string]any `json:"pids"`
	}
}

func TestEventsStats(t *testing.T) {
	b := sleeping(t)
	out := b.ok("events", "--stats", b.id)
	var e event
	if err := json.Unmarshal([]byte(out), &e); err != nil || strings.Count(out, "\n") != 1 || e.Type != "stats" || e.ID != b.id {
		t.Fatalf("%q: %v", out, err)
	}
	// cpu.stat is there without any controller.
	if usage, ok := e.Data.CPU["usage"].(map[string]any); !ok || usage["total"] == nil {
		t.Errorf("the container has used no time: %s", out)
	}
}

func TestEventsEndWithTheContainer(t *testing.T) {
	b := sleeping(t)
	cmd := b.command("events", "--interval=50ms", b.id)
	cmd.Stdin = nil
	pipe, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(pipe)
	for range 3 {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), `{"type":"stats","id":"`+b.id+`","data":{`) {
			t.Fatalf("got %q", lines.Text())
		}
	}
	b.ok("kill", b.id, "KILL")
	for lines.Scan() {
	}
	if code, err := status(cmd.Wait()); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
}

func TestEventsRefuse(t *testing.T) {
	b := newBox(t)
	b.refused("container does not exist", "events", "nobody")
	b.refused("brig events takes one argument", "events")
	b.refused(`--interval: "x" is no time above 0`, "events", "--interval", "x", "a")
	b.refused(`--interval: "-1s" is no time above 0`, "events", "--interval=-1s", "a")
	id := b.stopped()
	b.refused("container with id "+id+" is not running", "events", "--stats", id)
}

// A container whose processes do not wait for memory has no event of it, and its
// group can be watched all the same.
func TestEventsMemoryPressure(t *testing.T) {
	b := sleeping(t)
	cmd := b.command("events", "--memory-pressure", "--interval", "50ms", b.id)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if !strings.HasPrefix(line, `{"type":"stats","id":"`+b.id+`"`) {
		t.Errorf("%s", line)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait()
}
