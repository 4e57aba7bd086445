package spec

import (
	"strings"

	"brig/libcontainer/fault"
)

// intelRdt checks names and lines; what the hardware can do is the kernel's to say.
// That no string has a line break in it is the decoder's to see.
func (c *check) intelRdt() {
	const at = "/linux/intelRdt"
	r := c.linux.IntelRdt
	if r == nil {
		return
	}
	if why := badClass(r.ClosID); why != "" {
		c.fail(at+"/closID", "%q is not the name of a class of service: %s", r.ClosID, why)
	}
	if l3 := r.L3CacheSchema; l3 != "" && !strings.HasPrefix(l3, "L3:") {
		c.warn(at+"/l3CacheSchema", "%q does not start with L3:", l3)
	}
	if mb := r.MemBwSchema; mb != "" && !strings.HasPrefix(mb, "MB:") {
		c.fail(at+"/memBwSchema", "%q does not start with MB:", mb)
	}
	for i, line := range r.Schemata {
		if line == "" {
			c.fail(fault.Pointer(at+"/schemata", i), "an empty line sets nothing")
		}
	}
}

// badClass says why a directory of resctrl cannot be a class of service. "/" is
// the default class, "" one with the name of the container.
func badClass(name string) string {
	switch {
	case name == "" || name == "/":
		return ""
	case name == "." || name == ".." || strings.Contains(name, "/"):
		return "it has to be a single name"
	case name == "info" || name == "mon_groups" || name == "mon_data":
		return "it is a directory of resctrl itself"
	case len(name) > 255:
		return "it has more than 255 bytes"
	}
	return ""
}
