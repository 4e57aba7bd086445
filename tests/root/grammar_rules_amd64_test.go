package root_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGrammarRules breaks each rule of the grammar, so that none of them is one that
// cannot be broken.
func TestGrammarRules(t *testing.T) {
	b := &box{rootfs: "/bundle/rootfs", state: "/state", id: "id"}
	at := func(p part, nr uint64, names ...named) spoken {
		return spoken{stop: stop{part: p, nr: nr}, names: names, b: b}
	}
	open := func(p part, flags, resolve uint64, n named) spoken {
		s := at(p, unix.SYS_OPENAT2, n)
		s.flags, s.resolve = flags, resolve
		return s
	}
	joined := at(partStage, unix.SYS_FACCESSAT2, named{path: "/etc"})
	joined.history = []spoken{at(partStage, unix.SYS_SETNS)}
	early := at(partInit, unix.SYS_EXECVE, named{path: "/bin/true"})
	early.history = []spoken{at(partInit, unix.SYS_CLOSE_RANGE), at(partInit, unix.SYS_UMASK)}
	late := early
	late.history = nil
	for _, nr := range tail {
		late.history = append(late.history, at(partInit, nr))
	}
	filter := at(partInit, unix.SYS_SECCOMP)
	filter.args[0] = unix.SECCOMP_SET_MODE_FILTER
	more := late
	more.history = append(append([]spoken{}, late.history...), filter, at(partInit, unix.SYS_CHDIR))
	good := late
	good.history = append(append([]spoken{}, late.history...), filter)

	for _, c := range []struct {
		name string // of the call
		call spoken
		rule string // that it breaks, none for a legal call
	}{
		{"mount", at(partInit, unix.SYS_MOUNT, named{path: "proc"}), "no mount(2)"},
		{"umount", at(partInit, unix.SYS_UMOUNT2, named{path: "mnt"}), "the root is changed by fd"},
		{"umount of dot", at(partInit, unix.SYS_UMOUNT2, named{path: "."}), ""},
		{"a path into the root", at(partBrig, unix.SYS_NEWFSTATAT, named{path: "/bundle/rootfs/etc"}), "the root file system is not touched by a path"},
		{"a path in the root", at(partBrig, unix.SYS_NEWFSTATAT, named{"/bundle/rootfs", "etc/passwd"}), "the root file system is not touched by a path"},
		{"up in the root", at(partBrig, unix.SYS_NEWFSTATAT, named{"/bundle/rootfs/etc", ".."}), "the root file system is not touched by a path"},
		{"a name in the root", at(partBrig, unix.SYS_NEWFSTATAT, named{"/bundle/rootfs", "etc"}), ""},
		{"within bounds", open(partBrig, unix.O_CLOEXEC, unix.RESOLVE_IN_ROOT, named{"/bundle/rootfs", "etc/passwd"}), ""},
		{"mkdir", at(partInit, unix.SYS_MKDIR, named{path: "a"}), "inside, a path alone is not resolved"},
		{"an absolute path after setns", joined, "inside, an absolute path is opened by openat2 within bounds alone"},
		{"two names", at(partInit, unix.SYS_MKDIRAT, named{"/", "a/b"}), "inside, a name is a single one, or resolved within bounds"},
		{"proc", open(partInit, unix.O_CLOEXEC, unix.RESOLVE_IN_ROOT, named{path: "/proc/self/attr"}), "inside, /proc and /sys are not looked for"},
		{"without cloexec", open(partBrig, unix.O_RDONLY, 0, named{path: "/etc/x"}), "every open is closed on exec"},
		{"the start of Go", open(partBrig, 0, 0, named{path: "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"}), ""},
		{"create", open(partBrig, unix.O_CLOEXEC|unix.O_CREAT|unix.O_EXCL, 0, named{path: "/run/x"}), "what is created is new"},
		{"the journal", open(partBrig, unix.O_CLOEXEC|unix.O_CREAT|unix.O_NOFOLLOW, 0, named{"/state/id", "journal"}), ""},
		{"truncate", open(partBrig, unix.O_CLOEXEC|unix.O_TRUNC, 0, named{path: "/run/x"}), "nothing is cut off"},
		{"execve of the stage", at(partStage, unix.SYS_EXECVE, named{path: "/bin/x"}), "the program of the host is executed before a namespace is entered"},
		{"execve too early", early, "init executes only once it is confined"},
		{"a call after the filter", more, "init executes only once it is confined"},
		{"execve", good, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := map[string]bool{}
			for _, r := range grammar {
				if r.broken(&c.call) {
					broken[r.name] = true
				}
			}
			if c.rule == "" && len(broken) > 0 || c.rule != "" && !broken[c.rule] {
				t.Errorf("breaks %v, want %q", broken, c.rule)
			}
		})
	}
}

// The page has each rule, and no other.
func TestGrammarPage(t *testing.T) {
	page := reads(t, "../../docs/grammar.md")
	for _, r := range grammar {
		if row := "| " + r.name + " | " + strings.ReplaceAll(r.excludes, " ", ", ") + " |\n"; !strings.Contains(page, row) {
			t.Errorf("docs/grammar.md has no row %s", row)
		}
	}
	if rows := strings.Count(page, "\n| ") - 2; rows != len(grammar) {
		t.Errorf("docs/grammar.md has %d rules, and there are %d", rows, len(grammar))
	}
}
