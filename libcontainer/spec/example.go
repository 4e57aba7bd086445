package spec

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultIDBase is the first id of the host that [Example] maps the ids of a
// container to. It lies above what useradd writes to /etc/subuid and /etc/subgid
// (up to 600100000) and above what systemd hands out to containers (up to
// 1879048191), and below 2^31, where old file systems and tools take ids for
// negative. Nothing else is known to use these.
const DefaultIDBase = 0x70000000

// idCount is what most images expect: all ids of 16 bits.
const idCount = 1 << 16

// Limits of [Example]: room for a service, but not for the host's downfall.
const (
	defaultPids   = 1024
	defaultMemory = 1 << 30
)

// ExampleHost is what [Example] takes from the host.
type ExampleHost struct {
	// Controllers are those that the cgroup v2 hierarchy can enforce limits with.
	Controllers []string
	// NoUserNamespace is for a host that does not allow user namespaces.
	NoUserNamespace bool
	// IDBase is the first id of the host in the mapping, DefaultIDBase if 0. Two
	// containers with one range can reach each other's files where both see them,
	// so a range for each is better.
	IDBase uint32
	// Seccomp is the system call filter, nil for none.
	Seccomp *specs.LinuxSeccomp
}

// Example is the config that `brig spec` writes: everything that can be closed is
// closed, and the user opens what the program needs.
func Example(h ExampleHost) *specs.Spec {
	s := &specs.Spec{
		Version:  specs.Version,
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Hostname: "brig",
		Process: &specs.Process{
			Args:            []string{"sh"},
			Cwd:             "/",
			Env:             []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
			Capabilities:    &specs.LinuxCapabilities{},
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},
			NoNewPrivileges: true,
		},
		Mounts: exampleMounts(),
		Linux: &specs.Linux{
			Namespaces:    exampleNamespaces(),
			Resources:     exampleResources(h.Controllers),
			Seccomp:       h.Seccomp,
			MaskedPaths:   exampleMasked(),
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	if !h.NoUserNamespace {
		mapUsers(s, h.IDBase)
	}
	return s
}

// mapUsers gives s a user namespace, with the files of the root file system mapped
// in the same way, so that they belong to the users that they look to belong to.
func mapUsers(s *specs.Spec, base uint32) {
	if base == 0 {
		base = DefaultIDBase
	}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: base, Size: idCount}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: base, Size: idCount}}
	root := specs.Mount{Destination: "/", Type: "none", Source: s.Root.Path, Options: []string{"bind", "idmap"}}
	s.Mounts = append([]specs.Mount{root}, s.Mounts...)
}

func exampleNamespaces() []specs.LinuxNamespace {
	return []specs.LinuxNamespace{
		{Type: specs.PIDNamespace},
		{Type: specs.NetworkNamespace},
		{Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace},
		{Type: specs.MountNamespace},
		{Type: specs.CgroupNamespace},
	}
}

// exampleMounts has a /tmp because most programs need one, and the root file
// system is read-only.
func exampleMounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{
			Destination: "/dev", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"},
		},
		{
			Destination: "/dev/pts", Type: "devpts", Source: "devpts",
			Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
		},
		{
			Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
		},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{
			Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
			Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
		},
		{
			Destination: "/tmp", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
		},
	}
}

// exampleResources sets the limits that the host can enforce; one that it cannot
// would make every start fail.
func exampleResources(controllers []string) *specs.LinuxResources {
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	if slices.Contains(controllers, "pids") {
		limit := int64(defaultPids)
		r.Pids = &specs.LinuxPids{Limit: &limit}
	}
	if slices.Contains(controllers, "memory") {
		limit := int64(defaultMemory)
		r.Memory = &specs.LinuxMemory{Limit: &limit}
	}
	return r
}

// exampleMasked are the files of the kernel that tell or do something about the
// whole host: CVE-2017-16539 (scsi), CVE-2018-10892 (acpi), power figures that
// leak secrets (powercap, CVE-2020-8694), keys and timers of others.
func exampleMasked() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
		"/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing",
	}
}

// ToRootless changes a config of [Example] for the ordinary user with these ids:
// without help he can map but one id, his own; he owns no part of the cgroup
// hierarchy unless it was delegated to him; and only root may map the ids of a
// file system that root mounted.
func ToRootless(s *specs.Spec, uid, gid int) *specs.Spec {
	if len(s.Mounts) > 0 && s.Mounts[0].Destination == "/" {
		s.Mounts = s.Mounts[1:]
	}
	for i := range s.Mounts {
		// gid 5, that of terminals, is not mapped.
		s.Mounts[i].Options = slices.DeleteFunc(s.Mounts[i].Options, func(o string) bool { return o == "gid=5" })
	}
	isUser := func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace }
	if !slices.ContainsFunc(s.Linux.Namespaces, isUser) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(uid), Size: 1}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(gid), Size: 1}}
	s.Linux.Resources = nil
	return s
}
