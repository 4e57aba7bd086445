package cgroups

import (
	"os"

	"golang.org/x/sys/unix"
)

// children are the groups right below a directory.
func children(dir int) ([]string, error) {
	fd, err := openAt(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "cgroup")
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil && !gone(err) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// walk calls visit for a directory and all below it, the deepest first. A
// container that may make cgroups can nest them thousands deep, so it holds one
// directory open at a time and not one for each level: the way back is "..",
// which leads nowhere else, since version 2 cannot rename a cgroup.
func walk(top int, visit func(dir int) error) error {
	at, err := openAt(top, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer func() { unix.Close(at) }()
	names, err := children(at)
	if err != nil {
		return err
	}
	for left := [][]string{names}; ; {
		last := len(left) - 1
		if n := len(left[last]); n > 0 {
			name := left[last][n-1]
			left[last] = left[last][:n-1]
			if names, err = enter(&at, name); gone(err) {
				continue
			}
			left = append(left, names)
		} else if err = visit(at); err == nil {
			if last == 0 {
				return nil
			}
			left = left[:last]
			err = climb(&at)
		}
		if err != nil {
			return err
		}
	}
}

// enter goes down into a child and lists what is below it.
func enter(at *int, name string) ([]string, error) {
	fd, err := openAt(*at, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	names, err := children(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	unix.Close(*at)
	*at = fd
	return names, nil
}

func climb(at *int) error {
	fd, err := unix.Openat(*at, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(*at)
		*at = fd
	}
	return err
}
