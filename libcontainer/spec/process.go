package spec

import (
	"path"
	"strings"

	"brig/libcontainer/fault"
)

func (c *check) process() {
	p := c.Process
	if p == nil {
		c.fail("/process", "the process is missing")
		return
	}
	c.args()
	c.variables("/process/env", p.Env)
	switch {
	case !path.IsAbs(p.Cwd):
		c.fail("/process/cwd", "%q is not an absolute path", p.Cwd)
	case strings.IndexByte(p.Cwd, 0) >= 0:
		c.fail("/process/cwd", "a NUL byte in a string")
	}
	if n := p.OOMScoreAdj; n != nil && (*n < -1000 || *n > 1000) {
		c.fail("/process/oomScoreAdj", "%d is not between -1000 and 1000", *n)
	}
	if p.CommandLine != "" {
		c.warn("/process/commandLine", "has a meaning on Windows only, ignored")
	}
	c.consoleSize()
}

// maxConsole bounds what the kernel keeps of the size of a terminal.
const maxConsole = 65535

func (c *check) consoleSize() {
	size := c.Process.ConsoleSize
	switch {
	case size == nil:
	case !c.Process.Terminal:
		c.warn("/process/consoleSize", "has no meaning without a terminal, ignored")
	default:
		if size.Height > maxConsole {
			c.fail("/process/consoleSize/height", "%d is more than %d", size.Height, maxConsole)
		}
		if size.Width > maxConsole {
			c.fail("/process/consoleSize/width", "%d is more than %d", size.Width, maxConsole)
		}
	}
}

// args lets an empty args[0] pass: engines expect the text of a program that was
// not found for it.
func (c *check) args() {
	if len(c.Process.Args) == 0 {
		c.fail("/process/args", "there is no program to run")
	}
	for i, s := range c.Process.Args {
		if strings.IndexByte(s, 0) >= 0 {
			c.fail(fault.Pointer("/process/args", i), "a NUL byte in a string")
		}
	}
}

// variables checks an environment.
func (c *check) variables(pointer string, env []string) {
	for i, s := range env {
		switch at := strings.IndexByte(s, '='); {
		case at < 0:
			c.fail(fault.Pointer(pointer, i), "%q has no '='", s)
		case at == 0:
			c.fail(fault.Pointer(pointer, i), "%q has no name before the '='", s)
		case strings.IndexByte(s, 0) >= 0:
			c.fail(fault.Pointer(pointer, i), "a NUL byte in a string")
		}
	}
}
