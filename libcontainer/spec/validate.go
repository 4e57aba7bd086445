package spec

import (
	"fmt"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options is what the rules have to know beside the config.
type Options struct {
	// Rootless says that brig runs as an ordinary user.
	Rootless bool
	// Withheld are the capabilities that nobody here can grant, as a bit mask.
	Withheld uint64
	// OwnNamespace says whether the namespace file at path is the namespace of that
	// type that brig itself is in. Nil asks the kernel.
	OwnNamespace func(t specs.LinuxNamespaceType, path string) bool
}

// Validate runs all rules over a config but those of /linux/resources and
// /linux/seccomp, which the packages that compile these have. It returns the warnings, and a fault.List
// of every fault, in the order of the rules and, within a rule, of the config. A valid
// config without /linux gets an empty one.
func Validate(s *specs.Spec, o Options) (warnings []string, err error) {
	c := newCheck(s, o)
	for _, r := range rules() {
		r.run(c)
	}
	if warnings, err = c.result(); err == nil && s.Linux == nil {
		s.Linux = c.linux
	}
	return warnings, err
}

// rule checks one section of the config: all that it reports has a pointer at or
// below the section.
type rule struct {
	section string
	run     func(*check)
}

// rules is the rule table. A field that no rule looks at is either checked by the
// package that compiles it, or is free text; a test keeps the list of those.
func rules() [27]rule {
	return [...]rule{
		{"/ociVersion", (*check).version},
		{"", (*check).unsupported},
		{"/root", (*check).root},
		{"/process", (*check).process},
		{"/process/user", (*check).user},
		{"/process/capabilities", (*check).capabilities},
		{"/process/rlimits", (*check).rlimits},
		{"/process/scheduler", (*check).scheduler},
		{"/process/ioPriority", (*check).ioPriority},
		{"/process/execCPUAffinity", (*check).execCPUAffinity},
		{"/hooks", (*check).hooks},
		{"", (*check).hostnames},
		{"/mounts", (*check).mounts},
		{"/linux/namespaces", (*check).namespaces},
		{"/linux/timeOffsets", (*check).timeOffsets},
		{"/linux/uidMappings", (*check).uidMappings},
		{"/linux/gidMappings", (*check).gidMappings},
		{"/linux/sysctl", (*check).sysctl},
		{"/linux/devices", (*check).devices},
		{"/linux/maskedPaths", (*check).maskedPaths},
		{"/linux/readonlyPaths", (*check).readonlyPaths},
		{"/linux/rootfsPropagation", (*check).propagation},
		{"", (*check).mountLabel},
		{"/linux/netDevices", (*check).netDevices},
		{"/linux/intelRdt", (*check).intelRdt},
		{"/linux/personality", (*check).personality},
		{"/linux/memoryPolicy", (*check).memoryPolicy},
	}
}

// Bounds of what a config full of faults makes brig print.
const (
	maxFaults   = 100
	maxWarnings = 64
)

// check is one run of the rules.
type check struct {
	*specs.Spec
	linux    *specs.Linux // never nil
	first    [namespaceTypes + 1]*specs.LinuxNamespace
	options  Options
	faults   fault.List
	warnings []string
	more     int // faults and warnings beyond the bounds
}

func newCheck(s *specs.Spec, o Options) *check {
	c := &check{Spec: s, linux: s.Linux, options: o}
	if c.linux == nil {
		c.linux = new(specs.Linux)
	}
	c.findNamespaces()
	return c
}

// fail reports a fault of the config field at pointer.
func (c *check) fail(pointer, format string, args ...any) {
	if len(c.faults) == maxFaults {
		c.more++ // without the work of a message
		return
	}
	c.faults = append(c.faults, fault.Configf(pointer, format, args...))
}

func (c *check) warn(pointer, format string, args ...any) {
	if len(c.warnings) == maxWarnings {
		c.more++
		return
	}
	c.warnings = append(c.warnings, pointer+": "+fmt.Sprintf(format, args...))
}

// result returns what was found, and how much of it was left out.
func (c *check) result() ([]string, error) {
	if c.more > 0 {
		text := fmt.Sprintf("%d more faults and warnings", c.more)
		if len(c.faults) > 0 {
			c.faults = append(c.faults, fault.Configf("", "%s", text))
		} else {
			c.warnings = append(c.warnings, text)
		}
	}
	return c.warnings, c.faults.OrNil()
}
