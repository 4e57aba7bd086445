package root_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// spoken is a system call that a process stands before, with what its operands mean.
type spoken struct {
	stop
	names   []named
	flags   uint64 // of an open
	resolve uint64 // of an openat2
	b       *box
	history []spoken // what the same process called before
}

// named is a path that a call is given.
type named struct {
	at   string // the directory that the fd is of; empty for that of the process
	path string
}

// below says that the path leads from outside of a directory into it.
func (n named) below(dir string) bool { return strings.HasPrefix(n.path, dir+"/") }

// single says that the name is that of an entry of the directory that is open.
func (n named) single() bool { return !strings.Contains(n.path, "/") && n.path != ".." }

// inside says that the process has entered a namespace of the container, or is about to
// be its init.
func (s *spoken) inside() bool {
	if s.part == partInit {
		return true
	}
	return s.part == partStage && slices.ContainsFunc(s.history, func(h spoken) bool {
		return h.nr == unix.SYS_SETNS || h.nr == unix.SYS_UNSHARE
	})
}

// startOfGo says that it is the one file that the Go runtime opens before main, and closes
// again: in brig, and in its compiler of filters.
func (s *spoken) startOfGo() bool {
	return s.part != partInit && s.names[0].path == "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
}

// bound says that the kernel resolves the path within bounds.
func (s *spoken) bound() bool { return s.nr == unix.SYS_OPENAT2 && s.resolve != 0 }

// rule says what a call may not be, and which advisories that excludes.
type rule struct {
	name, excludes string
	broken         func(s *spoken) bool
}

// old are the calls that take a path alone, which is resolved anew each time.
var old = []uint64{
	unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_MKDIR,
	unix.SYS_RMDIR, unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_READLINK, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_ACCESS, unix.SYS_MKNOD,
	unix.SYS_TRUNCATE, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_STATFS, unix.SYS_CHDIR,
}

// byDot are the calls for the root that take no fd: they get ".", right after fchdir.
var byDot = []uint64{unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT, unix.SYS_UMOUNT2}

var opens = []uint64{unix.SYS_OPENAT, unix.SYS_OPENAT2}

// grammar are the rules that every call of brig and of its stage obeys.
var grammar = []rule{
	{"no mount(2)", "CVE-2021-30465 CVE-2023-28642 CVE-2025-52881", func(s *spoken) bool { return s.nr == unix.SYS_MOUNT }},
	{"the root is changed by fd", "CVE-2019-19921 CVE-2021-30465", func(s *spoken) bool {
		return slices.Contains(byDot, s.nr) && slices.ContainsFunc(s.names, func(n named) bool { return n.path != "." })
	}},
	{"the root file system is not touched by a path", "CVE-2021-30465 CVE-2024-45310 CVE-2025-31133 CVE-2025-52565", func(s *spoken) bool {
		return slices.ContainsFunc(s.names, func(n named) bool {
			in := n.at == s.b.rootfs || named{path: n.at}.below(s.b.rootfs)
			return n.below(s.b.rootfs) || in && !n.single() && !s.bound()
		})
	}},
	{"inside, a path alone is not resolved", "CVE-2019-19921 CVE-2021-30465 CVE-2023-27561", func(s *spoken) bool {
		return s.inside() && slices.Contains(old, s.nr)
	}},
	{"inside, an absolute path is opened by openat2 within bounds alone", "CVE-2021-30465 CVE-2025-52881", func(s *spoken) bool {
		return s.inside() && s.nr != unix.SYS_EXECVE && !s.bound() && slices.ContainsFunc(s.names, func(n named) bool { return strings.HasPrefix(n.path, "/") })
	}},
	{"inside, a name is a single one, or resolved within bounds", "CVE-2021-30465 CVE-2025-31133", func(s *spoken) bool {
		return s.inside() && s.nr != unix.SYS_EXECVE && !s.bound() && slices.ContainsFunc(s.names, func(n named) bool { return !n.single() })
	}},
	{"inside, /proc and /sys are not looked for", "CVE-2019-19921 CVE-2023-27561 CVE-2025-52881", func(s *spoken) bool {
		return s.inside() && s.nr != unix.SYS_EXECVE && slices.ContainsFunc(s.names, func(n named) bool {
			return strings.HasPrefix(n.path, "/proc") || strings.HasPrefix(n.path, "/sys")
		})
	}},
	{"every open is closed on exec", "CVE-2016-9962 CVE-2024-21626", func(s *spoken) bool {
		return slices.Contains(opens, s.nr) && s.flags&unix.O_CLOEXEC == 0 && !s.startOfGo()
	}},
	{"what is created is new", "CVE-2024-45310 CVE-2025-52565", func(s *spoken) bool {
		if !slices.Contains(opens, s.nr) {
			return false
		}
		fresh := uint64(unix.O_EXCL | unix.O_NOFOLLOW)
		if s.part == partBrig && s.names[0].at == s.b.state+"/"+s.b.id {
			fresh = unix.O_NOFOLLOW // the journal, in a directory that is brig's alone
		}
		return s.flags&unix.O_CREAT != 0 && s.flags&fresh != fresh
	}},
	{"nothing is cut off", "CVE-2019-5736", func(s *spoken) bool { return slices.Contains(opens, s.nr) && s.flags&unix.O_TRUNC != 0 }},
	{"the program of the host is executed before a namespace is entered", "CVE-2019-5736 CVE-2022-1227", func(s *spoken) bool {
		return s.nr == unix.SYS_EXECVE && s.part == partStage
	}},
	{"init executes only once it is confined", "CVE-2022-29162 CVE-2024-21626", func(s *spoken) bool {
		return s.nr == unix.SYS_EXECVE && s.part == partInit && !s.confined()
	}},
}

