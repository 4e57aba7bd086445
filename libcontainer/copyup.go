package libcontainer

import (
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"

	"golang.org/x/sys/unix"
)

// maxCopied bounds the files that tmpcopyup copies: each is some instructions of
// the program.
const maxCopied = 20000

// lookAtMounts gathers what the files of this host have to say about the mounts:
// the links of copy-symlink, and what tmpcopyup copies.
func lookAtMounts(in *plan.Input) error {
	for i := range in.Spec.Mounts {
		m := &in.Spec.Mounts[i]
		for _, option := range m.Options {
			var err error
			switch option {
			case "copy-symlink":
				err = lookAtLink(in, i)
			case "tmpcopyup":
				err = lookAtCovered(in, i)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func lookAtLink(in *plan.Input, i int) error {
	source := in.Spec.Mounts[i].Source
	link, err := os.Readlink(absolute(in.Bundle, source))
	if errors.Is(err, unix.EINVAL) {
		return nil // it is none, and will be mounted
	}
	if err != nil {
		return &fault.Error{Class: fault.Config, Pointer: fault.Pointer("/mounts", i, "source"), Op: "look at the source " + strconv.Quote(source), Err: bare(err)}
	}
	if in.Links == nil {
		in.Links = make(map[int]string)
	}
	in.Links[i] = link
	return nil
}

// bare is the errno of an error of package os, which names the path once more.
func bare(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// lookAtCovered lists what lies in the directory that a tmpfs covers.
func lookAtCovered(in *plan.Input, i int) error {
	pointer := fault.Pointer("/mounts", i, "options")
	base, name, fresh, copied := coveredBy(in, i)
	if fresh {
		return nil
	}
	fd, err := openCovered(base, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fault.Hostf(pointer, err, "open %q to copy it", in.Spec.Mounts[i].Destination)
	}
	l := lister{pointer: pointer, left: maxCopied}
	tree, err := l.list(fd)
	if err != nil {
		return err
	}
	if copied {
		tree.Forget()
	}
	if in.CopyUps == nil {
		in.CopyUps = make(map[int]*plan.Tree)
	}
	in.CopyUps[i] = tree
	return nil
}

// coveredBy finds where on the host the directory lies that mount i covers: in the
// root file system, or in what the last mount before puts there. fresh says that
// this is a new file system with nothing in it, and copied that it is a tmpfs which
// itself gets a copy of what it covers.
func coveredBy(in *plan.Input, i int) (base, name string, fresh, copied bool) {
	name = path.Clean("/" + in.Spec.Mounts[i].Destination)
	for j := i - 1; j >= 0; j-- {
		m := &in.Spec.Mounts[j]
		below, found := strings.CutPrefix(name+"/", strings.TrimSuffix(path.Clean("/"+m.Destination), "/")+"/")
		if !found || path.Clean("/"+m.Destination) == "/" {
			continue
		}
		o, _ := spec.ParseMountOptions(m)
		switch {
		case o.Bind:
			return absolute(in.Bundle, m.Source), below, false, copied
		case o.CopyUp:
			copied = true
		default:
			return "", "", true, copied
		}
	}
	return in.Rootfs, name, false, copied
}

// openCovered opens a directory of the container as the container will see it.
func openCovered(base, name string) (int, error) {
	root, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return unix.Openat2(root, "./"+name, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// lister lists directories.
type lister struct {
	pointer string
	left    int
}

func (l *lister) list(fd int) (*plan.Tree, error) {
	dir := os.NewFile(uintptr(fd), ".")
	defer dir.Close()
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO, &st); err != nil {
		return nil, fault.Hostf(l.pointer, err, "look at a directory to copy it")
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fault.Hostf(l.pointer, bare(err), "read a directory to copy it")
	}
	if l.left -= len(names); l.left < 0 {
		return nil, fault.Configf(l.pointer, "tmpcopyup of more than %d files", maxCopied)
	}
	slices.Sort(names)
	tree := &plan.Tree{Device: uint64(st.Dev_minor)<<32 | uint64(st.Dev_major), Inode: st.Ino}
	for _, name := range names {
		e, err := l.entry(fd, name)
		if err != nil {
			return nil, err
		}
		if e.Mode&unix.S_IFMT != unix.S_IFSOCK {
			tree.Entries = append(tree.Entries, e)
		}
	}
	return tree, nil
}

func (l *lister) entry(dir int, name string) (plan.Entry, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return plan.Entry{}, fault.Hostf(l.pointer, err, "look at %q to copy it", name)
	}
	e := plan.Entry{Name: name, Mode: st.Mode, Rdev: st.Rdev}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return e, fault.Hostf(l.pointer, err, "read the symbolic link %q to copy it", name)
		}
		e.Link = string(buf[:n])
	case unix.S_IFDIR:
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return e, fault.Hostf(l.pointer, err, "open %q to copy it", name)
		}
		if e.Tree, err = l.list(fd); err != nil {
			return e, err
		}
	}
	return e, nil
}
