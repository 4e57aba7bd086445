package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// IsMapped says that the ids of the files of a mount are mapped.
func IsMapped(m *specs.Mount, o *MountOptions) bool {
	return o.IDMap || len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0
}

// MountIDs is the mapping of a mapped mount: from the ids of the files
// (containerID) to those that the host sees (hostID). Without any the mapping is
// that of the container's user namespace.
func MountIDs(m *specs.Mount, o *MountOptions, linux *specs.Linux) (uids, gids []specs.LinuxIDMapping, err error) {
	if o.IDMapText == "" {
		return m.UIDMappings, m.GIDMappings, nil
	}
	for list := range strings.SplitSeq(o.IDMapText, ";") {
		key, ranges, _ := strings.Cut(list, "=")
		switch key {
		case "uids":
			uids, err = idRanges(uids, ranges, linux.UIDMappings)
		case "gids":
			gids, err = idRanges(gids, ranges, linux.GIDMappings)
		default:
			err = fmt.Errorf("%q is neither uids= nor gids=", list)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the mount option idmap=%s: %w", o.IDMapText, err)
		}
	}
	return uids, gids, nil
}

// idRanges reads ranges in crun's form, FILE-HOST-SIZE#FILE-HOST-SIZE. Behind an @
// the second number of each is an id of the container.
func idRanges(list []specs.LinuxIDMapping, text string, container []specs.LinuxIDMapping) ([]specs.LinuxIDMapping, error) {
	text, relative := strings.CutPrefix(text, "@")
	for triple := range strings.SplitSeq(text, "#") {
		m, err := idRange(triple)
		if err != nil {
			return nil, err
		}
		if relative {
			if m.HostID, err = hostID(m, container); err != nil {
				return nil, err
			}
		}
		list = append(list, m)
	}
	return list, nil
}

func idRange(triple string) (specs.LinuxIDMapping, error) {
	numbers := strings.Split(triple, "-")
	if len(numbers) != 3 {
		return specs.LinuxIDMapping{}, fmt.Errorf("%q is not of the form FILE-HOST-SIZE", triple)
	}
	var ids [3]uint32
	for i, text := range numbers {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return specs.LinuxIDMapping{}, fmt.Errorf("%q is no id", text)
		}
		ids[i] = uint32(n)
	}
	return specs.LinuxIDMapping{ContainerID: ids[0], HostID: ids[1], Size: ids[2]}, nil
}

// hostID is the id of the host behind the first one of a range of the container's
// ids. The kernel maps ranges, so it has to lie within one range of the container.
func hostID(m specs.LinuxIDMapping, container []specs.LinuxIDMapping) (uint32, error) {
	for _, c := range container {
		if m.HostID >= c.ContainerID && uint64(m.HostID)+uint64(m.Size) <= uint64(c.ContainerID)+uint64(c.Size) {
			return c.HostID + (m.HostID - c.ContainerID), nil
		}
	}
	return 0, fmt.Errorf("ids %d to %d are not in one mapping of the container", m.HostID, uint64(m.HostID)+uint64(m.Size)-1)
}

// mountIDs checks how the ids of a mount are mapped.
func (c *check) mountIDs(at string, m *specs.Mount, o *MountOptions) {
	if !IsMapped(m, o) {
		return
	}
	user := c.namespace(specs.UserNamespace)
	uids, gids, err := MountIDs(m, o, c.linux)
	switch own := len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0; {
	case err == nil && own && o.IDMapText != "":
		err = errors.New("the ids are mapped twice, here and by uidMappings and gidMappings")
	case err == nil && len(uids) == 0 && len(gids) == 0 && user == nil:
		err = errors.New("idmap without a mapping is that of the container's user namespace, and /linux/namespaces has none")
	case err == nil && !o.Bind && user != nil:
		// The kernel maps what the user namespace of the caller owns, and the container
		// has no hold on the one that the mapping would come from.
		err = errors.New("the ids of a file system that is made in a user namespace cannot be mapped, but for a bind mount")
	}
	if err != nil {
		c.fail(at+"/options", "%s", err)
		return
	}
	if o.IDMapText == "" {
		c.mountRanges(at, uids, gids)
		return
	}
	text := check{}
	text.mountRanges("", uids, gids)
	for _, f := range text.faults {
		c.fail(at+"/options", "the mount option idmap=%s: %s: %s", o.IDMapText, f.Pointer, f.Op)
	}
}

func (c *check) mountRanges(at string, uids, gids []specs.LinuxIDMapping) {
	for _, of := range [...]struct {
		maps    []specs.LinuxIDMapping
		others  int
		pointer string
	}{{uids, len(gids), at + "/uidMappings"}, {gids, len(uids), at + "/gidMappings"}} {
		if len(of.maps) == 0 && of.others > 0 {
			c.fail(of.pointer, "a mapping maps user ids and group ids, and these are missing")
		}
		c.idRanges(of.pointer, of.maps)
	}
}
