package spec

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MountOptions is the meaning of the options of a mount, in the terms of the mount
// API of Linux 5.2 and later.
type MountOptions struct {
	// Bind says that the mount is a clone of a tree, Recursive with what is mounted
	// below it.
	Bind, Recursive bool
	// SetAttr and ClearAttr are MOUNT_ATTR_ flags for mount_setattr(2). A new mount
	// takes SetAttr alone. "ro" is MOUNT_ATTR_RDONLY for every mount: what counts is
	// that nobody writes through the mount, and a superblock that is read-only too
	// would be so for all its mounts, those of others included. Where there is a
	// mode of access times, ClearAttr has MOUNT_ATTR__ATIME, which the kernel wants.
	SetAttr, ClearAttr uint64
	// SetAll and ClearAll are the same for a whole tree, of a bind mount: they count
	// for its top mount too, and come after SetAttr and ClearAttr.
	SetAll, ClearAll uint64
	// Propagation holds MS_PRIVATE, MS_SHARED, MS_SLAVE or MS_UNBINDABLE, each with
	// MS_REC or without, in the order of the list.
	Propagation []uint64
	// SuperFlags are flags of fsconfig(2) that every file system knows.
	SuperFlags []string
	// Data are the options that are the file system's own, in the order of the list.
	Data []FSParam
	// IDMap says that the ids of the files are mapped, IDMapRecursive that those of
	// what is mounted below are too.
	IDMap, IDMapRecursive bool
	// CopyUp says that a new tmpfs gets what lies in the directory that it covers.
	CopyUp bool
	// CopySymlink says that a source that is a symbolic link is not mounted but made
	// anew; SourceNoFollow that the link itself is mounted; TargetNoFollow that a link
	// that is the destination is covered and not followed.
	CopySymlink, SourceNoFollow, TargetNoFollow bool
	// IDMapText is the mapping that the option itself has, in crun's form.
	IDMapText string
}

// FSParam is one parameter of a file system, for one call of fsconfig(2): never a
// joined string, in which a comma in a value starts a new option.
type FSParam struct {
	Key, Value string
	Flag       bool // the key alone, without a value
}

// ParseMountOptions reads the options of a mount. The error is that of the first
// option that has one.
func ParseMountOptions(m *specs.Mount) (MountOptions, error) {
	var first error
	o := readOptions(m, func(_ int, format string, args ...any) {
		if first == nil {
			first = fmt.Errorf(format, args...)
		}
	}, func(int, string, ...any) {})
	return o, first
}

// optionReader collects what the words mean.
type optionReader struct {
	MountOptions
	top, all attributes

	index int // of the option being read
	fails func(i int, format string, args ...any)
	warns func(i int, format string, args ...any)
}

func (r *optionReader) fail(format string, args ...any) { r.fails(r.index, format, args...) }

// readOptions reads all options; fail and warn get the index of each that is
// wrong.
func readOptions(m *specs.Mount, fail, warn func(i int, format string, args ...any)) MountOptions {
	r := optionReader{MountOptions: MountOptions{Bind: m.Type == "bind"}, fails: fail, warns: warn}
	for _, option := range m.Options {
		// Whether it is a bind mount decides what the other words may be.
		r.Bind = r.Bind || option == "bind" || option == "rbind"
	}
	for i, option := range m.Options {
		r.index = i
		// podman --systemd gives an empty one to the tmpfs of each of its directories.
		if option != "" {
			r.read(option)
		}
	}
	r.SetAttr, r.ClearAttr = r.top.flags()
	r.SetAll, r.ClearAll = r.all.flags()
	if !r.Bind {
		// Nothing is mounted below a new mount.
		r.SetAttr, r.ClearAttr = r.SetAttr&^r.ClearAll|r.SetAll, r.ClearAttr&^r.SetAll|r.ClearAll
		r.SetAll, r.ClearAll = 0, 0
	}
	return r.MountOptions
}

// attributes collects the words about one set of attributes.
type attributes struct {
	set, clr uint64
	atime    uint64 // the mode of access times, meaningful if hasAtime
	hasAtime bool
}