// tail are the calls that make init the payload, in their order.
var tail = []uint64{
	unix.SYS_CLOSE_RANGE, unix.SYS_UMASK, unix.SYS_SETGROUPS, unix.SYS_GETGROUPS, unix.SYS_SETRESGID, unix.SYS_GETRESGID,
	unix.SYS_SETRESUID, unix.SYS_GETRESUID, unix.SYS_CAPSET,
}

// confined says that the calls of the tail were made in their order since the fds were
// closed, and that nothing is called after the filter but execve.
func (s *spoken) confined() bool {
	at := len(s.history) - 1
	for at >= 0 && s.history[at].nr != unix.SYS_CLOSE_RANGE {
		at--
	}
	want := tail
	for i := max(at, 0); i < len(s.history); i++ {
		h := &s.history[i]
		if len(want) > 0 && h.nr == want[0] {
			want = want[1:]
		}
		filtered := h.nr == unix.SYS_SECCOMP && h.args[0] == unix.SECCOMP_SET_MODE_FILTER
		if filtered && i+1 < len(s.history) && s.history[i+1].nr != unix.SYS_EXECVE {
			return false
		}
	}
	return len(want) == 0
}

// pathsOf are the operands of calls that are paths: the fd's, -1 for none, and the path's.
var pathsOf = map[uint64][][2]int{
	unix.SYS_OPENAT: {{0, 1}}, unix.SYS_OPENAT2: {{0, 1}}, unix.SYS_NEWFSTATAT: {{0, 1}}, unix.SYS_STATX: {{0, 1}}, unix.SYS_FACCESSAT: {{0, 1}},
	unix.SYS_FACCESSAT2: {{0, 1}}, unix.SYS_MKDIRAT: {{0, 1}}, unix.SYS_MKNODAT: {{0, 1}}, unix.SYS_UNLINKAT: {{0, 1}}, unix.SYS_READLINKAT: {{0, 1}},
	unix.SYS_FCHOWNAT: {{0, 1}}, unix.SYS_FCHMODAT: {{0, 1}}, unix.SYS_FCHMODAT2: {{0, 1}}, unix.SYS_OPEN_TREE: {{0, 1}}, unix.SYS_MOUNT_SETATTR: {{0, 1}},
	unix.SYS_EXECVEAT: {{0, 1}}, unix.SYS_UTIMENSAT: {{0, 1}}, unix.SYS_SYMLINKAT: {{1, 2}}, unix.SYS_RENAMEAT: {{0, 1}, {2, 3}},
	unix.SYS_RENAMEAT2: {{0, 1}, {2, 3}}, unix.SYS_LINKAT: {{0, 1}, {2, 3}}, unix.SYS_MOVE_MOUNT: {{0, 1}, {2, 3}}, unix.SYS_EXECVE: {{-1, 0}},
	unix.SYS_PIVOT_ROOT: {{-1, 0}, {-1, 1}}, unix.SYS_UMOUNT2: {{-1, 0}}, unix.SYS_CHROOT: {{-1, 0}}, unix.SYS_MOUNT: {{-1, 0}, {-1, 1}},
	unix.SYS_SYMLINK: {{-1, 1}}, unix.SYS_LINK: {{-1, 0}, {-1, 1}}, unix.SYS_RENAME: {{-1, 0}, {-1, 1}},
}

