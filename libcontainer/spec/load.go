package spec

import (
	"errors"
	"io"
	"os"
	"reflect"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MaxConfig bounds config.json, in bytes. The largest that engines write have a
// few hundred kilobytes; the programs compiled from one are bounded at 16 MiB.
const MaxConfig = 10 << 20

// Load reads and decodes a config file. The warnings are about keys that the spec
// does not know. Opening does not wait: a FIFO in the place of the file is an
// error, not a hang.
func Load(name string) (*specs.Spec, []string, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		e := fault.Hostf("", err, "open the config %s", name)
		e.Class = fault.Config
		return nil, nil, e
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, nil, fault.Hostf("", err, "look at the config %s", name)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil, fault.Configf("", "the config %s is not a regular file", name)
	}
	if st.Size > MaxConfig {
		return nil, nil, fault.Configf("", "the config %s has %d bytes, more than %d", name, st.Size, MaxConfig)
	}
	data := make([]byte, st.Size)
	if _, err := io.ReadFull(f, data); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fault.Hostf("", err, "read the config %s", name)
	}
	s, warnings, err := Parse(data)
	var e *fault.Error
	if errors.As(err, &e) && e.Pointer == "" {
		e.Op = name + ": " + e.Op
	}
	return s, warnings, err
}

// Parse decodes a config.
func Parse(data []byte) (*specs.Spec, []string, error) {
	s := new(specs.Spec)
	d := decoder{data: data}
	if err := d.document(reflect.ValueOf(s).Elem()); err != nil {
		return nil, nil, err
	}
	return s, d.warnings, nil
}
