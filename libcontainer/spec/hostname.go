package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// maxHostname is __NEW_UTS_LEN of the kernel.
const maxHostname = 64

// hostnames would otherwise be set for the host: sethostname(2) changes the UTS
// namespace that the process is in.
func (c *check) hostnames() {
	c.hostnameOf("/hostname", c.Hostname)
	c.hostnameOf("/domainname", c.Domainname)
}

func (c *check) hostnameOf(pointer, name string) {
	if name == "" {
		return
	}
	switch ns := c.namespace(specs.UTSNamespace); {
	case ns == nil:
		c.fail(pointer, "cannot be set without a uts namespace in /linux/namespaces")
	case ns.Path != "" && c.ownNamespace(specs.UTSNamespace, ns.Path):
		c.fail(pointer, "cannot be set in the uts namespace of the host")
	}
	if len(name) > maxHostname {
		c.fail(pointer, "%d characters are more than the %d of the kernel", len(name), maxHostname)
	}
}
