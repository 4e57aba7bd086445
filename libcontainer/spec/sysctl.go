package spec

import (
	"fmt"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxSysctl is what one write to a file of /proc/sys can hold.
const maxSysctl = 4095

// SysctlPath is the path below /proc/sys of a kernel parameter, which may be
// spelt with dots or with slashes: as for sysctl(8), the first separator is the
// separator, and the other one is a dot in a name, such as that of eth0.1. What is
// not a plain name is none at all: no "..", no empty part, no other separator that
// something else could read as two parameters (CVE-2022-0811).
func SysctlPath(key string) (string, bool) {
	name := key
	if at := strings.IndexAny(name, "./"); at >= 0 && name[at] == '.' {
		swapped := []byte(name)
		for i, b := range swapped {
			switch b {
			case '.':
				swapped[i] = '/'
			case '/':
				swapped[i] = '.'
			}
		}
		name = string(swapped)
	}
	if len(name) > 255 || !strings.Contains(name, "/") {
		return "", false
	}
	part := byte('/')
	for i := range len(name) {
		b := name[i]
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '_', b == '-':
		case b != '.' && b != '/', part == '.', part == '/':
			return "", false
		}
		part = b
	}
	return name, part != '.' && part != '/'
}

// sysctlNamespace is the type of the namespace that a kernel parameter belongs
// to, "" for those of the whole host. The list is what is allowed: a parameter that
// the kernel adds is the host's until it is looked at.
func sysctlNamespace(name string) specs.LinuxNamespaceType {
	switch name {
	case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall",
		"kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced":
		return specs.IPCNamespace
	case "kernel/domainname", "kernel/hostname":
		return specs.UTSNamespace
	}
	switch top, _, _ := strings.Cut(name, "/"); {
	case top == "net":
		return specs.NetworkNamespace
	case top == "user":
		return specs.UserNamespace
	case strings.HasPrefix(name, "fs/mqueue/"):
		return specs.IPCNamespace
	}
	return ""
}

func (c *check) sysctl() {
	if len(c.linux.Sysctl) == 0 {
		return
	}
	keys := make([]string, 0, len(c.linux.Sysctl))
	for key := range c.linux.Sysctl {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var seen nameSet
	for _, key := range keys {
		at := fault.Pointer("/linux/sysctl", key)
		name, ok := SysctlPath(key)
		if !ok {
			c.fail(at, "not the name of a kernel parameter")
			continue
		}
		if _, ok := seen.add(name, 0); !ok {
			c.fail(at, "/proc/sys/%s is there twice, in two spellings", name)
		}
		c.sysctlOwner(at, name)
		c.sysctlValue(at, c.linux.Sysctl[key])
	}
}

// sysctlOwner refuses to change the host: the parameter has to belong to a
// namespace of the container's own. A path can name a namespace of the host, so
// what counts is which namespace it is (CVE-2022-0532).
func (c *check) sysctlOwner(at, name string) {
	t := sysctlNamespace(name)
	if t == "" {
		c.fail(at, "belongs to no namespace, setting it would change the host")
		return
	}
	ns := c.namespace(t)
	if ns == nil || ns.Path != "" && c.ownNamespace(t, ns.Path) {
		c.fail(at, "is not in a separate %s namespace, setting it would change the host", t)
	}
	switch {
	case name == "kernel/hostname":
		c.fail(at, "is set by /hostname")
	case name == "kernel/domainname" && c.Domainname != "":
		c.fail(at, "is set by /domainname already")
	}
}

func (c *check) sysctlValue(at, value string) {
	switch {
	case value == "":
		c.fail(at, "an empty value sets nothing")
	case len(value) > maxSysctl:
		c.fail(at, "the value has %d bytes, more than the kernel takes", len(value))
	}
	for i := range len(value) {
		// Lists of numbers are separated by tabs, as in net.ipv4.tcp_rmem.
		if b := value[i]; b != '\t' && (b < ' ' || b > '~') {
			c.fail(at, "the value holds the byte %#02x", b)
			return
		}
	}
}

func (c *check) ownNamespace(t specs.LinuxNamespaceType, path string) bool {
	if f := c.options.OwnNamespace; f != nil {
		return f(t, path)
	}
	return ownNamespace(t, path)
}

// ownNamespace compares the identity of two namespaces, which bind mounts of one
// share. One that cannot be looked at counts as the host's.
func ownNamespace(t specs.LinuxNamespaceType, path string) bool {
	file := string(t)
	if t == specs.NetworkNamespace {
		file = "net"
	}
	var own, other unix.Stat_t
	if unix.Stat(fmt.Sprintf("/proc/self/ns/%s", file), &own) != nil || unix.Stat(path, &other) != nil {
		return true
	}
	return own.Dev == other.Dev && own.Ino == other.Ino
}
