package spec

import (
	"math"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxGroups is NGROUPS_MAX of the kernel.
const maxGroups = 65536

// GroupsAnnotation keeps the supplementary groups of whoever calls brig.
const GroupsAnnotation = "run.oci.keep_original_groups"

// KeepsGroups says that the payload has the supplementary groups of the caller, and
// not those of /process/user/additionalGids, as crun and podman's keep-groups have it.
func KeepsGroups(s *specs.Spec) bool { return s.Annotations[GroupsAnnotation] == "1" }

// user checks the ids of the process. 4294967295 is (uid_t)-1, by which
// setresuid(2) means no change: the payload would keep the ids of the runtime.
func (c *check) user() {
	if c.Process == nil {
		return
	}
	u := &c.Process.User
	c.id("/process/user/uid", u.UID, c.linux.UIDMappings)
	c.id("/process/user/gid", u.GID, c.linux.GIDMappings)
	c.groups(u.AdditionalGids)
	if value, ok := c.Annotations[GroupsAnnotation]; ok && value != "0" && value != "1" {
		c.fail(fault.Pointer("/annotations", GroupsAnnotation), "%q is neither \"1\", which keeps the supplementary groups of the caller, nor \"0\"", value)
	}
	if u.Umask != nil && *u.Umask > 0o777 {
		c.fail("/process/user/umask", "%#o is not a umask: at most 0777", *u.Umask)
	}
	if u.Username != "" {
		c.warn("/process/user/username", "has a meaning on Windows only, ignored: uid and gid decide")
	}
}

func (c *check) groups(gids []uint32) {
	const at = "/process/user/additionalGids"
	if len(gids) > maxGroups {
		c.fail(at, "%d groups are more than the %d of the kernel", len(gids), maxGroups)
		return
	}
	for i, gid := range gids {
		c.id(fault.Pointer(at, i), gid, c.linux.GIDMappings)
	}
	if len(gids) > 0 && c.options.Rootless && singleID(c.linux.GIDMappings) && !KeepsGroups(c.Spec) {
		c.fail(at, "an ordinary user who maps only one group cannot set additional groups")
	}
}

// singleID says that a map has one id. An ordinary user can write it without the
// help of newgidmap, and the kernel then denies setgroups(2).
func singleID(maps []specs.LinuxIDMapping) bool {
	return len(maps) == 1 && maps[0].Size == 1
}

// id checks one id. What ids a user namespace to join has mapped only the kernel
// knows, so that is left to it.
func (c *check) id(pointer string, id uint32, maps []specs.LinuxIDMapping) {
	switch {
	case id == math.MaxUint32:
		c.fail(pointer, "%d is not an id, it means \"no change\" to the kernel", id)
	case c.newNamespace(specs.UserNamespace) && len(maps) > 0 && len(maps) <= maxMappings && !mapped(id, maps):
		c.fail(pointer, "%d is not mapped in the user namespace", id)
	}
}

func mapped(id uint32, maps []specs.LinuxIDMapping) bool {
	for _, m := range maps {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return true
		}
	}
	return false
}
