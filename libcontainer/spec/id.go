package spec

import "brig/libcontainer/fault"

// maxID is NAME_MAX: an ID is the name of a directory and of a cgroup.
const maxID = 255

// ValidID checks the ID of a container. It becomes the name of a directory and of
// a cgroup, so it must not lead anywhere: no slash, no "..", nothing that needs
// quoting. The texts are those that engines know.
func ValidID(id string) *fault.Error {
	if id == "" {
		return fault.Configf("", "container id cannot be empty")
	}
	if len(id) > maxID {
		return fault.Configf("", "invalid container ID format: %d characters are more than %d", len(id), maxID)
	}
	for i := range len(id) {
		b := id[i]
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '_', b == '+', b == '-', b == '.':
		default:
			return fault.Configf("", "invalid container ID format: %q", id)
		}
	}
	if id == "." || id == ".." {
		return fault.Configf("", "invalid container ID format: %q", id)
	}
	return nil
}
