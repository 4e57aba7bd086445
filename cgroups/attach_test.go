package cgroups

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// opener opens what it is told for reading, and says whether it could.
const opener = `while read how path; do case $how in
	r) (: <"$path") 2>&1 && echo ok ;;
	w) (: >"$path") 2>&1 && echo ok ;;
	m) mknod "$path" c 1 3 2>&1 && echo ok ;;
esac; done`

// TestDevicePolicyOfProcesses has processes in a group find out what they may.
func TestDevicePolicyOfProcesses(t *testing.T) {
	r, base := hierarchy(t)
	dir := t.TempDir()
	kmsg := filepath.Join(dir, "kmsg")
	if err := unix.Mknod(kmsg, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 11))); err != nil {
		t.Skip(err)
	}
	if fd, err := unix.Open(kmsg, unix.O_RDONLY, 0); err != nil {
		t.Skip("devices of this file system cannot be opened here: ", err)
	} else {
		unix.Close(fd)
	}
	for _, c := range []struct{ name, rules, allowed, denied string }{
		{"default", "", "r /dev/null;w /dev/zero;r /dev/urandom", "r KMSG;w KMSG"},
		{"one allowed", "allow c 1:11 r", "r KMSG;r /dev/null", "w KMSG"},
		{"one denied", "allow a *:* rwm;deny c 1:11 w", "r KMSG;r /dev/full", "w KMSG"},
		{"list of denials", "deny c 1:11 rwm", "r /dev/full", "r KMSG"},
		{"nearly all denied", "allow c *:* m;allow c 1:11 rw;deny c 1:11 rw", "m " + dir + "/made", "r KMSG"},
		{"many rules", strings.Repeat("allow b 8:1 r;deny b 8:1 r;allow b 8:2 w\n", 300), "r /dev/null", "r KMSG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, err := DeviceProgram(rulesOf(t, c.rules))
			if err != nil {
				t.Fatal(err)
			}
			g := create(t, r, base+"/"+strings.ReplaceAll(c.name, " ", "_"))
			if err := g.AttachDevices(program); err != nil {
				t.Fatal(err)
			}
			p := start(t, g, opener)
			for want, list := range map[string]string{"ok": c.allowed, "not permitted": c.denied} {
				for _, order := range strings.Split(list, ";") {
					p.say(t, strings.ReplaceAll(order, "KMSG", kmsg))
					if got := p.line(t); !strings.Contains(got, want) {
						t.Errorf("%s: %s", order, got)
					}
				}
			}
		})
	}
}

// TestDevicePoliciesAddUp: another program at the same group, or at one above,
// takes away and never gives.
func TestDevicePoliciesAddUp(t *testing.T) {
	r, base := hierarchy(t)
	above, g := create(t, r, base+"/a"), create(t, r, base+"/a/b")
	attach := func(g *Group, rules string) {
		program, err := DeviceProgram(rulesOf(t, rules))
		if err == nil {
			err = g.AttachDevices(program)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	attach(above, "")
	attach(g, "allow c 1:11 r")
	attach(g, "allow a *:* rwm;deny b 8:0 r")
	p := start(t, g, opener)
	p.say(t, "r /dev/kmsg")
	if got := p.line(t); strings.Contains(got, "ok") {
		t.Errorf("what a program above denies is allowed: %s", got)
	}
	p.say(t, "r /dev/null")
	if got := p.line(t); got != "ok" {
		t.Error(got)
	}
}

// TestLargestDeviceProgram: the kernel takes what the limit of rules lets through,
// and agrees with the interpreter about the last one.
func TestLargestDeviceProgram(t *testing.T) {
	r, base := hierarchy(t)
	var rules []specs.LinuxDeviceCgroup
	for i := range maxDevices {
		major, minor := int64(100+i%7), int64(i)
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "b", Major: &major, Minor: &minor, Access: "r"})
	}
	*rules[maxDevices-1].Major, *rules[maxDevices-1].Minor = 1, 11
	rules[maxDevices-1].Type = "c"
	program, err := DeviceProgram(rules)
	if err != nil {
		t.Fatal(err)
	}
	g := create(t, r, base)
	if err := g.AttachDevices(program); err != nil {
		t.Fatal(err)
	}
	if !ask(t, program, requestOf(t, "c 1:11 r")) || ask(t, program, requestOf(t, "c 1:11 w")) {
		t.Error("the interpreter decides otherwise")
	}
	if _, err := os.Stat("/dev/kmsg"); err != nil {
		t.Skip(err)
	}
	p := start(t, g, opener)
	p.say(t, "r /dev/kmsg")
	if got := p.line(t); got != "ok" {
		t.Error(got)
	}
}

func TestAttachErrors(t *testing.T) {
	r, base := hierarchy(t)
	g := create(t, r, base)
	wantFault(t, g.AttachDevices(nil), fault.Bug, "", "attach a device program of 0 bytes", 0)

	var bad insns
	bad.emit(opMovReg, regRet, 5, 0, 0)
	bad.emit(opExit, 0, 0, 0, 0)
	wantFault(t, g.AttachDevices(bad), fault.Host, devicesPointer, "load the device program: EACCES: permission denied (R5 !read_ok)", unix.EACCES)

	program, err := DeviceProgram(nil)
	if err != nil {
		t.Fatal(err)
	}
	closed := &Group{fd: -1, path: "/closed"}
	wantFault(t, closed.AttachDevices(program), fault.Host, devicesPointer, "attach the device program to /closed", unix.EBADF)
	if err := asNobody(func() error { return dropBPF(func() error { return g.AttachDevices(program) }) }); err == nil {
		t.Error("a program was loaded without the right to")
	} else {
		wantFault(t, err, fault.Host, devicesPointer, "a device policy needs CAP_BPF", unix.EPERM)
	}
}

// dropBPF runs f on this thread without any effective capability.
func dropBPF(f func() error) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var old, none [2]unix.CapUserData
	if err := unix.Capget(&header, &old[0]); err != nil {
		return err
	}
	none = old
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	defer unix.Capset(&header, &old[0])
	return f()
}

func TestVerdictOf(t *testing.T) {
	for log, want := range map[string]string{
		"":                       "",
		"\x00rest of the buffer": "",
		"0: R1=ctx()\nR5 !read_ok\nprocessed 1 insns (limit 1000000)\n\x00": "R5 !read_ok",
		"processed 1 insns":            "processed 1 insns",
		"back-edge from insn 3 to 2\n": "back-edge from insn 3 to 2",
	} {
		if got := verdictOf([]byte(log)); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
