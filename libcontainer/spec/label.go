package spec

import (
	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// contextAnnotation chooses for which of SELinux's mount options the mount label is.
const contextAnnotation = "run.oci.mount_context_type"

// Annotations are those that change what is compiled.
func Annotations() []string { return []string{GroupsAnnotation, contextAnnotation} }

// ContextType is the mount option that takes /linux/mountLabel.
func ContextType(s *specs.Spec) string {
	if kind, ok := s.Annotations[contextAnnotation]; ok {
		return kind
	}
	return "context"
}

func (c *check) mountLabel() {
	if c.linux.MountLabel != "" && !isContext(ContextType(c.Spec)) {
		c.fail(fault.Pointer("/annotations", contextAnnotation), "%q is none of SELinux's mount options", ContextType(c.Spec))
	}
}
