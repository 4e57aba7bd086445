package cgroups

import (
	"errors"
	"os"
	"slices"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Controllers are those that the hierarchy can enforce limits with.
func (r *Root) Controllers() ([]string, error) {
	text, err := readAt(r.fd, "cgroup.controllers")
	if err != nil {
		return nil, fault.Hostf("/linux/resources", err, "read cgroup.controllers of %s", r.mount)
	}
	return strings.Fields(text), nil
}

// enable makes the controllers that the writes need available in the group, and
// returns the writes that are to be done. Without a need nothing is looked at.
func (r *Root) enable(g *Group, writes []Write) ([]Write, error) {
	if len(writes) == 0 {
		return nil, nil
	}
	text, err := readAt(g.fd, "cgroup.controllers")
	if err != nil {
		return nil, fault.Hostf(pathPointer, err, "read cgroup.controllers of %s", g.path)
	}
	lacking := lack(writes, strings.Fields(text))
	if len(lacking) == 0 {
		return writes, nil
	}
	have, err := r.Controllers()
	if err != nil {
		return nil, err
	}
	var do, need []Write
	for i := range writes {
		c := writes[i].Controller()
		switch {
		case !lacks(lacking, c):
			do = append(do, writes[i])
		case slices.Contains(have, c):
			do, need = append(do, writes[i]), append(need, writes[i])
		case !writes[i].Optional && !writes[i].Lifts:
			return nil, r.missing(&writes[i])
		}
	}
	return do, r.passOn(g, need, have)
}

// lack returns a write for every controller that is needed and not among have.
func lack(writes []Write, have []string) []Write {
	var lacking []Write
	for i := range writes {
		if c := writes[i].Controller(); c != "cgroup" && !slices.Contains(have, c) && !lacks(lacking, c) {
			lacking = append(lacking, writes[i])
		}
	}
	return lacking
}

func lacks(lacking []Write, controller string) bool {
	return slices.ContainsFunc(lacking, func(w Write) bool { return w.Controller() == controller })
}

// passOn writes the subtree_control files of the groups above g, from the first
// one that holds a needed controller back: those above may be somebody else's.
func (r *Root) passOn(g *Group, need []Write, have []string) error {
	if len(need) == 0 {
		return nil
	}
	parts := strings.Split(relative(g.path), "/")
	first := len(parts)
	for first > 0 && !r.passes(controlOf(parts[:first-1]), need) {
		first--
	}
	for i := first; i < len(parts); i++ {
		if err := r.passOnAt(parts[:i], need, have); err != nil {
			return err
		}
	}
	return nil
}

func controlOf(parts []string) string { return fileOf(parts, "cgroup.subtree_control") }

// fileOf is the path of a group's file, from the root of the hierarchy.
func fileOf(parts []string, name string) string {
	return strings.TrimPrefix(strings.Join(parts, "/")+"/"+name, "/")
}

func (r *Root) passes(control string, need []Write) bool {
	text, err := readAt(r.fd, control)
	return err == nil && len(lack(need, strings.Fields(text))) == 0
}

// passOnAt enables all controllers at once where it can, so that there are figures
// for all of them, and else those that are needed, one by one.
func (r *Root) passOnAt(parts []string, need []Write, have []string) error {
	control := controlOf(parts)
	holds := r.holdsProcesses(parts)
	if !holds && writeAt(r.fd, control, "+"+strings.Join(have, " +")) == nil {
		return nil
	}
	for i := range need {
		err := error(unix.EBUSY)
		if !holds {
			err = writeAt(r.fd, control, "+"+need[i].Controller())
		}
		if err == nil {
			continue
		}
		e := fault.Hostf(need[i].Pointer, err, "enable the %s controller in /%s", need[i].Controller(), strings.Join(parts, "/"))
		switch {
		case errors.Is(err, unix.EBUSY):
			e.Hint = holdsHint
		case errors.Is(err, unix.EOPNOTSUPP):
			e.Hint = "a threaded cgroup has threaded controllers only"
		case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
			e.Hint = "the cgroup has to be delegated to the user with this controller"
		}
		return e
	}
	return nil
}

const holdsHint = "a cgroup with processes of its own cannot pass controllers on"

// holdsProcesses says that a group cannot pass controllers on to groups of processes. The
// kernel would take those that threads can have, such as pids, but then the groups below
// could hold threads only. The root of the hierarchy, which has no type, may hold both.
func (r *Root) holdsProcesses(parts []string) bool {
	if _, err := readAt(r.fd, fileOf(parts, "cgroup.type")); err != nil {
		return false
	}
	pids, err := readAt(r.fd, fileOf(parts, "cgroup.procs"))
	return err == nil && pids != ""
}

// missing explains a controller that the v2 hierarchy does not have.
func (r *Root) missing(w *Write) error {
	e := fault.Hostf(w.Pointer, unix.ENOENT, "%s: the v2 hierarchy at %s has no %s controller", w.File, r.mount, w.Controller())
	if raw, err := os.ReadFile("/proc/cgroups"); err == nil {
		e.Hint = whyMissing(string(raw), w.Controller())
	}
	return e
}

// whyMissing reads /proc/cgroups, which lists the controllers of the kernel with
// the v1 hierarchy that each is bound to.
func whyMissing(proc, controller string) string {
	old := controller
	if controller == "io" {
		old = "blkio"
	}
	for _, line := range strings.Split(proc, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) != 4 || f[0] != old:
		case f[1] != "0":
			return "it is bound to cgroup v1 on this host, often at " + pureMount + "/" + old
		case f[3] == "0":
			return "it is disabled on the kernel's command line"
		default:
			return "the part of the hierarchy that brig sees was not given it"
		}
	}
	return "this kernel does not have it"
}
