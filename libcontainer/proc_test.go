package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	line := func(comm string) []byte {
		return []byte("42 (" + comm + ") S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 8888 99 18446744073709551615 1 1\n")
	}
	for _, comm := range []string{"sh", "a b", "a) R 1 (b", ")", "", "(((", "brig:created"} {
		p, err := parseStat(line(comm))
		if err != nil || p.comm != comm || p.state != 'S' || p.startTime != 777 {
			t.Errorf("%q: got %+v %v", comm, p, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (sh", "42 (sh) S 1", ") ("} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (sh) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 8888"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := parseStat(raw); err == nil && p.state == 0 {
			t.Errorf("%q: no state", raw)
		}
	})
}

func TestStatTellsTheDeadFromTheLiving(t *testing.T) {
	proc, err := openProc()
	if err != nil {
		t.Fatal(err)
	}
	defer proc.close()
	own, err := proc.stat(os.Getpid())
	if err != nil || !own.alive(own.startTime) || own.alive(own.startTime+1) {
		t.Errorf("own process: %+v %v", own, err)
	}
	c := exec.Command("true")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Wait for the end without reaping: a zombie is no live process.
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, c.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	zombie, err := proc.stat(c.Process.Pid)
	if err != nil || zombie.state != 'Z' || zombie.alive(zombie.startTime) {
		t.Errorf("zombie: %+v %v", zombie, err)
	}
	c.Wait()
	if _, err := proc.stat(c.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("reaped process: %v, want ESRCH", err)
	}
}

func TestInitIsToldFromItsNumber(t *testing.T) {
	proc, err := openProc()
	if err != nil {
		t.Fatal(err)
	}
	defer proc.close()
	boot, err := proc.bootID()
	if err != nil || len(boot) != 36 {
		t.Fatalf("boot id %q %v", boot, err)
	}
	own, err := proc.stat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   identity
		want bool
	}{
		{identity{os.Getpid(), own.startTime, boot}, true},
		{identity{os.Getpid(), own.startTime, "the boot before"}, false},
		{identity{os.Getpid(), own.startTime - 1, boot}, false},
		{identity{1 << 22, own.startTime, boot}, false},
	} {
		if _, is, err := proc.isInit(c.id); is != c.want || err != nil {
			t.Errorf("%+v: %v %v", c.id, is, err)
		}
	}
}
