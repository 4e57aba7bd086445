package spec

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxDeviceName is IFNAMSIZ of the kernel without the NUL.
const maxDeviceName = 15

// NetDeviceName is the name of a device in the container, or the template of one.
func NetDeviceName(host string, d specs.LinuxNetDevice) string {
	if d.Name == "" {
		return host
	}
	return d.Name
}

// netDevices asks for a network namespace of the container's own to move the
// devices to.
func (c *check) netDevices() {
	const at = "/linux/netDevices"
	if len(c.linux.NetDevices) == 0 {
		return
	}
	switch ns := c.namespace(specs.NetworkNamespace); {
	case ns == nil:
		c.fail(at, "devices cannot be moved without a network namespace in /linux/namespaces")
	case ns.Path != "" && c.ownNamespace(specs.NetworkNamespace, ns.Path):
		c.fail(at, "devices cannot be moved to the network namespace of the host: they are there")
	case c.options.Rootless:
		c.fail(at, "an ordinary user cannot move devices of the host")
	}
	var seen nameSet
	for _, host := range slices.Sorted(maps.Keys(c.linux.NetDevices)) {
		d := c.linux.NetDevices[host]
		if why := badDeviceName(host); why != "" {
			c.fail(fault.Pointer(at, host), "%q is not the name of a network device: %s", host, why)
			continue
		}
		pointer, name := fault.Pointer(at, host), NetDeviceName(host, d)
		if d.Name != "" {
			pointer += "/name"
		}
		if why := badDeviceName(strings.Replace(name, "%d", "0", 1)); why != "" || len(name) > maxDeviceName {
			c.fail(pointer, "%q is not the name of a network device, nor a template: %s", name, cmp.Or(why, tooLong))
			continue
		}
		if _, ok := seen.add(name, 0); !ok && !strings.Contains(name, "%d") {
			c.fail(pointer, "two devices get the name %q", name)
		}
	}
}

const tooLong = "it has more than 15 bytes"

// badDeviceName says what the kernel has against a name. It means some bytes as
// Latin-1, where 0xa0 is a space.
func badDeviceName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxDeviceName:
		return tooLong
	case name == "." || name == "..":
		return "it is that of a directory"
	}
	for i := range len(name) {
		switch b := name[i]; {
		case b <= ' ', b == 0x7f, b == 0xa0:
			return "it holds a space or a control character"
		case b == '/', b == ':', b == '%':
			return "it holds the character " + string(rune(b))
		}
	}
	return ""
}
