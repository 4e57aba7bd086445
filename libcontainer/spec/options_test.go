package spec

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// parseMount reads a line of testdata/options.txt.
func parseMount(t *testing.T, line string) *specs.Mount {
	t.Helper()
	kind, rest, _ := strings.Cut(line, ":")
	m := &specs.Mount{Destination: "/x", Type: kind, Source: "/y"}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		option, _ := strconv.Unquote(quoted)
		m.Options = append(m.Options, option)
		rest = rest[len(quoted):]
	}
	return m
}

func TestMountOptions(t *testing.T) {
	testBlocks(t, "testdata/options.txt", func(t *testing.T, input []string) []string {
		m := parseMount(t, input[0])
		o, err := ParseMountOptions(m)
		if err != nil {
			return []string{"! " + err.Error()}
		}
		return []string{"? " + describe(o)}
	})
}

// describe spells options out in words that are not those of the table.
func describe(o MountOptions) string {
	words := []string{}
	say := func(set bool, word string) {
		if set {
			words = append(words, word)
		}
	}
	say(o.Bind, "BIND")
	say(o.Recursive, "RECURSIVE")
	say(o.SetAttr != 0, fmt.Sprintf("SET%s", attrs(o.SetAttr)))
	say(o.ClearAttr != 0, fmt.Sprintf("CLEAR%s", attrs(o.ClearAttr)))
	say(o.SetAll != 0, fmt.Sprintf("SETALL%s", attrs(o.SetAll)))
	say(o.ClearAll != 0, fmt.Sprintf("CLEARALL%s", attrs(o.ClearAll)))
	for _, p := range o.Propagation {
		name := "?"
		switch p &^ unix.MS_REC {
		case 1 << 17:
			name = "UNBINDABLE"
		case 1 << 18:
			name = "PRIVATE"
		case 1 << 19:
			name = "SLAVE"
		case 1 << 20:
			name = "SHARED"
		}
		if p&(1<<14) != 0 {
			name += "+REC"
		}
		words = append(words, name)
	}
	say(len(o.SuperFlags) > 0, fmt.Sprintf("SUPER%q", o.SuperFlags))
	for _, d := range o.Data {
		if d.Flag {
			words = append(words, "FLAG("+d.Key+")")
		} else {
			words = append(words, fmt.Sprintf("STRING(%s, %q)", d.Key, d.Value))
		}
		say(d.Flag && d.Value != "", "VALUE OF A FLAG")
	}
	say(o.IDMap, "IDMAP")
	say(o.IDMapRecursive, "IDMAP+REC")
	say(o.IDMapText != "", fmt.Sprintf("IDMAP=%q", o.IDMapText))
	say(o.CopyUp, "COPYUP")
	say(o.CopySymlink, "COPY LINK")
	say(o.SourceNoFollow, "SOURCE LINK")
	say(o.TargetNoFollow, "TARGET LINK")
	say(len(words) == 0, "nothing")
	return strings.Join(words, " ")
}

// attrs names the MOUNT_ATTR_ bits as linux/mount.h numbers them.
func attrs(bits uint64) string {
	names := []string{}
	for _, a := range []struct {
		name string
		bit  uint64
	}{
		{"RDONLY", 1},
		{"NOSUID", 2},
		{"NODEV", 4},
		{"NOEXEC", 8},
		{"ATIME", 0x70},
		{"NOATIME", 0x10},
		{"STRICTATIME", 0x20},
		{"NODIRATIME", 0x80},
		{"NOSYMFOLLOW", 0x200000},
	} {
		if bits&a.bit == a.bit {
			names = append(names, a.name)
			bits &^= a.bit
		}
	}
	if bits != 0 {
		names = append(names, fmt.Sprintf("%#x", bits))
	}
	return fmt.Sprint(names)
}

func TestWordTable(t *testing.T) {
	for i, w := range words {
		if i > 0 && words[i-1].name >= w.name {
			t.Errorf("%q does not belong after %q", w.name, words[i-1].name)
		}
		if found := findWord(w.name); found == nil || found.name != w.name {
			t.Errorf("%q is not found", w.name)
		}
	}
	for _, name := range []string{"", "a", "nosui", "nosuidx", "zzz", "ro "} {
		if w := findWord(name); w != nil {
			t.Errorf("%q is found as %q", name, w.name)
		}
	}
}

