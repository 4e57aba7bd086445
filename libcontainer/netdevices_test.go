package libcontainer

import (
	"os"
	"testing"
	"time"

	"brig/libcontainer/spec"
	"brig/nsenter"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Init ends when brig is gone before it has moved the devices: nobody would ever
// say that they are there.
func TestNetDevicesWithoutBrig(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are made")
	}
	s := spec.Example(spec.ExampleHost{NoUserNamespace: true})
	s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"v0": {}}
	j := newInjection(t, s, true)
	p, in, l := j.program(t)
	fds := openFDs(t)
	d, err := j.claim(j.options.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := &made{program: p, pidfd: -1, dir: d}
	if err := m.enterCgroup(j.options, in, l); err != nil {
		t.Fatal(m.failed(err))
	}
	if err := m.spawn(j.options, in, -1); err != nil {
		t.Fatal(m.failed(err))
	}
	msg, err := m.stage.Receive()
	if err != nil || msg.Type != nsenter.MessagePid {
		t.Fatal(msg, m.failed(err))
	}
	m.pidfd = msg.Pidfd
	proc, err := openProc()
	if err != nil {
		t.Fatal(m.failed(err))
	}
	defer proc.close()
	// Once it sleeps under the name of a stage that builds the container, it waits.
	for tries := 0; ; tries++ {
		is, err := proc.stat(msg.Pid)
		if err != nil || tries > 5000 {
			t.Fatalf("init is %+v, %v, %v", is, err, m.failed(err))
		}
		if is.comm == stageName && is.state == 'S' {
			break
		}
		time.Sleep(time.Millisecond)
	}
	m.stage.Close()
	var status unix.WaitStatus
	for pid := 0; pid != msg.Pid; {
		if pid, err = unix.Wait4(-1, &status, 0, nil); err != nil {
			t.Fatal(m.failed(err))
		}
	}
	if !status.Exited() || status.ExitStatus() != 1 {
		t.Errorf("init ended with %#x", status)
	}
	if err := m.failed(nil); err != nil {
		t.Error(err)
	}
	proc.close()
	j.clean(t, l, fds)
}
