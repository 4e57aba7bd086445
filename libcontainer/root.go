package libcontainer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"golang.org/x/sys/unix"
)

// Runtime is what all verbs share.
type Runtime struct {
	Root     string       // the directory with the state of all containers
	Warn     func(string) // tells the user of something that is no error
	NoCgroup bool         // containers stay in brig's own cgroup
	Systemd  bool         // systemd makes their cgroups
	Rootless *bool        // the systemd is that of an ordinary user; nil: as the caller is
}

const rootMode = 0o700

// openRoot opens the root directory, and creates it if asked. It has to belong to
// the caller alone: who can write there can have brig kill and remove at will.
func (r *Runtime) openRoot(create bool) (int, error) {
	if filepath.Clean(r.Root) == "/" {
		return -1, fault.Configf("", "Option --root argument should not be set to /")
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := unix.Open(r.Root, flags, 0)
	if errors.Is(err, unix.ENOENT) && create {
		if err := os.MkdirAll(filepath.Dir(r.Root), 0o755); err != nil {
			return -1, fault.Hostf("", pathErrno(err), "create the directory above --root %s", r.Root)
		}
		// Without the sticky bit systemd-tmpfiles clears old files out of /run/user.
		if err := unix.Mkdir(r.Root, rootMode|unix.S_ISVTX); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, fault.Hostf("", err, "create --root %s", r.Root)
		}
		fd, err = unix.Open(r.Root, flags|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return -1, fault.Hostf("", err, "open --root %s", r.Root)
	}
	if err := r.checkRoot(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (r *Runtime) checkRoot(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fault.Hostf("", err, "look at --root %s", r.Root)
	}
	if int(st.Uid) != os.Geteuid() {
		return fault.Hostf("", unix.EPERM, "--root %s belongs to user %d", r.Root, st.Uid)
	}
	if st.Mode&0o022 != 0 {
		return fault.Hostf("", unix.EPERM, "--root %s can be written by others (mode %04o)", r.Root, st.Mode&0o7777)
	}
	return nil
}

// pathErrno digs the errno out of an error of package os.
func pathErrno(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// directory is a container's own directory, open and locked.
type directory struct {
	fd   int
	root int
	id   string
}

// claim creates the directory of a new container, which makes the ID its own.
func (r *Runtime) claim(id string) (*directory, error) {
	if f := spec.ValidID(id); f != nil {
		return nil, f
	}
	root, err := r.openRoot(true)
	if err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(root, id, rootMode); err != nil {
		unix.Close(root)
		if errors.Is(err, unix.EEXIST) {
			return nil, fault.Configf("", "container with given ID already exists: %s", id)
		}
		return nil, fault.Hostf("", err, "create the state directory of %q", id)
	}
	d, err := openDirectory(root, id)
	if err == nil {
		err = d.lock()
	}
	if err != nil {
		if !isNotExist(err) { // else the name may be another's
			unix.Unlinkat(root, id, unix.AT_REMOVEDIR)
		}
		unix.Close(root)
	}
	return d, err
}

const notExistText = "container does not exist: "

// errNotExist is what engines recognise an unknown container by.
func errNotExist(id string) error {
	return fault.Configf("", "%s%s", notExistText, id)
}

// open opens the directory of an existing container, without locking it.
func (r *Runtime) open(id string) (*directory, error) {
	if f := spec.ValidID(id); f != nil {
		return nil, f
	}
	root, err := r.openRoot(false)
	if errors.Is(err, unix.ENOENT) {
		return nil, errNotExist(id)
	}
	if err != nil {
		return nil, err
	}
	d, err := openDirectory(root, id)
	if err != nil {
		unix.Close(root)
	}
	return d, err
}

func openDirectory(root int, id string) (*directory, error) {
	fd, err := unix.Openat(root, id, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, errNotExist(id)
	}
	if err != nil {
		return nil, fault.Hostf("", err, "open the state directory of %q", id)
	}
	return &directory{fd: fd, root: root, id: id}, nil
}

// lock waits until no other verb works on the container. Killing brig unlocks.
// Who had the lock may have removed the directory, and its name may be another
// container's by now: the one that was opened is then known to be gone.
func (d *directory) lock() error {
	err := unix.Flock(d.fd, unix.LOCK_EX)
	for errors.Is(err, unix.EINTR) {
		err = unix.Flock(d.fd, unix.LOCK_EX)
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(d.fd, &st)
	}
	if err != nil {
		return fault.Hostf("", err, "lock the state directory of %q", d.id)
	}
	if st.Nlink == 0 {
		return errNotExist(d.id)
	}
	return nil
}

// unlock lets other verbs work on a container that its maker goes on to watch.
func (d *directory) unlock() { unix.Flock(d.fd, unix.LOCK_UN) }

func (d *directory) close() {
	unix.Close(d.fd)
	unix.Close(d.root)
}

// files are all that can lie in a container's directory.
var files = [...]string{stateFile, stateTemp, journalFile, startSocket, configFile, "." + configFile, notifySocket}

// remove removes the directory with the few files that brig puts there; anything
// else stays and is an error, so that nothing is ever removed recursively.
func (d *directory) remove() error {
	for _, name := range files {
		if err := unix.Unlinkat(d.fd, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return fault.Hostf("", err, "remove %s of %q", name, d.id)
		}
	}
	if err := unix.Unlinkat(d.fd, notifyDir, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return fault.Hostf("", err, "remove the directory of the notify socket of %q", d.id)
	}
	if err := unix.Unlinkat(d.root, d.id, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return fault.Hostf("", err, "remove the state directory of %q", d.id)
	}
	return nil
}

// foreign says whether another runtime keeps its state there: containerd, for one, gives
// the same --root to every runtime of a namespace. What brig made has a journal before it
// has a record, and in it lie brig's files alone; the record goes before the journal does.
func (d *directory) foreign() bool {
	there := func(name string) bool {
		return unix.Faccessat(d.fd, name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil
	}
	if there(journalFile) {
		return false
	}
	if there(stateFile) {
		return !there(journalFile) // brig may have made both in the meantime
	}
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	dir := os.NewFile(uintptr(fd), d.id)
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return slices.ContainsFunc(names, func(name string) bool {
		return name != notifyDir && !slices.Contains(files[:], name)
	})
}

// errForeign says that a container is another runtime's, which alone can delete it.
func errForeign(id string) error {
	return fault.Configf("", "container %s was not made by brig: another runtime keeps it in the same --root", id)
}

// write writes a file of the directory whole or not at all.
func (d *directory) write(name, temp string, raw []byte) error {
	fd, err := unix.Openat(d.fd, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EEXIST) { // left by a brig that was killed
		unix.Unlinkat(d.fd, temp, 0)
		fd, err = unix.Openat(d.fd, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	}
	if err != nil {
		return fault.Hostf("", err, "create %s of %q", name, d.id)
	}
	defer unix.Close(fd)
	if err := writeAll(fd, raw); err != nil {
		return fault.Hostf("", err, "write %s of %q", name, d.id)
	}
	if err := unix.Renameat(d.fd, temp, d.fd, name); err != nil {
		return fault.Hostf("", err, "put %s of %q in place", name, d.id)
	}
	return nil
}

func writeAll(fd int, raw []byte) error {
	for len(raw) > 0 {
		n, err := unix.Write(fd, raw)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		raw = raw[n:]
	}
	return nil
}

// maxStateFile bounds what brig reads of its own files.
const maxStateFile = 16 << 20

func (d *directory) read(name string) ([]byte, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxStateFile {
		return nil, unix.EFBIG
	}
	raw := make([]byte, st.Size)
	for got := 0; got < len(raw); {
		n, err := unix.Pread(fd, raw[got:], int64(got))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return nil, io.ErrUnexpectedEOF
		default:
			got += n
		}
	}
	return raw, nil
}
