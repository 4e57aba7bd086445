package spec

import (
	"errors"
	"fmt"
	"unsafe"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxConfig bounds config.json. The kernel takes at most 6 MiB of arguments and
// environment at execve, and all else in a config is small: 10 MiB hold every
// config that can run, and keep a bad one from filling the memory of the host.
const maxConfig = 10 << 20

// Load reads and parses the config at path. It returns the warnings of [Parse].
func Load(path string) (*specs.Spec, []string, error) {
	text, err := readConfig(path)
	if err != nil {
		return nil, nil, err
	}
	return parse(text)
}

// readConfig reads a regular file. O_NONBLOCK because a FIFO by the name of
// config.json would otherwise hang the runtime before it can look at the type.
func readConfig(path string) (string, error) {
	fd, err := openConfig(path)
	if err != nil {
		return "", openFault(path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fault.Hostf("", err, "fstat %q", path)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "", fault.Configf("", "%q is not a regular file", path)
	case st.Size > maxConfig:
		return "", tooLarge(path)
	}
	return readAll(fd, path, int(st.Size))
}

func openConfig(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// openFault is a fault of the config when there is nothing to open, of the host
// when the host does not let brig read it.
func openFault(path string, err error) *fault.Error {
	f := fault.Hostf("", err, "open %q", path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		f.Class = fault.Config
		f = f.WithHint("a bundle is a directory with a config.json; `brig spec` writes one")
	}
	return f
}

func tooLarge(path string) *fault.Error {
	return fault.Configf("", "%q is larger than %d MiB", path, maxConfig>>20)
}

// readAll reads to the end, also where the file has grown since its size was
// asked for.
func readAll(fd int, path string, size int) (string, error) {
	buf := make([]byte, size+1)
	n := 0
	for {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", fault.Hostf("", err, "read %q", path)
		case m == 0:
			// The strings of the config are pieces of this buffer, which nobody
			// writes to any more: a copy would only touch fresh pages.
			return unsafe.String(unsafe.SliceData(buf), n), nil
		}
		if n += m; n > maxConfig {
			return "", tooLarge(path)
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, n)...)
		}
	}
}

// Parse parses a config. The warnings name the keys that no version of the
// runtime-spec known here has; the specification wants them tolerated.
func Parse(data []byte) (*specs.Spec, []string, error) {
	if len(data) > maxConfig {
		return nil, nil, fault.Configf("", "the config is larger than %d MiB", maxConfig>>20)
	}
	return parse(string(data))
}

func parse(text string) (*specs.Spec, []string, error) {
	s := new(specs.Spec)
	warnings, f := decode(text, s)
	if f != nil {
		return nil, warnings, f
	}
	return s, warnings, nil
}

// warnf formats a warning the way a fault is formatted.
func warnf(pointer, format string, args ...any) string {
	return pointer + ": " + fmt.Sprintf(format, args...)
}