// read takes a word; false says that it is about something else.
func (a *attributes) read(w *word) bool {
	switch w.kind &^ recursive {
	case wordSet:
		a.set, a.clr = a.set|w.bits, a.clr&^w.bits
	case wordClear:
		a.set, a.clr = a.set&^w.bits, a.clr|w.bits
	case wordAtime:
		a.atime, a.hasAtime = w.bits, true
	case wordNoAtime:
		if !a.hasAtime || a.atime == w.bits {
			a.atime, a.hasAtime = unix.MOUNT_ATTR_RELATIME, true
		}
	default:
		return false
	}
	return true
}

func (a *attributes) flags() (set, clr uint64) {
	if a.hasAtime {
		return a.set | a.atime, a.clr | unix.MOUNT_ATTR__ATIME
	}
	return a.set, a.clr
}

func (r *optionReader) read(option string) {
	w := findWord(option)
	if w == nil {
		r.data(option)
		return
	}
	attrs := &r.top
	if w.kind&recursive != 0 {
		attrs = &r.all
	}
	if attrs.read(w) {
		return
	}
	switch w.kind &^ recursive {
	case wordPropagation:
		r.Propagation = append(r.Propagation, w.bits)
	case wordSuper:
		// Below a new file system there is nothing yet, so the recursive word means no more.
		r.super(option, w.name[w.kind/recursive:])
	case wordRemount:
		r.fail("nothing is mounted there before that could be mounted again: give the mount its options in its own entry")
	case wordObsolete:
		r.warns(r.index, "the mount option %q has no effect: a file system that counts changes does it always", option)
	case wordBind:
		r.Recursive = r.Recursive || w.name == "rbind"
	case wordIDMap:
		r.idmap(w.name, "")
	case wordCopyUp:
		r.CopyUp = true
	case wordLink:
		r.link(w.name)
	}
}

// link takes the words about symbolic links.
func (r *optionReader) link(name string) {
	switch {
	case name == "dest-nofollow":
		r.TargetNoFollow = true
		return
	case !r.Bind:
		r.fail("the mount option %q is one of a bind mount", name)
	case name == "copy-symlink":
		r.CopySymlink = true
	default:
		r.SourceNoFollow = true
	}
}

func (r *optionReader) idmap(name, text string) {
	r.IDMap, r.IDMapRecursive = true, r.IDMapRecursive || name == "ridmap"
	if r.IDMapText != "" {
		r.fail("the ids are mapped twice")
	}
	r.IDMapText = text
}

// super refuses flags of the superblock on a bind mount: they would change it for
// all its mounts, those of the host included (runc#3990).
func (r *optionReader) super(option, name string) {
	if r.Bind {
		r.fail("the mount option %q is one of a file system, not of a bind mount", option)
		return
	}
	r.SuperFlags = append(r.SuperFlags, name)
}

// data takes an option that is no word of the table to the file system.
func (r *optionReader) data(option string) {
	key, value, found := strings.Cut(option, "=")
	switch {
	case key == "":
		r.fail("the mount option %q has no name", option)
		return
	case strings.IndexByte(option, 0) >= 0:
		r.fail("a NUL byte in a string")
		return
	case strings.IndexByte(key, ',') >= 0:
		r.fail("%q are several mount options: each has its own place in the list", option)
		return
	case key == "idmap" || key == "ridmap":
		if value == "" {
			r.fail("the mount option %s= has no mapping", key)
		}
		r.idmap(key, value)
		return
	case r.Bind && (key == "size" || key == "mode") && found:
		// Of a tmpfs. Configs are about that have the same list for all their mounts.
		r.warns(r.index, "%q has no effect on a bind mount, ignored", option)
		return
	case r.Bind:
		r.fail("%q is an option of a file system, which a bind mount cannot change", option)
		return
	case isContext(key):
		value = strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
	}
	r.Data = append(r.Data, FSParam{Key: key, Value: value, Flag: !found})
}

// isContext knows the options of SELinux. Their values are quoted because of their
// commas, and fsconfig(2), which gets them alone, does not take quotes away.
func isContext(key string) bool {
	switch key {
	case "context", "fscontext", "defcontext", "rootcontext":
		return true
	}
	return false
}
