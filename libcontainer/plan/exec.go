package plan

import (
	"path"
	"strings"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// lookup finds the payload's executable when the container is made, so that a
// missing one is an error of create and not of start. The slot that it fills
// holds the address of the path that exec will use.
func (c *compiler) lookup() {
	arg0 := c.executable()
	c.conn = c.b.Slot("executable")
	c.step("/process/args/0", "look up the executable")
	found, denied := c.b.Label(), c.b.Label()
	noexec := c.b.Slot("denied")
	for _, candidate := range c.candidates(arg0) {
		next, no := c.b.Label(), c.b.Label()
		fd := c.b.Slot("executable")
		c.openat2(fd, []nsenter.On{{Errno: unix.ENOENT, Label: next}, {Errno: unix.ENOTDIR, Label: next}, {Errno: unix.EACCES, Label: no}},
			nsenter.Val(c.root), relative(candidate.lookup), unix.O_PATH, inRoot)
		c.fileType(fd)
		c.close(fd)
		c.b.Store(c.conn, 8, c.b.Str(candidate.exec))
		c.b.JumpUnless(c.statx+statxMode, typeMask, unix.S_IFREG, no)
		c.b.JumpUnless(c.statx+statxMode, 0o111, 0, found)
		c.b.Bind(no)
		c.b.Store(noexec, 8, nsenter.Imm(1))
		c.b.Bind(next)
	}
	c.b.JumpIf(noexec, ^uint64(0), 1, denied)
	c.b.Fail(unix.ENOENT, notFound(arg0))
	c.b.Bind(denied)
	c.b.Fail(unix.EACCES, "exec: "+quoted(arg0))
	c.b.Bind(found)
}

// executable is the name of what is executed.
func (c *compiler) executable() string {
	if c.in.Hook != nil {
		return c.in.Hook.Path
	}
	return c.spec.Process.Args[0]
}

// notFound is the text that engines look for.
func notFound(arg0 string) string {
	if strings.Contains(arg0, "/") {
		return "exec: " + quoted(arg0)
	}
	return "exec: " + quoted(arg0) + ": executable file not found in $PATH"
}

// candidate is a place where the executable may be: the path for the look-up,
// and the one for execve, which may be relative to the working directory.
type candidate struct{ lookup, exec string }

// defaultPath is what the kernel's own init uses.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (c *compiler) candidates(arg0 string) []candidate {
	cwd := path.Clean("/" + c.spec.Process.Cwd)
	switch {
	case arg0 == "":
		return nil
	case strings.HasPrefix(arg0, "/"):
		return []candidate{{arg0, arg0}}
	case strings.Contains(arg0, "/"):
		return []candidate{{path.Join(cwd, arg0), arg0}}
	}
	var list []candidate
	for _, dir := range strings.Split(c.variable("PATH", defaultPath), ":") {
		// An empty or relative entry means the working directory: never
		// search there, the image decides what lies in it.
		if strings.HasPrefix(dir, "/") {
			full := path.Join(dir, arg0)
			list = append(list, candidate{full, full})
		}
	}
	return list
}

// variable is the last value of an environment variable of the payload.
func (c *compiler) variable(name, absent string) string {
	value := absent
	for _, e := range c.spec.Process.Env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// environment is the payload's: of several values of one variable the last one
// counts, in the place of the first. HOME is / where the config has none, since
// brig reads no passwd file of the image.
func (c *compiler) environment() []string {
	env := make([]string, 0, len(c.spec.Process.Env)+1)
	at := make(map[string]int, len(c.spec.Process.Env)+1)
	for _, e := range c.spec.Process.Env {
		name, _, _ := strings.Cut(e, "=")
		if i, ok := at[name]; ok {
			env[i] = e
			continue
		}
		at[name] = len(env)
		env = append(env, e)
	}
	if i, ok := at["HOME"]; !ok {
		env = append(env, "HOME=/")
	} else if env[i] == "HOME=" {
		env[i] = "HOME=/"
	}
	return env
}

// exec executes the payload. It is by path and not by fd, because the kernel
// opens a script by its path once more.
func (c *compiler) exec() {
	// No time stamp here: nothing stands between the filter and execve.
	c.b.Step("/process/args/0", "exec: "+quoted(c.executable()))
	env := c.environment()
	if h := c.in.Hook; h != nil && h.Env != nil {
		env = h.Env
	}
	c.b.Call(nsenter.Execve, nsenter.Val(c.conn), c.b.Strings(c.spec.Process.Args), c.b.Strings(env))
	c.b.Fail(unix.ENOEXEC, "execve returned")
}