// The words that the specification demands are all known; those that are listed as
// supported are, and the others are refused.
func TestMountOptionWords(t *testing.T) {
	demanded := strings.Fields(`async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime
		nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private rbind
		relatime ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid symfollow sync unbindable
		ratime rdev rdiratime rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnodev rnosymfollow
		rrelatime rro rrw rstrictatime rsuid rsymfollow`)
	more := strings.Fields(`idmap ridmap tmpcopyup copy-symlink src-nofollow dest-nofollow rsync rasync rdirsync rmand rnomand`)
	list := MountOptionWords()
	if !slices.IsSorted(list) {
		t.Error("the words are not sorted")
	}
	demanded = append(demanded, more...)
	if len(demanded) != len(list) {
		t.Errorf("%d words, not %d", len(list), len(demanded))
	}
	for _, name := range demanded {
		if !slices.Contains(list, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if _, err := ParseMountOptions(&specs.Mount{Type: "tmpfs", Options: []string{"remount"}}); err == nil {
		t.Error("remount is not refused")
	}
	for _, name := range list {
		fine := []specs.Mount{{Type: "tmpfs", Options: []string{name}}, {Options: []string{"bind", name}}}
		if !slices.ContainsFunc(fine, func(m specs.Mount) bool { _, err := ParseMountOptions(&m); return err == nil }) {
			t.Errorf("%s is listed, but refused", name)
		}
	}
}

// The kernel knows each flag of the superblock by the name that it gets.
func TestSuperFlagsAreTheKernels(t *testing.T) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		if os.Geteuid() != 0 {
			t.Skip("needs root for fsopen: ", err)
		}
		t.Fatal(err)
	}
	defer unix.Close(fs)
	for i := range words {
		if words[i].kind == wordSuper {
			if err := unix.FsconfigSetFlag(fs, words[i].name); err != nil {
				t.Errorf("%s: %v", words[i].name, err)
			}
		}
	}
	if err := unix.FsconfigSetFlag(fs, "iversion"); err == nil {
		t.Error("the kernel knows iversion by now: make it a flag")
	}
}

func FuzzMountOptions(f *testing.F) {
	text, err := os.ReadFile("testdata/options.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kind, rest, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && line[0] != '!' && line[0] != '?' && line[0] != '#' {
			f.Add(kind, strings.ReplaceAll(rest, `" "`, "\n"))
		}
	}
	f.Add("none", "bind\nro\natime\nnoatime\nsize=1")
	f.Fuzz(func(t *testing.T, kind, options string) {
		m := &specs.Mount{Type: kind, Options: strings.Split(options, "\n")}
		o, err := ParseMountOptions(m)
		if err != nil {
			return
		}
		const field = unix.MOUNT_ATTR__ATIME
		if o.SetAttr&o.ClearAttr&^field != 0 {
			t.Errorf("both set and cleared: %#x %#x", o.SetAttr, o.ClearAttr)
		}
		// The kernel takes a mode of access times only with the whole field cleared.
		if c := o.ClearAttr & field; c != 0 && c != field || o.SetAttr&field != 0 && c == 0 || o.SetAttr&field == field {
			t.Errorf("access times: set %#x, clear %#x", o.SetAttr, o.ClearAttr)
		}
		if o.Recursive && !o.Bind || o.IDMapRecursive && !o.IDMap {
			t.Errorf("%+v", o)
		}
		if o.Bind && len(o.Data)+len(o.SuperFlags) > 0 {
			t.Errorf("a bind mount with options of a file system: %+v", o)
		}
		for _, d := range o.Data {
			if d.Key == "" || strings.ContainsAny(d.Key, "=,\x00") || d.Flag && d.Value != "" || findWord(d.Key) != nil && d.Flag {
				t.Errorf("%+v", d)
			}
		}
		// Nothing gets lost: every option that is no word, and not empty, is a parameter.
		if n := len(slices.DeleteFunc(m.Options, func(s string) bool {
			key, _, found := strings.Cut(s, "=")
			return s == "" || findWord(s) != nil || found && (key == "idmap" || key == "ridmap" || o.Bind && (key == "size" || key == "mode"))
		})); n != len(o.Data) {
			t.Errorf("%d options of the file system became %d", n, len(o.Data))
		}
	})
}
