package plan

import "brig/nsenter"

// hostname sets the two names of the UTS namespace.
func (c *compiler) hostname() {
	if name := c.spec.Hostname; name != "" {
		c.step("/hostname", "set the host name")
		c.b.Call(nsenter.Sethostname, c.b.Str(name), nsenter.Imm(uint64(len(name))))
	}
	if name := c.spec.Domainname; name != "" {
		c.step("/domainname", "set the domain name")
		c.b.Call(nsenter.Setdomainname, c.b.Str(name), nsenter.Imm(uint64(len(name))))
	}
}
