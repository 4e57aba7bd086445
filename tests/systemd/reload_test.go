package systemd_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// reloading reloads systemd over and over, until the function that it returns is called,
// which says how often. Half of the time systemd answers others: on a busy machine it
// comes to nothing else, and systemctl gives up.
func (b *box) reloading() func() int {
	end, count := make(chan bool), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-end:
				count <- n
				return
			default:
			}
			began := time.Now()
			if out, err := b.asked("daemon-reload"); err != nil {
				b.t.Errorf("daemon-reload: %v, %s", err, out)
			}
			time.Sleep(time.Since(began))
		}
	}()
	return sync.OnceValue(func() int { close(end); return <-count })
}

// whileReloading lets containers come and go while systemd is reloaded, and looks at
// each that it is in its scope and has its limits, of systemd and of the kernel. A
// script within says what it sees, and then its cgroup.
func (b *box) whileReloading(n int, script, says string) {
	b.t.Helper()
	unit := "brig-" + b.id + ".scope"
	pids := func() string { return b.file(unit, "pids.max") + " " + b.show(unit, "TasksMax") }
	stop := b.reloading()
	defer stop()
	for i := range n {
		b.start()
		equal(b.t, pids()+" "+b.file(unit, "memory.max")+" "+b.show(unit, "ActiveState"), "20 20 67108864 active")
		limit := fmt.Sprint(30 + i)
		b.ok("update", "--pids-limit", limit, b.id)
		equal(b.t, pids(), limit+" "+limit)
		equal(b.t, b.ok("exec", b.id, "sh", "-c", script+"cat /proc/self/cgroup"), says+"0::"+b.show(unit, "ControlGroup"))
		if i%2 == 0 { // the other ones delete kills
			b.ok("kill", b.id, "KILL")
		}
		b.ok("delete", "--force", b.id)
		b.left()
		if b.t.Failed() {
			b.t.Fatalf("at container %d", i)
		}
	}
	if count := stop(); count < n/2 {
		b.t.Errorf("it was reloaded %d times beside %d containers", count, n)
	}
}

// A systemd that is reloaded all the time loses nothing of a container: its scope, its
// limits, those that an update changed, and a device that brig alone denies.
func TestScopeReloads(t *testing.T) {
	b := newBox(t, strings.Replace(limits, `"access":"rw"}]`, `"access":"rw"},{"allow":false,"type":"c","major":10,"minor":229,"access":"w"}]`, 1))
	b.whileReloading(5, "mknod /tmp/n c 10 229; (: >>/tmp/n) 2>&1 | grep -o 'not permitted'; rm /tmp/n; : >/dev/null && echo opens; ", "not permitted\nopens\n")
}

// Nor does that of a user.
func TestRootlessReloads(t *testing.T) {
	b := rootless(t, `{"linux":{"resources":{"memory":{"limit":67108864},"pids":{"limit":20}}}}`)
	b.whileReloading(5, "", "")
}
