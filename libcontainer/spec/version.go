package spec

import "strings"

// version accepts every 1.x. A later 1.x only adds fields, and those that brig
// does not know are warned of.
func (c *check) version() {
	if c.Version == "" {
		c.fail("/ociVersion", "the version of the specification is missing")
		return
	}
	rest, ok := strings.CutPrefix(c.Version, "1.")
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		c.fail("/ociVersion", "%q is not supported: only versions 1.x are", c.Version)
	}
}
