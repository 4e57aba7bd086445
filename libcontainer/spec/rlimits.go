package spec

import "brig/libcontainer/fault"

// rlimitNames are the resource limits by number. The numbers are those of amd64,
// arm64 and all but three architectures of the kernel.
var rlimitNames = [...]string{
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC",
	"RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE",
	"RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
}

// RlimitNumber is the number of a resource limit for prlimit(2).
func RlimitNumber(name string) (number int, ok bool) {
	for n, s := range rlimitNames {
		if s == name {
			return n, true
		}
	}
	return 0, false
}

// rlimits refuses duplicates because the specification says so: two values for
// one limit are two configs in one.
func (c *check) rlimits() {
	if c.Process == nil {
		return
	}
	seen := 0
	for i, r := range c.Process.Rlimits {
		n, ok := RlimitNumber(r.Type)
		switch {
		case !ok:
			c.fail(fault.Pointer("/process/rlimits", i, "type"), "%q is not a resource limit", r.Type)
			continue
		case seen&(1<<n) != 0:
			c.fail(fault.Pointer("/process/rlimits", i, "type"), "%s is there twice", r.Type)
		case r.Soft > r.Hard:
			c.fail(fault.Pointer("/process/rlimits", i, "soft"), "the soft limit %d is above the hard limit %d", r.Soft, r.Hard)
		}
		seen |= 1 << n
	}
}
