package plan

import (
	"fmt"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// Tree is what a directory of the host holds that a tmpfs with tmpcopyup covers.
// brig lists it beforehand, so that the plan says what is copied; the stage copies
// it in the container, with the container's ids and on the container's account.
type Tree struct {
	// Device and Inode are those of the directory, as statx(2) has them: the minor
	// number of the device in the upper half. Without an Inode it is not known.
	Device, Inode uint64
	Entries       []Entry
}

// Entry is one file of a directory.
type Entry struct {
	Name string
	Mode uint32 // type and permissions
	Rdev uint64 // of a device node
	Link string // where a symbolic link leads to
	Tree *Tree  // what a directory holds
}

// Offsets in struct statx.
const (
	statxUID       = 20
	statxGID       = 24
	statxDevMajor  = 136
	ownerAndNumber = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_UID | unix.STATX_GID | unix.STATX_INO
)

// copier holds what the copying of one mount uses again and again.
type copier struct {
	*compiler
	destination    string
	from, to       []int // slots of directories, by depth
	in, out, n     int
	mode, uid, gid int
}

// copyUp fills a new tmpfs with what lies in the directory that it will cover.
// Sockets stay behind: without who listens there is nothing to copy.
func (c *compiler) copyUp(m *mount, tree, target int, destination string) {
	files := c.in.CopyUps[m.index]
	if !m.CopyUp || files == nil {
		return
	}
	c.step(m.pointer+"/options", fmt.Sprintf("copy what lies in %q", destination))
	k := &copier{
		compiler: c, destination: destination, in: c.b.Slot("in"), out: c.b.Slot("out"), n: c.b.Slot("sent"),
		mode: c.b.Slot("mode"), uid: c.b.Slot("uid"), gid: c.b.Slot("gid"),
	}
	k.from, k.to = []int{target}, []int{c.b.Slot("to")}
	c.openat2(k.to[0], nil, nsenter.Val(tree), ".", unix.O_RDONLY|unix.O_DIRECTORY, beneath)
	k.directory(files, 0)
	if !m.has("uid") && !m.has("gid") {
		k.look(target)
		c.b.Call(nsenter.Fchownat, nsenter.Val(k.to[0]), c.b.Str(""), nsenter.Val(k.uid), nsenter.Val(k.gid), nsenter.Imm(unix.AT_EMPTY_PATH))
	}
	c.close(k.to[0])
}

// directory copies the files of a directory whose copy is there and empty.
func (k *copier) directory(t *Tree, depth int) {
	k.look(k.from[depth])
	if t.Inode != 0 {
		same, other := k.b.Label(), k.b.Label()
		k.b.JumpUnless(k.statx+statxIno, ^uint64(0), t.Inode, other)
		k.b.JumpIf(k.statx+statxDevMajor, ^uint64(0), t.Device, same)
		k.b.Bind(other)
		k.b.Fail(unix.ESTALE, fmt.Sprintf("what lies in %q is not what was there when the start was planned", k.destination))
		k.b.Bind(same)
	}
	if depth > 0 {
		k.own(k.to[depth])
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		switch e.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			k.below(e, depth)
		case unix.S_IFREG:
			k.file(e, depth)
		default:
			k.node(e, depth)
		}
	}
}

// look reads the owner and the mode of a file.
func (k *copier) look(fd int) {
	k.b.Call(nsenter.Statx, nsenter.Val(fd), k.b.Str(""), nsenter.Imm(unix.AT_EMPTY_PATH), nsenter.Imm(ownerAndNumber), nsenter.Addr(k.compiler.statx))
	k.b.Store(k.uid, 4, nsenter.Val(k.compiler.statx+statxUID))
	k.b.Store(k.gid, 4, nsenter.Val(k.compiler.statx+statxGID))
	k.b.Store(k.mode, 2, nsenter.Val(k.compiler.statx+statxMode))
}

