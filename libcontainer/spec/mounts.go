package spec

import (
	"path"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func (c *check) mounts() {
	var seen nameSet
	for i := range c.Mounts {
		m := &c.Mounts[i]
		at := fault.Pointer("/mounts", i)
		options := readOptions(m, func(j int, format string, args ...any) {
			c.fail(fault.Pointer(at, "options", j), format, args...)
		}, func(j int, format string, args ...any) {
			c.warn(fault.Pointer(at, "options", j), format, args...)
		})
		c.mountStrings(at, m)
		destination := c.destination(at, i, &seen)
		if destination == "/" {
			c.rootMount(at, i, &options)
			continue
		}
		if destination != "" {
			c.mountSource(at, m, destination, &options)
			c.overProc(at, m, destination, &options)
		}
		c.mountIDs(at, m, &options)
		if options.CopyUp && m.Type != "tmpfs" {
			c.fail(at+"/options", "tmpcopyup is an option of a tmpfs")
		}
	}
}

// destination checks where mount i goes and returns the plain path, "" without one.
// It refuses a second mount on the same destination: that would hide the first one
// whole, so the config says two things about one path. Engines that let a user's
// mount take the place of a default one leave the default one out.
func (c *check) destination(at string, i int, seen *nameSet) string {
	name := c.Mounts[i].Destination
	if name == "" {
		c.fail(at+"/destination", "the destination is empty")
		return ""
	}
	if !path.IsAbs(name) {
		c.warn(at+"/destination", "%q is not an absolute path, taken from /", name)
	}
	name = path.Clean("/" + name)
	if j, ok := seen.add(name, i); !ok {
		c.fail(at+"/destination", "mount %d is on %q already", j, name)
	}
	return name
}

// mountStrings is for a config that did not come from the decoder (runc#3287).
func (c *check) mountStrings(at string, m *specs.Mount) {
	for _, s := range [...]struct{ field, text string }{
		{"/destination", m.Destination}, {"/source", m.Source}, {"/type", m.Type},
	} {
		if strings.IndexByte(s.text, 0) >= 0 {
			c.fail(at+s.field, "a NUL byte in a string")
		}
	}
}

// rootMount checks a mount on "/". There is one such form: the first mount, with
// which the ids of the root file system's files are mapped. A mount over the root would hide what the container is made of.
func (c *check) rootMount(at string, i int, o *MountOptions) {
	m := &c.Mounts[i]
	switch {
	case i != 0 || m.Destination != "/" || !IsMapped(m, o) || !o.Bind:
		c.fail(at+"/destination", `only the first mount can be on "/", a bind mount of the root file system with the option idmap`)
		return
	case m.Type != "" && m.Type != "none" && m.Type != "bind":
		c.fail(at+"/type", "%q is not the type of a bind mount: none or bind", m.Type)
	}
	if c.Root != nil && m.Source != c.Root.Path {
		c.fail(at+"/source", "%q is not /root/path, the only thing to mount on /", m.Source)
	}
	if len(o.Propagation) > 0 {
		c.fail(at+"/options", "the propagation of the root file system is set by /linux/rootfsPropagation")
	}
	if (o.SetAttr|o.SetAll)&unix.MOUNT_ATTR_RDONLY != 0 {
		c.fail(at+"/options", "the root file system is made read-only by /root/readonly")
	}
	c.mountIDs(at, m, o)
}

func (c *check) mountSource(at string, m *specs.Mount, destination string, o *MountOptions) {
	switch {
	case o.Bind && m.Source == "":
		c.fail(at+"/source", "a bind mount on %q without a source", destination)
	case !o.Bind && (m.Type == "" || m.Type == "none"):
		c.fail(at+"/type", "the type of the file system for %q is missing, and no option says bind", destination)
	}
}

// overProc keeps /proc the kernel's own. Another file system there could feign
// what the runtime and the payload ask the kernel (CVE-2019-16884), whatever its
// type and source say. Below it only files are allowed that hold figures of the
// whole machine, which LXCFS narrows to the container's.
func (c *check) overProc(at string, m *specs.Mount, destination string, o *MountOptions) {
	switch {
	case destination == "/proc":
		isProc := !o.Bind && m.Type == "proc"
		if !isProc && (!o.Bind || path.Clean(m.Source) != "/proc") {
			c.fail(at, "only a file system of type proc, or the host's /proc, can be mounted on /proc")
		}
	case strings.HasPrefix(destination, "/proc/") && !overmountable(destination):
		c.fail(at+"/destination", "nothing can be mounted on %q", destination)
	}
}

func overmountable(destination string) bool {
	switch destination[len("/proc/"):] {
	case "cpuinfo", "diskstats", "loadavg", "meminfo", "slabinfo", "stat", "swaps", "uptime",
		"sys/crypto/fips_enabled", "sys/kernel/ns_last_pid":
		return true
	}
	return false
}
