package spec

import (
	"path"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *check) hooks() {
	if c.Hooks == nil {
		return
	}
	//lint:ignore SA1019 deprecated, but engines still write it
	c.hookList("/hooks/prestart", c.Hooks.Prestart)
	c.hookList("/hooks/createRuntime", c.Hooks.CreateRuntime)
	c.hookList("/hooks/createContainer", c.Hooks.CreateContainer)
	c.hookList("/hooks/startContainer", c.Hooks.StartContainer)
	c.hookList("/hooks/poststart", c.Hooks.Poststart)
	c.hookList("/hooks/poststop", c.Hooks.Poststop)
}

func (c *check) hookList(pointer string, list []specs.Hook) {
	for i := range list {
		c.hook(fault.Pointer(pointer, i), &list[i])
	}
}

func (c *check) hook(pointer string, h *specs.Hook) {
	switch {
	case !path.IsAbs(h.Path):
		c.fail(pointer+"/path", "%q is not an absolute path", h.Path)
	case strings.IndexByte(h.Path, 0) >= 0:
		c.fail(pointer+"/path", "a NUL byte in a string")
	}
	for i, s := range h.Args {
		if strings.IndexByte(s, 0) >= 0 {
			c.fail(fault.Pointer(pointer+"/args", i), "a NUL byte in a string")
		}
	}
	c.variables(pointer+"/env", h.Env)
	if h.Timeout != nil && *h.Timeout <= 0 {
		c.fail(pointer+"/timeout", "%d is not greater than zero", *h.Timeout)
	}
}