// own gives a file the owner and the mode that were read. The owner comes first,
// since its change takes set-user-ID bits away.
func (k *copier) own(fd int) {
	k.b.Call(nsenter.Fchownat, nsenter.Val(fd), k.b.Str(""), nsenter.Val(k.uid), nsenter.Val(k.gid), nsenter.Imm(unix.AT_EMPTY_PATH))
	k.b.Call(nsenter.Fchmod, nsenter.Val(fd), nsenter.Val(k.mode))
}

func (k *copier) below(e *Entry, depth int) {
	if len(k.from) == depth+1 {
		k.from, k.to = append(k.from, k.b.Slot("from")), append(k.to, k.b.Slot("to"))
	}
	from, to := k.from[depth+1], k.to[depth+1]
	k.b.Call(nsenter.Mkdirat, nsenter.Val(k.to[depth]), k.b.Str(e.Name), nsenter.Imm(0o700))
	k.openat2(to, nil, nsenter.Val(k.to[depth]), e.Name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	k.openat2(from, nil, nsenter.Val(k.from[depth]), e.Name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	k.directory(e.Tree, depth+1)
	k.close(from)
	k.close(to)
}

// most is what one sendfile(2) copies at most, a page less than 2 GiB.
const most = 0x7ffff000

// file copies a regular file. It is opened without waiting, and looked at: it could
// have become something else.
func (k *copier) file(e *Entry, depth int) {
	k.openat2(k.in, nil, nsenter.Val(k.from[depth]), e.Name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, beneath)
	k.look(k.in)
	regular, whole := k.b.Label(), k.b.Label()
	k.b.JumpIf(k.compiler.statx+statxMode, typeMask, unix.S_IFREG, regular)
	k.b.Fail(unix.ESTALE, fmt.Sprintf("%q in %q is not the file that was there when the start was planned", e.Name, k.destination))
	k.b.Bind(regular)
	k.b.Call(nsenter.Mknodat, nsenter.Val(k.to[depth]), k.b.Str(e.Name), nsenter.Imm(unix.S_IFREG|0o600), nsenter.Imm(0))
	k.openat2(k.out, nil, nsenter.Val(k.to[depth]), e.Name, unix.O_WRONLY|unix.O_NOFOLLOW, beneath)
	send := func() {
		k.b.CallTo(k.n, nsenter.Sendfile, nsenter.Val(k.out), nsenter.Val(k.in), nsenter.Null(), nsenter.Imm(most))
	}
	// The second call finds the end, or that the tmpfs is full.
	send()
	k.b.JumpIf(k.n, ^uint64(0), 0, whole)
	send()
	k.b.JumpIf(k.n, ^uint64(0), 0, whole)
	k.b.Fail(unix.EFBIG, fmt.Sprintf("%q in %q is larger than the 2 GiB that brig copies", e.Name, k.destination))
	k.b.Bind(whole)
	k.own(k.out)
	k.close(k.out)
	k.close(k.in)
}

// node makes a symbolic link, a pipe or a device node anew.
func (k *copier) node(e *Entry, depth int) {
	k.openat2(k.in, nil, nsenter.Val(k.from[depth]), e.Name, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	k.look(k.in)
	if e.Mode&unix.S_IFMT == unix.S_IFLNK {
		k.b.Call(nsenter.Symlinkat, k.b.Str(e.Link), nsenter.Val(k.to[depth]), k.b.Str(e.Name))
	} else {
		k.b.Call(nsenter.Mknodat, nsenter.Val(k.to[depth]), k.b.Str(e.Name), nsenter.Imm(uint64(e.Mode)), nsenter.Imm(e.Rdev))
	}
	k.b.Call(nsenter.Fchownat, nsenter.Val(k.to[depth]), k.b.Str(e.Name), nsenter.Val(k.uid), nsenter.Val(k.gid), nsenter.Imm(unix.AT_SYMLINK_NOFOLLOW))
	k.close(k.in)
}

// Forget makes the plan not ask for the very directories, of which the container
// sees copies.
func (t *Tree) Forget() {
	t.Inode = 0
	for _, e := range t.Entries {
		if e.Tree != nil {
			e.Tree.Forget()
		}
	}
}
