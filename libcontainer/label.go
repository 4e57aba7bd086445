package libcontainer

import (
	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// securityModules looks for those that the config has a label for.
func securityModules(h *plan.Host, s *specs.Spec) {
	p := s.Process
	if p != nil && p.ApparmorProfile != "" {
		h.AppArmor = appArmorEnabled()
	}
	if p != nil && p.SelinuxLabel != "" || s.Linux != nil && s.Linux.MountLabel != "" {
		h.SELinux = selinuxEnabled()
	}
}

func appArmorEnabled() bool {
	fd, err := unix.Open("/sys/module/apparmor/parameters/enabled", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var answer [1]byte
	n, err := unix.Read(fd, answer[:])
	return err == nil && n == 1 && answer[0] == 'Y'
}

// selinuxEnabled looks for the file system that SELinux makes where it has a policy.
func selinuxEnabled() bool {
	var fs unix.Statfs_t
	return unix.Statfs("/sys/fs/selinux", &fs) == nil && uint32(fs.Type) == unix.SELINUX_MAGIC
}
