package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// withheld are the capabilities that brig cannot grant because it does not hold
// them. In a user namespace of its own the container has all of them. Whoever is not
// root can only ask for the plan of root, who may hold more.
func withheld(s *specs.Spec) uint64 {
	if rootless() || s.Linux == nil {
		return 0
	}
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == specs.UserNamespace {
			return 0
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0 // the kernel then decides
	}
	return ^(uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted))
}
