package seccomp

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Cache keeps compiled filters in a directory that only its owner can read.
type Cache struct {
	Dir string // "" keeps nothing
}

// cacheMagic is at the beginning of every file of the cache, with its version.
const cacheMagic = "BRIGSEC3"

// A file is the magic, flags, listener, the length of the key, the program, the
// whole key and a checksum of all that. A hit compares the key itself, so that no
// entry can pass for another; the checksum is for disks, not for enemies, who
// cannot write here. crypto/sha256 would do both, and cost every start of brig its
// initialisation.
const (
	cacheHeader  = len(cacheMagic) + 8 + 8 + 8
	cacheTrailer = 8
	maxKey       = 1 << 20
)

// key is all that goes into the filter of a profile. The fields are written one by
// one with their lengths, which in a fresh process takes a tenth of the time of
// encoding/json.
func (c Cache) key(p *specs.LinuxSeccomp) string {
	b := make([]byte, 0, 16384)
	b = appendText(b, cacheMagic+embeddedProgram().id+runtime.GOARCH)
	b = appendText(b, string(p.DefaultAction))
	b = appendErrno(b, p.DefaultErrnoRet)
	b = binary.AppendUvarint(b, uint64(len(p.Architectures)))
	for _, a := range p.Architectures {
		b = appendText(b, string(a))
	}
	// No list of flags is another thing than an empty one.
	b = strconv.AppendBool(b, p.Flags == nil)
	b = binary.AppendUvarint(b, uint64(len(p.Flags)))
	for _, f := range p.Flags {
		b = appendText(b, string(f))
	}
	for i := range p.Syscalls {
		b = appendRule(b, &p.Syscalls[i])
	}
	return string(b)
}

// path is the file of a key. Two keys of one name take the place of each other.
func (c Cache) path(key string) string { return c.Dir + "/" + entryName(key) }

func entryName(key string) string {
	name := strconv.FormatUint(fnv(key), 16)
	return "0000000000000000"[len(name):] + name
}

// fnv is the 64-bit FNV-1a hash.
func fnv[T string | []byte](b T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(b) {
		h = (h ^ uint64(b[i])) * 1099511628211
	}
	return h
}

func appendRule(b []byte, r *specs.LinuxSyscall) []byte {
	b = appendErrno(appendText(b, string(r.Action)), r.ErrnoRet)
	b = binary.AppendUvarint(b, uint64(len(r.Names)))
	for _, n := range r.Names {
		b = appendText(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Args)))
	for _, a := range r.Args {
		b = binary.AppendUvarint(b, uint64(a.Index))
		b = binary.AppendUvarint(b, a.Value)
		b = binary.AppendUvarint(b, a.ValueTwo)
		b = appendText(b, string(a.Op))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendErrno(b []byte, errno *uint) []byte {
	if errno == nil {
		return append(b, 0)
	}
	return binary.AppendUvarint(append(b, 1), uint64(*errno))
}

// errCache is any reason not to take a filter out of the cache.
var errCache = errors.New("not in the cache")

// read returns a filter of the cache. Whatever is wrong with a file, the filter is
// compiled anew.
func (c Cache) read(key string) (*Filter, error) {
	if c.Dir == "" {
		return nil, errCache
	}
	fd, err := unix.Open(c.path(key), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode != unix.S_IFREG|0o600 || int(st.Uid) != os.Geteuid() || st.Size > int64(cacheHeader+maxProgram+maxKey+cacheTrailer) {
		return nil, errCache
	}
	raw := make([]byte, st.Size)
	if n, err := unix.Read(fd, raw); err != nil || n != len(raw) {
		return nil, errCache
	}
	return decode(key, raw)
}

func decode(key string, raw []byte) (*Filter, error) {
	size := len(raw) - cacheHeader - len(key) - cacheTrailer
	if size <= 0 || size > maxProgram || size%insnSize != 0 || string(raw[:len(cacheMagic)]) != cacheMagic {
		return nil, errCache
	}
	le := binary.LittleEndian
	body, sum := raw[:len(raw)-cacheTrailer], le.Uint64(raw[len(raw)-cacheTrailer:])
	head := body[len(cacheMagic):]
	if le.Uint64(head[16:]) != uint64(len(key)) || string(body[len(body)-len(key):]) != key || sum != fnv(body) {
		return nil, errCache
	}
	program := body[cacheHeader : cacheHeader+size]
	return &Filter{Program: program, Flags: le.Uint64(head), Listener: le.Uint64(head[8:]) != 0}, nil
}

func encode(key string, f *Filter) []byte {
	le := binary.LittleEndian
	raw := append(make([]byte, 0, cacheHeader+len(f.Program)+len(key)+cacheTrailer), cacheMagic...)
	raw = le.AppendUint64(raw, f.Flags)
	listener := uint64(0)
	if f.Listener {
		listener = 1
	}
	raw = le.AppendUint64(le.AppendUint64(raw, listener), uint64(len(key)))
	raw = append(append(raw, f.Program...), key...)
	return le.AppendUint64(raw, fnv(raw))
}

// write puts a filter into the cache, whole or not at all.
func (c Cache) write(key string, f *Filter) error {
	if c.Dir == "" || len(key) > maxKey {
		return nil
	}
	if err := unix.Mkdir(c.Dir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := c.makeRoom(); err != nil {
		return err
	}
	temp := c.Dir + "/." + entryName(key) + "." + strconv.Itoa(os.Getpid())
	fd, err := unix.Open(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	// The umask may have taken away what read asks for.
	err = unix.Fchmod(fd, 0o600)
	if err == nil {
		err = writeAll(fd, encode(key, f))
	}
	unix.Close(fd)
	if err == nil {
		err = unix.Rename(temp, c.path(key))
	}
	if err != nil {
		unix.Unlink(temp)
	}
	return err
}

func writeAll(fd int, raw []byte) error {
	n, err := unix.Write(fd, raw)
	if err == nil && n < len(raw) {
		return unix.ENOSPC
	}
	return err
}

// maxEntries bounds the cache. A host with more profiles than that at a time
// compiles some anew.
const maxEntries = 128

// makeRoom empties a full cache, and what writers that were killed have left in it.
func (c Cache) makeRoom() error {
	dir, err := os.Open(c.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil || len(names) < maxEntries {
		return err
	}
	for _, name := range names {
		if err := unix.Unlink(c.Dir + "/" + name); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}
