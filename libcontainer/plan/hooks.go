package plan

import "brig/nsenter"

// waitsForHooks says whether there are hooks that run before pivot_root.
func (c *compiler) waitsForHooks() bool {
	h := c.spec.Hooks
	//lint:ignore SA1019 deprecated, but engines still write it
	return h != nil && len(h.Prestart)+len(h.CreateRuntime) > 0
}

// hooks waits while brig runs the hooks that find the container mounted, and the
// host's files still in its mount namespace.
func (c *compiler) hooks() {
	if !c.waitsForHooks() {
		return
	}
	c.step("/hooks", "report that all is mounted, and wait for the hooks")
	c.reportAndWait("mounted", nsenter.MessageMounted, "brig ended before the hooks had run")
}
