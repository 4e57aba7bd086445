package libcontainer

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelAtLeast says that this kernel has a version or a newer one. One whose
// version nobody can read counts as old.
func kernelAtLeast(major, minor int) bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	return atLeast(unix.ByteSliceToString(name.Release[:]), major, minor)
}

// atLeast compares a release such as "6.18.44-1-amd64".
func atLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		second = rest[:end]
	}
	a, err := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	return err == nil && err2 == nil && (a > major || a == major && b >= minor)
}