func init() {
	for _, nr := range old {
		if pathsOf[nr] == nil {
			pathsOf[nr] = [][2]int{{-1, 0}}
		}
	}
}

// understood reads the operands of a call out of the process.
func (b *box) understood(s stop) spoken {
	c := spoken{stop: s, b: b}
	for _, p := range pathsOf[s.nr] {
		n := named{path: textOf(s.tgid, s.args[p[1]])}
		if p[0] >= 0 && int32(s.args[p[0]]) >= 0 {
			n.at, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", s.tgid, int32(s.args[p[0]])))
		}
		c.names = append(c.names, n)
	}
	switch s.nr {
	case unix.SYS_OPENAT:
		c.flags = s.args[2]
	case unix.SYS_OPENAT2:
		how := bytesOf(s.tgid, s.args[2], 24)
		c.flags, c.resolve = binary.NativeEndian.Uint64(how), binary.NativeEndian.Uint64(how[16:])
	}
	return c
}

// bytesOf reads the memory of a process.
func bytesOf(pid int, at uint64, n int) []byte {
	raw := make([]byte, n)
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err == nil {
		defer mem.Close()
		_, _ = mem.ReadAt(raw, int64(at)) // what cannot be read is zero
	}
	return raw
}

// textOf reads a string, which may end where the memory does.
func textOf(pid int, at uint64) string {
	if at == 0 {
		return ""
	}
	var text []byte
	for range unix.PathMax / 256 {
		part := bytesOf(pid, at, 256-int(at%256))
		if end := slices.Index(part, 0); end >= 0 {
			return string(append(text, part[:end]...))
		}
		text, at = append(text, part...), at+uint64(len(part))
	}
	return string(text)
}

// obeys runs a command, and says which of its calls break a rule.
func (b *box) obeys(t *testing.T, args ...string) (calls int) {
	t.Helper()
	said := map[int][]spoken{}
	status, err := step(t, b.command(args...), func(s stop) unix.Errno {
		if s.part == partPayload || s.part == partOther {
			return errnoNone
		}
		calls++
		c := b.understood(s)
		c.history = said[s.tgid]
		for _, r := range grammar {
			if r.broken(&c) {
				t.Errorf("%s, which excludes %s: %s of part %d, %q, flags %#x, resolve %#x", r.name, r.excludes, nameOf(s.nr), s.part, c.names, c.flags, c.resolve)
			}
		}
		c.history = nil
		said[s.tgid] = append(said[s.tgid], c)
		return errnoNone
	})
	must(t, err)
	if status.ExitStatus() != 0 {
		t.Errorf("%s: exit %d", args, status.ExitStatus())
	}
	return calls
}

// TestGrammar stops brig and its stage before each system call of each command, with
// many bundles, and holds the call against the rules.
func TestGrammar(t *testing.T) {
	needRoot(t)
	few := stride(3)
	for i, row := range tracedBundles() {
		if i%few != 0 || row.between != nil {
			continue // where there is something between, the network is of the test's thread, and a stepper has its own
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := row.box(t)
			flags := strings.Fields(row.flags)
			calls := b.obeys(t, append(append([]string{"run", "--bundle", b.bundle}, flags...), b.id)...)
			b.args("/bin/sleep", "1000")
			b.save()
			calls += b.obeys(t, append(append([]string{"create", "--bundle", b.bundle}, flags...), b.id)...)
			for _, verb := range [][]string{
				{"start", b.id},
				{"state", b.id},
				{"list"},
				{"ps", b.id},
				{"exec", b.id, "/bin/true"},
				{"pause", b.id},
				{"resume", b.id},
				{"update", "--blkio-weight", "0", b.id},
				{"events", "--stats", b.id},
				{"kill", b.id, "USR1"},
				{"delete", "--force", b.id},
			} {
				calls += b.obeys(t, verb...)
			}
			t.Logf("%d calls", calls)
		})
	}
}
