package plan

import (
	"encoding/binary"
	"fmt"
	"path"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// makeLink makes the symbolic link that the source of a mount with copy-symlink
// is, in place of the mount. The same link may be there already.
func (c *compiler) makeLink(m *mount, destination string) {
	c.step(m.pointer, fmt.Sprintf("make the symbolic link %q", destination))
	dir, done, there, other := c.b.Slot("dir"), c.b.Label(), c.b.Label(), c.b.Label()
	above, name := path.Split(destination)
	if above == "/" {
		c.openat2(dir, nil, nsenter.Val(c.root), ".", unix.O_PATH|unix.O_DIRECTORY, inRoot)
	} else {
		c.target(dir, &mount{}, path.Clean(above))
	}
	c.b.TryTo(nsenter.NoSlot, []nsenter.On{{Errno: unix.EEXIST, Label: there}}, nsenter.Symlinkat, c.b.Str(m.link), nsenter.Val(dir), c.b.Str(name))
	c.b.Goto(done)
	c.b.Bind(there)
	c.sameLink(dir, name, m.link, other)
	c.b.Goto(done)
	c.b.Bind(other)
	c.b.Fail(unix.EEXIST, fmt.Sprintf("something else than the symbolic link to %q stands at %q", m.link, destination))
	c.b.Bind(done)
	c.close(dir)
}

// sameLink compares what a symbolic link leads to, word by word.
func (c *compiler) sameLink(dir int, name, link string, other nsenter.Label) {
	size := len(link) + 1 // one more, to tell a longer one
	n, buf := c.b.Slot("length"), c.b.Buffer("link", size)
	c.b.TryTo(n, []nsenter.On{{Errno: unix.EINVAL, Label: other}}, nsenter.Readlinkat, nsenter.Val(dir), c.b.Str(name), nsenter.Addr(buf), nsenter.Imm(uint64(size)))
	c.b.JumpUnless(n, ^uint64(0), uint64(len(link)), other)
	for at := 0; at < len(link); at += 8 {
		var word [8]byte
		have := copy(word[:], link[at:])
		c.b.JumpUnless(buf+at, ^uint64(0)>>(64-8*have), binary.LittleEndian.Uint64(word[:]), other)
	}
}
