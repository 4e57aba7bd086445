package spec

import (
	"errors"
	"reflect"
	"unsafe"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MaxConfig bounds config.json, in bytes. The kernel takes at most 6 MiB of
// arguments and environment at execve, and what else engines write has a few
// hundred kilobytes; the programs compiled from a config are bounded at 16 MiB.
const MaxConfig = 10 << 20

// Load reads and decodes a config file. The warnings are about keys that the spec
// does not know.
func Load(name string) (*specs.Spec, []string, error) {
	text, err := readConfig(name)
	if err != nil {
		return nil, nil, err
	}
	s, warnings, err := parse(text)
	var e *fault.Error
	if errors.As(err, &e) && e.Pointer == "" {
		e.Op = name + ": " + e.Op
	}
	return s, warnings, err
}

// LoadProcess reads and decodes a file with one process, as exec takes it. Its
// pointers are those of the process of a config.
func LoadProcess(name string) (*specs.Process, []string, error) {
	text, err := readConfig(name)
	if err != nil {
		return nil, nil, err
	}
	p := new(specs.Process)
	d := decoder{data: text, path: append(make([]segment, 0, 8), segment{key: "process"})}
	err = d.document(reflect.ValueOf(p).Elem())
	var e *fault.Error
	if errors.As(err, &e) && e.Pointer == "/process" {
		e.Op = name + ": " + e.Op
	}
	return p, d.warnings, err
}

// LoadResources reads and decodes a file with resources, as update takes it. Its
// pointers start at the resources.
func LoadResources(name string) (*specs.LinuxResources, []string, error) {
	text, err := readConfig(name)
	if err != nil {
		return nil, nil, err
	}
	return parseResources(text)
}

// ParseResources is LoadResources for what was read already.
func ParseResources(data []byte) (*specs.LinuxResources, []string, error) {
	if len(data) > MaxConfig {
		return nil, nil, fault.Configf("", "the resources have more than %d bytes", MaxConfig)
	}
	return parseResources(string(data))
}

func parseResources(text string) (*specs.LinuxResources, []string, error) {
	r := new(specs.LinuxResources)
	d := decoder{data: text, path: make([]segment, 0, 8)}
	if err := d.document(reflect.ValueOf(r).Elem()); err != nil {
		return nil, nil, err
	}
	return r, d.warnings, nil
}

// readConfig reads a regular file. Opening does not wait: a FIFO in the place of
// the file is an error, not a hang. There is no os.File, which would bring in the
// runtime's poller for the sake of one read.
func readConfig(name string) (string, error) {
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	})
	if err != nil {
		return "", openFault(name, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fault.Hostf("", err, "look at the config %s", name)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", fault.Configf("", "the config %s is not a regular file", name)
	}
	if st.Size > MaxConfig {
		return "", fault.Configf("", "the config %s has %d bytes, more than %d", name, st.Size, MaxConfig)
	}
	return readAll(fd, name, int(st.Size))
}

func openFault(name string, err error) *fault.Error {
	e := fault.Hostf("", err, "open the config %s", name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		e.Class = fault.Config
		return e.WithHint("a bundle is a directory with a config.json; `brig spec` writes one")
	}
	return e
}

// readAll reads to the end, also where the file has grown meanwhile.
func readAll(fd int, name string, size int) (string, error) {
	buf := make([]byte, size+1)
	n := 0
	for {
		m, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, buf[n:]) })
		if err != nil {
			return "", fault.Hostf("", err, "read the config %s", name)
		}
		if n += m; n > MaxConfig {
			return "", fault.Configf("", "the config %s has more than %d bytes", name, MaxConfig)
		}
		if m == 0 {
			// Nobody writes to the buffer any more, and the strings of the config
			// are pieces of it: a copy would touch fresh pages, at 10 µs each.
			return unsafe.String(unsafe.SliceData(buf), n), nil
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, n)...)
		}
	}
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// Parse decodes a config.
func Parse(data []byte) (*specs.Spec, []string, error) {
	if len(data) > MaxConfig {
		return nil, nil, fault.Configf("", "the config has %d bytes, more than %d", len(data), MaxConfig)
	}
	return parse(string(data))
}
