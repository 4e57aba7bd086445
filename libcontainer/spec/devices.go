package spec

import (
	"math"
	"path"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The kernel has 12 bits for a major number and 20 for a minor one.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

func (c *check) devices() {
	c.devicesIgnored()
	var seen nameSet
	for i := range c.linux.Devices {
		d := &c.linux.Devices[i]
		at := fault.Pointer("/linux/devices", i)
		kind := deviceKind(d.Type)
		if kind == 0 {
			c.fail(at+"/type", "%q is not a type of device: c, u, b or p", d.Type)
			continue
		}
		c.devicePath(at+"/path", d.Path)
		if j, ok := seen.add(d.Path, i); !ok {
			c.fail(at+"/path", "%q is already device %d", d.Path, j)
		}
		c.deviceNumber(at, d)
		c.deviceMode(at+"/fileMode", d, kind)
		if d.UID != nil && *d.UID == math.MaxUint32 {
			c.fail(at+"/uid", "%d is not an id", *d.UID)
		}
		if d.GID != nil && *d.GID == math.MaxUint32 {
			c.fail(at+"/gid", "%d is not an id", *d.GID)
		}
	}
}

// devicesIgnored says which entries have no effect. A bind mount on /dev brings
// its own nodes, as under runc; in a user namespace the host's nodes are mounted,
// with the owner and the mode that they have.
func (c *check) devicesIgnored() {
	if len(c.linux.Devices) == 0 {
		return
	}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if path.Clean("/"+m.Destination) != "/dev" {
			continue
		}
		if o, err := ParseMountOptions(m); err == nil && o.Bind {
			c.warn("/linux/devices", "ignored: /mounts/%d is a bind mount on /dev, which brings its own", i)
			return
		}
	}
	if c.namespace(specs.UserNamespace) == nil {
		return
	}
	for i := range c.linux.Devices {
		d := &c.linux.Devices[i]
		if deviceKind(d.Type) != unix.S_IFIFO && (d.FileMode != nil || d.UID != nil || d.GID != nil) {
			c.warn(fault.Pointer("/linux/devices", i), "in a user namespace the host's node is mounted, with its own mode and owner")
		}
	}
}

func deviceKind(t string) uint32 {
	switch t {
	case "c", "u":
		return unix.S_IFCHR
	case "b":
		return unix.S_IFBLK
	case "p":
		return unix.S_IFIFO
	}
	return 0
}

// devicePath wants the path spelt in one way, so that two entries for one node
// and an entry for a default node are seen.
func (c *check) devicePath(pointer, name string) {
	switch {
	case !path.IsAbs(name):
		c.fail(pointer, "%q is not an absolute path", name)
	case name == "/" || path.Clean(name) != name:
		c.fail(pointer, "%q is not the plain path of a file", name)
	case strings.IndexByte(name, 0) >= 0:
		c.fail(pointer, "a NUL byte in a string")
	}
}

// deviceNumber leaves the numbers of a FIFO alone, which has none.
func (c *check) deviceNumber(at string, d *specs.LinuxDevice) {
	if d.Type == "p" {
		return
	}
	if d.Major < 0 || d.Major > maxMajor {
		c.fail(at+"/major", "%d is not between 0 and %d", d.Major, maxMajor)
	}
	if d.Minor < 0 || d.Minor > maxMinor {
		c.fail(at+"/minor", "%d is not between 0 and %d", d.Minor, maxMinor)
	}
}

// deviceMode accepts the file type among the bits, as engines copy it from
// stat(2), where it is the type of the entry.
func (c *check) deviceMode(pointer string, d *specs.LinuxDevice, kind uint32) {
	if d.FileMode == nil {
		return
	}
	mode := uint32(*d.FileMode)
	if extra := mode &^ 0o7777; extra != 0 && extra != kind {
		c.fail(pointer, "%#o is not the mode of a device of type %s", mode, d.Type)
	}
}
