package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"runtime"
	"strconv"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Cache keeps compiled filters in a directory that only its owner can read.
type Cache struct {
	Dir string // "" keeps nothing
}

// cacheMagic is at the beginning of every file of the cache, with its version.
const cacheMagic = "BRIGSEC1"

// A file is the magic, flags, listener, the program, and a SHA-256 of all that.
const cacheHeader = len(cacheMagic) + 8 + 8

// key names the filter of a profile: a hash of all that goes into it. The fields
// are written one by one with their lengths, which in a fresh process takes a
// tenth of the time of encoding/json.
func (c Cache) key(p *specs.LinuxSeccomp) string {
	size := 256
	for i := range p.Syscalls {
		size += 64 + 24*len(p.Syscalls[i].Names)
	}
	b := make([]byte, 0, size) // not a constant: on the stack it would make that grow
	b = appendText(b, cacheMagic+compilerID+runtime.GOARCH)
	b = appendText(b, string(p.DefaultAction))
	b = appendErrno(b, p.DefaultErrnoRet)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(p.Architectures)))
	for _, a := range p.Architectures {
		b = appendText(b, string(a))
	}
	if p.Flags != nil {
		b = append(b, 1)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(p.Flags)))
	for _, f := range p.Flags {
		b = appendText(b, string(f))
	}
	for i := range p.Syscalls {
		b = appendRule(b, &p.Syscalls[i])
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func appendRule(b []byte, r *specs.LinuxSyscall) []byte {
	b = appendErrno(appendText(b, string(r.Action)), r.ErrnoRet)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(r.Names)))
	for _, n := range r.Names {
		b = appendText(b, n)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(r.Args)))
	for _, a := range r.Args {
		b = binary.LittleEndian.AppendUint64(b, uint64(a.Index))
		b = binary.LittleEndian.AppendUint64(b, a.Value)
		b = binary.LittleEndian.AppendUint64(b, a.ValueTwo)
		b = appendText(b, string(a.Op))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendErrno(b []byte, errno *uint) []byte {
	if errno == nil {
		return append(b, 0)
	}
	return binary.LittleEndian.AppendUint64(append(b, 1), uint64(*errno))
}

// read returns a filter of the cache. Whatever is wrong with a file, the filter is
// compiled anew.
func (c Cache) read(key string) (*Filter, error) {
	if c.Dir == "" {
		return nil, errNoCache
	}
	fd, err := unix.Open(c.Dir+"/"+key, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode != unix.S_IFREG|0o600 || int(st.Uid) != os.Geteuid() || st.Size < int64(cacheHeader+sha256.Size) || st.Size > maxProgram+int64(cacheHeader+sha256.Size) {
		return nil, unix.EBADMSG
	}
	raw := make([]byte, st.Size)
	if n, err := unix.Read(fd, raw); err != nil || n != len(raw) {
		return nil, unix.EBADMSG
	}
	return decode(raw)
}

func decode(raw []byte) (*Filter, error) {
	if len(raw) < cacheHeader+sha256.Size {
		return nil, unix.EBADMSG
	}
	body, sum := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	want := sha256.Sum256(body)
	if !bytes.Equal(sum, want[:]) || string(body[:len(cacheMagic)]) != cacheMagic || (len(body)-cacheHeader)%insnSize != 0 {
		return nil, unix.EBADMSG
	}
	flags := binary.LittleEndian.Uint64(body[len(cacheMagic):])
	listener := binary.LittleEndian.Uint64(body[len(cacheMagic)+8:])
	return &Filter{Program: body[cacheHeader:], Flags: flags, Listener: listener != 0}, nil
}

func encode(f *Filter) []byte {
	raw := append(make([]byte, 0, cacheHeader+len(f.Program)+sha256.Size), cacheMagic...)
	raw = binary.LittleEndian.AppendUint64(raw, f.Flags)
	listener := uint64(0)
	if f.Listener {
		listener = 1
	}
	raw = append(binary.LittleEndian.AppendUint64(raw, listener), f.Program...)
	sum := sha256.Sum256(raw)
	return append(raw, sum[:]...)
}

// write puts a filter into the cache, whole or not at all.
func (c Cache) write(key string, f *Filter) error {
	if c.Dir == "" {
		return nil
	}
	if err := unix.Mkdir(c.Dir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fault.Hostf(pointer, err, "create the cache of filters %s", c.Dir)
	}
	temp := c.Dir + "/." + key + "." + strconv.Itoa(os.Getpid())
	fd, err := unix.Open(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fault.Hostf(pointer, err, "write to the cache of filters %s", c.Dir)
	}
	raw := encode(f)
	n, err := unix.Write(fd, raw)
	unix.Close(fd)
	if err == nil && n < len(raw) {
		err = unix.ENOSPC
	}
	if err == nil {
		err = unix.Rename(temp, c.Dir+"/"+key)
	}
	if err != nil {
		unix.Unlink(temp)
		return fault.Hostf(pointer, err, "write to the cache of filters %s", c.Dir)
	}
	return nil
}
