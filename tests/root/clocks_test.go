package root_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

const (
	ownOffsets = `{"linux":{"timeOffsets":{"monotonic":{"secs":86400,"nanosecs":7},"boottime":{"secs":1000000}}}}`
	ownClocks  = `{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"time"}],
		"timeOffsets":{"monotonic":{"secs":86400,"nanosecs":7},"boottime":{"secs":1000000}}}}`
)

// uptime is the first number of /proc/uptime, which the boottime clock counts.
func uptime(t *testing.T, text string) float64 {
	t.Helper()
	first, _, _ := strings.Cut(text, " ")
	n, err := strconv.ParseFloat(first, 64)
	must(t, err)
	return n
}

func TestClocks(t *testing.T) {
	const script = "tr -s ' ' </proc/self/timens_offsets; cat /proc/uptime"
	const offsets = "monotonic 86400 7\nboottime 1000000 0\n"
	for name, patch := range map[string]string{"without a user namespace": "{}", "with a user namespace": withUserNamespace} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, patch, ownOffsets)
			b.add("/linux/namespaces", `{"type":"time"}`)
			before := uptime(t, reads(t, "/proc/uptime"))
			// busybox is the payload and its child: both are in the namespace.
			got := b.run(script)
			seen, ok := strings.CutPrefix(got, offsets)
			if !ok {
				t.Fatalf("the offsets are\n%s", got)
			}
			if ahead := uptime(t, seen) - before; math.Abs(ahead-1e6) > 600 {
				t.Errorf("the container is up for %g seconds more than the host", ahead)
			}
		})
	}
	t.Run("an ordinary user", func(t *testing.T) {
		t.Parallel()
		b := ordinary(t)
		b.patch(ownOffsets)
		b.add("/linux/namespaces", `{"type":"time"}`)
		before := uptime(t, reads(t, "/proc/uptime"))
		got := b.run(script + "; (readlink /proc/$$/ns/time; readlink /proc/$$/ns/time_for_children) | sort -u | wc -l")
		seen, ok := strings.CutPrefix(got, offsets)
		first, same, _ := strings.Cut(seen, "\n")
		if !ok || same != "1" || math.Abs(uptime(t, first)-before-1e6) > 600 {
			t.Errorf("the offsets are\n%s", got)
		}
		b.args("/bin/sleep", "1000")
		b.create()
		b.ok("start", b.id)
		equal(t, b.ok("exec", b.id, "sh", "-c", "tr -s ' ' </proc/self/timens_offsets"), offsets)
		b.ok("delete", "--force", b.id)
	})
	t.Run("the host's process stays in its own", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, ownClocks)
		b.args("/bin/sleep", "1000")
		b.create()
		b.ok("start", b.id)
		// The time that a process was started at is that of the host's clock.
		if s := b.ok("state", b.id); !strings.Contains(s, `"running"`) {
			t.Error(s)
		}
		b.ok("delete", "--force", b.id)
	})
	t.Run("timings", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, ownClocks)
		b.args("/bin/true")
		r := b.start("--timings")
		if r.code != 0 {
			t.Fatalf("exit %d, %s", r.code, r.err)
		}
		// A stamp of the container's clock would stand a day after the one before.
		for _, word := range strings.Fields(r.err + r.out) {
			if n, err := strconv.ParseFloat(word, 64); err == nil && (n < 0 || n > 6e7) {
				t.Errorf("a step of %g µs:\n%s", n, r.err+r.out)
			}
		}
	})
	refuse(t, []refusal{{
		name: "an offset beyond the clock", patch: ownClocks,
		make: func(b *box) { b.patch(`{"linux":{"timeOffsets":{"monotonic":{"secs":9223372036854775807}}}}`) },
		want: []string{"/linux/timeOffsets/monotonic: set the offset of the clock monotonic", "ERANGE"},
	}})
}
