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
	// OwnNamespace says whether the namespace file at path is the namespace of that
	// type that brig itself is in. Nil asks the kernel.
	OwnNamespace func(t specs.LinuxNamespaceType, path string) bool
}

// Validate runs all rules over a config. It returns the warnings, and a fault.List
// of every fault, in the order of the rules and, within a rule, of the config.
func Validate(s *specs.Spec, o Options) (warnings []string, err error) {
	c := check{Spec: s, linux: s.Linux, options: o}
	if c.linux == nil {
		c.linux = new(specs.Linux)
	}
	for _, r := range rules() {
		r.run(&c)
	}
	return c.warnings, c.faults.OrNil()
}

// rule checks one section of the config: all that it reports has a pointer at or
// below the section.
type rule struct {
	section string
	run     func(*check)
}

// rules is the rule table. A field that no rule looks at is either checked by the
// package that compiles it, or is free text; a test keeps the list of those.
func rules() [17]rule {
	return [...]rule{
		{"/ociVersion", (*check).version},
		{"", (*check).unsupported},
		{"/root", (*check).root},
		{"/process", (*check).process},
		{"/process/user", (*check).user},
		{"/process/capabilities", (*check).capabilities},
		{"/process/rlimits", (*check).rlimits},
		{"", (*check).hostnames},
		{"/mounts", (*check).mounts},
		{"/linux/namespaces", (*check).namespaces},
		{"/linux/uidMappings", (*check).uidMappings},
		{"/linux/gidMappings", (*check).gidMappings},
		{"/linux/sysctl", (*check).sysctl},
		{"/linux/devices", (*check).devices},
		{"/linux/maskedPaths", (*check).maskedPaths},
		{"/linux/readonlyPaths", (*check).readonlyPaths},
		{"/linux/rootfsPropagation", (*check).propagation},
	}
}

// check is one run of the rules.
type check struct {
	*specs.Spec
	linux    *specs.Linux // never nil
	options  Options
	faults   fault.List
	warnings []string
}

// fail reports a fault of the config field at pointer.
func (c *check) fail(pointer, format string, args ...any) {
	c.faults = append(c.faults, fault.Configf(pointer, format, args...))
}

func (c *check) warn(pointer, format string, args ...any) {
	c.warnings = append(c.warnings, pointer+": "+fmt.Sprintf(format, args...))
}

// namespace finds the first namespace of a type in the list. One without a path
// is new; one that is not in the list is shared with the host.
func (c *check) namespace(t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	for i := range c.linux.Namespaces {
		if c.linux.Namespaces[i].Type == t {
			return &c.linux.Namespaces[i]
		}
	}
	return nil
}

func (c *check) newNamespace(t specs.LinuxNamespaceType) bool {
	n := c.namespace(t)
	return n != nil && n.Path == ""
}
