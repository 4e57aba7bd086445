package spec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func TestLoad(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(name, []byte(baseConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s, warnings, err := Load(name)
	if err != nil || len(warnings) > 0 || s.Process.Args[0] != "sh" || s.Linux.Namespaces[4].Type != "network" {
		t.Errorf("%+v %q %v", s, warnings, err)
	}
}

// A config file that is none is an error that names it, and never a hang.
func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, size int64, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			if err := os.Truncate(name, size); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		class      fault.Class
		errno      error
	}{
		{name: filepath.Join(dir, "none"), want: "open the config DIR/none: ENOENT: no such file or directory (a bundle is", errno: unix.ENOENT},
		{name: file("plain", 0, "{}") + "/config.json", want: "ENOTDIR", errno: unix.ENOTDIR},
		{name: dir, want: "the config DIR is not a regular file"},
		{name: fifo, want: "the config DIR/fifo is not a regular file"},
		{name: "/dev/null", want: "the config /dev/null is not a regular file"},
		{name: "a\x00b", want: "EINVAL", class: fault.Host, errno: unix.EINVAL},
		{name: file("empty", 0, ""), want: "DIR/empty: line 1, column 1: the config is empty"},
		{name: file("huge", 100<<20, ""), want: "the config DIR/huge has 104857600 bytes, more than 10485760"},
		{name: file("holes", 1<<20, "{}"), want: `DIR/holes: line 1, column 3: something follows the config`},
		{name: file("bad", 0, `{"process":{"cwd":1}}`), want: "/process/cwd: a number where a string should be"},
	} {
		s, _, err := Load(c.name)
		if s != nil || err == nil {
			t.Errorf("%q is accepted", c.name)
			continue
		}
		text := strings.ReplaceAll(err.Error(), dir, "DIR")
		if !strings.Contains(text, c.want) || fault.ClassOf(err) != c.class || c.errno != nil && !errors.Is(err, c.errno) {
			t.Errorf("%q: class %s: %s", c.name, fault.ClassOf(err), text)
		}
	}
}

// A file of /proc says that its size is 0, as one that grows while it is read
// says too little.
func TestReadAllOfUnknownSize(t *testing.T) {
	read := func(name string, size int) (string, error) {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		return readAll(fd, name, size)
	}
	name := filepath.Join(t.TempDir(), "config.json")
	long := "{" + strings.Repeat(" ", 9999) + "}"
	if err := os.WriteFile(name, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, len(long) - 1, len(long), len(long) + 1} {
		if got, err := read(name, size); err != nil || got != long {
			t.Errorf("size %d: %d bytes, %v", size, len(got), err)
		}
	}
	if _, err := read("/dev/zero", 0); err == nil || err.Error() != "the config /dev/zero has more than 10485760 bytes" {
		t.Errorf("/dev/zero: %v", err)
	}
	if _, err := read(filepath.Dir(name), 0); !errors.Is(err, unix.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
	calls := 0
	n, err := ignoringEINTR(func() (int, error) {
		if calls++; calls < 3 {
			return -1, unix.EINTR
		}
		return 7, nil
	})
	if n != 7 || err != nil || calls != 3 {
		t.Errorf("%d, %v after %d calls", n, err, calls)
	}
}

func TestLoadWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	name := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(name, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(name); !errors.Is(err, unix.EACCES) || fault.ClassOf(err) != fault.Host {
		t.Errorf("%v", err)
	}
}
