package cgroups

import (
	"errors"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Create makes a group with its limits. A group that is there already has to be
// empty and not frozen. When it fails, it removes what it made.
func (r *Root) Create(path string, writes []Write) (*Group, error) {
	fd, made, err := r.mkdir(path)
	if err != nil {
		return nil, explainMkdir(err, path)
	}
	g := &Group{fd: fd, path: path, patience: r.patience}
	if err := r.setUp(g, made == 0, writes); err != nil {
		g.Close()
		r.unmake(path, made)
		return nil, err
	}
	return g, nil
}

// Unused makes sure that a group is not there yet (false), or that nobody uses it
// (true): before anything is written down or made.
func (r *Root) Unused(path string) (there bool, err error) {
	g, err := r.Open(path)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer g.Close()
	return true, g.checkEmpty()
}

func explainMkdir(err error, path string) error {
	e := fault.Hostf(pathPointer, err, "create the cgroup %s", path)
	switch {
	case errors.Is(err, unix.EAGAIN):
		e.Hint = "a cgroup above it has reached its cgroup.max.descendants or cgroup.max.depth"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		e.Hint = "the cgroup above it has to be delegated to the user"
	case errors.Is(err, unix.EROFS):
		e.Hint = "the v2 hierarchy is mounted read-only here"
	}
	return e
}

// mkdirTries is how often a path is made again of which a part vanished: another
// brig that fails takes back the groups that it made.
const mkdirTries = 100

// mkdir makes the group, and the groups above it where they are missing, and opens
// it. It returns how many it made, counted from the end of the path; what is above
// a group that was there already belongs to others too.
func (r *Root) mkdir(path string) (fd, made int, err error) {
	for range mkdirTries {
		fd, made, err = r.descend(path)
		if !gone(err) {
			break
		}
	}
	return fd, made, err
}

// descend makes what is missing of a path, one group below the other.
func (r *Root) descend(path string) (fd, made int, err error) {
	names := strings.Split(relative(path), "/")
	at, name, err := r.openParent(path)
	todo := []string{name}
	if errors.Is(err, unix.ENOENT) {
		todo = names
		at, err = openAt(r.fd, ".", unix.O_PATH|unix.O_DIRECTORY)
	}
	if err != nil {
		return -1, 0, err
	}
	for i, name := range todo {
		below, isNew, err := step(at, name)
		unix.Close(at)
		switch {
		case isNew:
			made++
		case err == nil:
			made = 0
		}
		if err != nil {
			if !isNew {
				i--
			}
			r.unmake(strings.Join(names[:len(names)-len(todo)+i+1], "/"), made)
			return -1, 0, err
		}
		at = below
	}
	return at, made, nil
}

// step makes one group and opens it.
func step(at int, name string) (fd int, isNew bool, err error) {
	err = unix.Mkdirat(at, name, 0o755)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, false, err
	}
	isNew = err == nil
	fd, err = openAt(at, name, unix.O_RDONLY|unix.O_DIRECTORY)
	return fd, isNew, err
}

// unmake removes the last groups of a path, as many as were made.
func (r *Root) unmake(path string, made int) {
	for ; made > 0; made-- {
		r.rmdir(path)
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
}

func (r *Root) setUp(g *Group, existed bool, writes []Write) error {
	if existed {
		if err := g.checkEmpty(); err != nil {
			return err
		}
	}
	// A new group is frozen when one above it is, and then its first process would
	// stop before it could say anything.
	if frozen, err := g.Frozen(); err != nil {
		return err
	} else if frozen {
		return fault.Hostf(pathPointer, unix.EBUSY, "container's cgroup unexpectedly frozen")
	}
	return r.Apply(g, writes)
}

// Apply writes limits to a group that somebody else has made.
func (r *Root) Apply(g *Group, writes []Write) error {
	writes, err := r.enable(g, writes)
	if err != nil {
		return err
	}
	return inOrder(writes, g.apply)
}

// inOrder does the writes one after the other. The kernel checks each against what
// the files say already, so a quota below the burst of before has to wait for the
// new burst, while a burst above the quota of before has to wait for the quota.
func inOrder(writes []Write, apply func(*Write) error) error {
	for i := 0; i < len(writes); i++ {
		err := apply(&writes[i])
		if errors.Is(err, unix.EINVAL) && writes[i].File == "cpu.max" && i+1 < len(writes) && writes[i+1].File == "cpu.max.burst" {
			if err = apply(&writes[i+1]); err == nil {
				err = apply(&writes[i])
			}
			i++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// apply does one write.
func (g *Group) apply(w *Write) error {
	err := writeAt(g.fd, w.File, w.Value)
	// Whoever the group was given to may have made a group with the name of a file.
	missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EISDIR)
	switch {
	case err == nil, missing && w.Optional:
		return nil
	case w.Instead != nil && (missing || errors.Is(err, unix.ENOSPC)):
		return g.apply(w.Instead)
	}
	e := fault.Hostf(w.Pointer, err, "write %q to %s", w.Value, w.File)
	e.Hint = whyRefused(err)
	return e
}

func whyRefused(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT):
		return "this kernel or machine has no such limit"
	case errors.Is(err, unix.ENODEV):
		return "there is no such device"
	}
	return ""
}
