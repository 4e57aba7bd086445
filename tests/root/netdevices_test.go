package root_test

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetwork moves the test, and each brig that it starts, into a network namespace
// of its own, and configures that. The thread is never used again.
func ownNetwork(t *testing.T, script string) {
	t.Helper()
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	ip(t, script)
}

// ip runs a script of ip's arguments, a line each.
func ip(t *testing.T, script string) string {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(script) {
		out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v\n%s", line, err, out)
		}
		all.Write(out)
	}
	return all.String()
}

const pair = `link add v0 type veth peer name v1
	addr add 10.1.2.3/24 brd + dev v0
	addr add 10.1.2.4/24 dev v0 label v0:1
	addr add 10.9.9.9 peer 10.9.9.8/32 dev v0
	addr add 10.3.3.3/24 scope link dev v0
	addr add 10.4.4.4/24 dev v0 valid_lft 1000 preferred_lft 500
	addr add fd00::1/64 dev v0 nodad
	link set v1 up`

// addresses prints the devices but lo, whether they are up, and their addresses of
// global scope.
const addresses = `ip -o link | grep -v ' lo:' | sed -E 's/^[0-9]+: ([^:@]*).*<([^>]*)>.*/\1 \2/' | tr , '\n' | sed -n '/ /{s/ .*//;p}; /^UP$/p';
	ip -o addr | grep 'scope global' | sed -E 's/.* (inet6?) (.*) scope global.*/\1 \2/' | sort`

const moved = `inet 10.1.2.3/24 brd 10.1.2.255
inet 10.1.2.4/24
inet 10.9.9.9 peer 10.9.9.8/32
inet6 fd00::1/64`

func devices(list string) string { return `{"linux":{"netDevices":` + list + `}}` }

func TestNetDevices(t *testing.T) {
	gone := func(b *box) {
		if links := ip(b.t, "-o link"); strings.Contains(links, " v0") {
			b.t.Errorf("the host has still\n%s", links)
		}
	}
	with := func(script string) func(*box) { return func(b *box) { ownNetwork(b.t, script) } }
	observe(t, []seen{
		{name: "with its own name", patch: devices(`{"v0":{}}`), make: with(pair), script: addresses, want: "v0\nUP\n" + moved, after: gone},
		{
			name: "with another name, that was up", patch: devices(`{"v0":{"name":"uplink"}}`), make: with(pair + "\nlink set v0 up"),
			script: addresses, want: "uplink\nUP\n" + moved, after: gone,
		},
		{
			name: "with a user namespace and parameters", patch: withUserNamespace, make: func(b *box) {
				ownNetwork(b.t, pair)
				b.patch(devices(`{"v0":{"name":"eth0"}}`))
				b.patch(`{"linux":{"sysctl":{"net.ipv4.conf.eth0.forwarding":"1"}}}`)
			},
			script: "cat /proc/sys/net/ipv4/conf/eth0/forwarding; " + addresses, want: "1\neth0\nUP\n" + moved,
		},
		{
			name: "by a template", make: func(b *box) {
				ownNetwork(b.t, pair+"\nlink add w0 type veth peer name w1")
				b.patch(devices(`{"v0":{"name":"net%d"},"w0":{"name":"net%d"},"v1":{}}`))
			},
			script: "ls /sys/class/net", want: "lo\nnet0\nnet1\nv1",
		},
		{
			name: "two that change names", make: func(b *box) {
				ownNetwork(b.t, pair)
				b.patch(devices(`{"v0":{"name":"v1"},"v1":{"name":"v0"}}`))
			},
			script: "ls /sys/class/net; ip -o addr show dev v1 | grep -c 10.1.2.3", want: "lo\nv0\nv1\n1",
		},
	})
	t.Run("into a namespace where number and name are taken", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		dir := holder(t, "--fork", "--net")
		ownNetwork(t, pair)
		index := ip(t, "-o link show v0")
		index, _, _ = strings.Cut(index, ":")
		inside := func(args ...string) {
			out, err := exec.Command("nsenter", append([]string{"--net=" + dir + "/ns/net"}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v %s", args, err, out)
			}
		}
		inside("ip", "link", "add", "x0", "index", index, "type", "veth", "peer", "name", "x1")
		b.patch(`{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"network","path":"` + dir + `/ns/net"}]}}`)
		b.patch(devices(`{"v0":{"name":"x1"}}`))
		b.refused(`/linux/netDevices/v0: find a place for the network device "v0": EEXIST`, "run", "--bundle", b.bundleSaved(), b.id)
		if links := ip(t, "-o link"); !strings.Contains(links, " v0") {
			t.Errorf("the device is gone that could not be moved:\n%s", links)
		}
		b.patch(devices(`{"v0":{"name":"x%d"}}`))
		equal(t, b.run("ls /sys/class/net"), "lo\nx0\nx1\nx2")
		// It stays where it is, for the namespace is not the container's.
		inside("ip", "link", "show", "x2")
	})
	refuse(t, []refusal{
		{
			name: "that is not there", patch: devices(`{"v9":{}}`), make: with(pair),
			want: []string{`/linux/netDevices/v9: find the network device "v9": ENODEV`},
		},
		{
			name: "that belongs to its namespace", patch: devices(`{"lo":{"name":"other"}}`), make: with(pair),
			want: []string{`/linux/netDevices/lo: move the network device "lo": EINVAL`},
		},
		{
			name: "whose name is lo", patch: devices(`{"v0":{"name":"lo"}}`), make: with(pair),
			want: []string{`/linux/netDevices/v0: find a place for the network device "v0": EEXIST`, `the container has a device "lo"`},
		},
	})
}

// A device that cannot be moved is as it was: the kernel sets it down when it is
// sure that it can.
func TestNetDeviceStays(t *testing.T) {
	b := newBox(t)
	ownNetwork(t, "link add b0 type bridge\naddr add fd00::5/64 dev b0 nodad\nlink set b0 up")
	before := ip(t, "-o addr show b0")
	b.patch(devices(`{"b0":{}}`))
	b.refused(`/linux/netDevices/b0: move the network device "b0": EINVAL`, "run", "--bundle", b.bundleSaved(), b.id)
	equal(t, ip(t, "-o addr show b0"), before)
}

// bundleSaved is the bundle with its config, of a payload that must not run.
func (b *box) bundleSaved() string {
	b.args("/bin/echo", "the payload runs")
	b.save()
	return b.bundle
}
