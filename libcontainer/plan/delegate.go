package plan

import (
	"path"
	"strings"

	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const cgroupMount = "/sys/fs/cgroup"

// Owner is a user of the host, with a group.
type Owner struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// CgroupOwner is who the container's cgroup is given to, so that the payload can make
// cgroups of its own, and nil when it stays root's: the specification's "cgroup
// ownership". The config has to give the payload a cgroup namespace and to mount its
// cgroup writable. An ordinary user can give nothing away, and needs not: the cgroup that
// he made is his. Without a user namespace nothing is given away either: root needs it
// not, and for anybody else the host has a user with his number, who could kill there.
//
// The group changes too, since the kernel lets the root of a user namespace pass over the
// permissions of files only if it has both of their ids: exec is such a root when it
// enters the cgroup.
func (in *Input) CgroupOwner() *Owner {
	linux := in.Spec.Linux
	own := namespace(in.Spec, specs.CgroupNamespace)
	if in.Host.Rootless || in.Spec.Process == nil || own == nil || own.Path != "" || namespace(in.Spec, specs.UserNamespace) == nil || !cgroupWritable(in.Spec) {
		return nil
	}
	uid, found := hostID(linux.UIDMappings, in.Spec.Process.User.UID)
	gid, both := hostID(linux.GIDMappings, in.Spec.Process.User.GID)
	// Of a namespace that is joined the engine may not tell the mapping.
	if !found || !both || uid == 0 {
		return nil
	}
	return &Owner{uid, gid}
}

// hostID is what the host calls an id of the container.
func hostID(maps []specs.LinuxIDMapping, id uint32) (uint32, bool) {
	for _, m := range maps {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + id - m.ContainerID, true
		}
	}
	return 0, false
}

// cgroupWritable says that the payload can write to the file system of cgroups.
func cgroupWritable(s *specs.Spec) bool {
	for _, name := range s.Linux.ReadonlyPaths {
		if strings.HasPrefix(cgroupMount+"/", path.Clean(name)+"/") {
			return false
		}
	}
	for i := len(s.Mounts) - 1; i >= 0; i-- { // the last one lies on top
		m := &s.Mounts[i]
		if path.Clean("/"+m.Destination) != cgroupMount {
			continue
		}
		o, err := spec.ParseMountOptions(m)
		return err == nil && !o.Bind && fsType(m.Type) == "cgroup2" && (o.SetAttr|o.SetAll)&unix.MOUNT_ATTR_RDONLY == 0
	}
	return false
}
