package root_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pairVerbs are the commands that meet on one container. Each begins with a running one;
// start with one that is created, and create with the same ID.
func pairVerbs(b *box) map[string][]string {
	return map[string][]string{
		"create": {"create", "--bundle", b.bundle, b.id}, "start": {"start", b.id}, "state": {"state", b.id}, "list": {"list"},
		"ps": {"ps", b.id}, "exec": {"exec", b.id, "/bin/true"}, "exec --detach": {"exec", "--detach", b.id, "/bin/sleep", "1000"},
		"pause": {"pause", b.id}, "resume": {"resume", b.id}, "update": {"update", "--blkio-weight", "0", b.id},
		"events": {"events", "--stats", b.id}, "kill": {"kill", b.id, "KILL"}, "delete": {"delete", b.id},
		"delete --force": {"delete", "--force", b.id},
	}
}

// TestPairsAtOnce lets every two commands meet on one ID. Each succeeds, or says what
// stands in its way; none hangs, and what is left can be deleted.
func TestPairsAtOnce(t *testing.T) {
	needRoot(t)
	names := []string{
		"create", "delete", "delete --force", "events", "exec", "exec --detach", "kill", "list", "pause", "ps", "resume", "start", "state", "update",
	}
	var pairs, both atomic.Int32
	few := stride(5)
	t.Run("pairs", func(t *testing.T) {
		for i := range len(names) * len(names) {
			first, second := names[i/len(names)], names[i%len(names)]
			if i%few != 0 {
				continue
			}
			t.Run(first+" and "+second, func(t *testing.T) {
				t.Parallel()
				pairs.Add(1)
				if meet(t, first, second) {
					both.Add(1)
				}
			})
		}
	})
	t.Logf("%d pairs, of which both commands succeeded in %d", pairs.Load(), both.Load())
	if both.Load() == 0 || both.Load() == pairs.Load() {
		t.Error("one of the two never happened")
	}
}

// ends says that a command ends all processes of a container.
func ends(name string) bool { return name == "kill" || name == "delete --force" }

// meet says whether both commands succeeded.
func meet(t *testing.T, first, second string) bool {
	b := sleeper(t)
	b.create()
	if first != "start" && second != "start" {
		b.ok("start", b.id)
	}
	verbs := pairVerbs(b)
	cmds := [2]*exec.Cmd{b.command(verbs[first]...), b.command(verbs[second]...)}
	for i, cmd := range cmds {
		// A file, because what a process of the container holds is not waited for.
		out, err := os.Create(fmt.Sprintf("%s/said-%d", b.dir, i))
		must(t, err)
		defer out.Close()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, nil, out
		must(t, cmd.Start())
	}
	success := true
	for i, name := range []string{first, second} {
		if strings.HasPrefix(name, "exec") && (first == "pause" || second == "pause") {
			// The process may have been paused, and ends when it is resumed.
			if cmds[1-i].ProcessState == nil {
				cmds[1-i].Wait()
			}
			if cmds[1-i].ProcessState.Success() {
				b.brig("resume", b.id)
			}
		}
		hangs := time.AfterFunc(time.Minute, func() {
			t.Errorf("%s and %s: %s does not end", first, second, name)
			cmds[i].Process.Kill()
		})
		if cmds[i].ProcessState == nil {
			cmds[i].Wait()
		}
		hangs.Stop()
		code, text := cmds[i].ProcessState.ExitCode(), reads(t, fmt.Sprintf("%s/said-%d", b.dir, i))
		// Its payload was, with init.
		killed := name == "exec" && code == 128+int(unix.SIGKILL) && (ends(first) || ends(second))
		if strings.Contains(text, "BUG") || strings.Contains(text, "goroutine") || code != 0 && !killed && !strings.Contains(text, "brig: ") {
			t.Errorf("%s and %s: %s: exit %d, %s", first, second, name, code, text)
		}
		success = success && code == 0
	}
	b.clean()
	b.create()
	b.clean()
	return success
}
