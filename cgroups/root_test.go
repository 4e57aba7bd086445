package cgroups

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func TestPath(t *testing.T) {
	r := selfRoot(t, "4:memory:/m\n0::/own/group\n")
	for _, c := range []struct{ name, path, want string }{
		{"none", "", "/brig/id"},
		{"absolute", "/a/b", "/a/b"},
		{"doubled slashes and dots", "//a/./b//", "/a/b"},
		{"relative", "a/b", "/own/group/a/b"},
		{"colons in a path", "/kube/a:b:c", "/kube/a:b:c"},
		{"one colon", "a:b", "/own/group/a:b"},
		{"a unit's name", "system.slice:docker:0123", "/own/system.slice:docker:0123"},
		{"a unit's name without a slice", ":runc:0123", "/own/:runc:0123"},
		{"dots in names", "/..a/b../...", "/..a/b../..."},
		{"longest name", "/" + strings.Repeat("a", 255), "/" + strings.Repeat("a", 255)},
	} {
		if got, err := r.Path(c.path, "id"); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// selfRoot believes that brig's own cgroup is what a text says.
func selfRoot(t testing.TB, text string) *Root {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cgroup")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return &Root{self: file}
}

func TestPathBelowUnknown(t *testing.T) {
	_, err := selfRoot(t, "4:memory:/m\n").Path("a", "id")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "read brig's own cgroup", unix.ENOENT)
	_, err = (&Root{self: "/nonesuch/file"}).Path("a", "id")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "read brig's own cgroup", unix.ENOENT)
	if got, err := (&Root{}).Path("/a", "id"); got != "/a" || err != nil {
		t.Errorf("an absolute path needs no own cgroup, but %v", err)
	}
}

// The lowest group above both has to be writable: here the one at /own is there, and
// nothing above it.
func TestMayMove(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/own/group", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/own/cgroup.procs", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, c := range []struct {
		own, to string
		may     bool
	}{
		{"0::/own/group\n", "/own/other/one", true},
		{"0::/own/group\n", "/own", true},
		{"0::/own\n", "/own/other", true},
		{"0::/own/group\n", "/ownother", false},
		{"0::/own/group\n", "/other", false},
		{"0::/\n", "/own", false},
		{"4:memory:/m\n", "/own", true}, // the kernel will say
	} {
		r := selfRoot(t, c.own)
		r.fd = fd
		if got := r.MayMove(c.to); got != c.may {
			t.Errorf("from %q to %s: %v", c.own, c.to, got)
		}
	}
}

func TestPathErrors(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"up", "/a/../b", `"/a/../b" is no path of a cgroup`},
		{"up at the start", "../b", "is no path"},
		{"up at the end", "/a/..", "is no path"},
		{"NUL", "/a\x00b", "is no path"},
		{"newline", "/a\nb", "is no path"},
		{"long name", "/a/" + strings.Repeat("a", 256), "is no path"},
		{"long path", strings.Repeat("/abcdefgh", 500), "is no path"},
		{"root", "/", "the root of the hierarchy cannot be a container's cgroup"},
		{"root by dots", "/./.", "the root of the hierarchy"},
	} {
		got, err := (&Root{}).Path(c.path, "id")
		if err == nil {
			t.Errorf("%s: %q", c.name, got)
			continue
		}
		wantFault(t, err, fault.Config, "/linux/cgroupsPath", c.want, 0)
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "/", "/a/b", "a", "..", "/a/../..", "x:y:z", "/\x00", "./."} {
		f.Add(s)
	}
	r := selfRoot(f, "0::/own\n")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := r.Path(s, "id")
		if err != nil {
			return
		}
		if !strings.HasPrefix(got, "/") || got == "/" || got != filepath.Clean(got) || strings.ContainsAny(got, "\x00\n") {
			t.Errorf("%q is the path %q", s, got)
		}
		if strings.HasPrefix(s, "/") && got != filepath.Clean(s) {
			t.Errorf("%q is the path %q", s, got)
		}
	})
}

func TestV2Path(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"0::/a/b\n", "/a/b"},
		{"5:cpu,cpuacct:/x\n1:name=systemd:/y\n0::/\n", "/"},
		{"0::/a:b::c\n", "/a:b::c"},
		{"10::/x\n", ""},
		{"0::/../../other\n", ""},
		{"4:memory:/x\n", ""},
		{"", ""},
	} {
		got, err := v2Path(c.text)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestFindRoot(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := findRoot(dir, dir+"/missing", dir+"/file")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "find cgroup v2 at "+dir+" or ", unix.ENOENT)
	if !strings.Contains(err.Error(), "brig knows no cgroup v1") {
		t.Error(err)
	}
	if err := os.Symlink("link", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	_, err = findRoot(dir + "/link")
	wantFault(t, err, fault.Host, "/linux/cgroupsPath", "look for cgroup v2 at ", unix.ELOOP)

	r, err := FindRoot()
	if err != nil {
		t.Skip(err)
	}
	defer r.Close()
	var st unix.Statfs_t
	if own, err := r.ownPath(); err != nil || !strings.HasPrefix(own, "/") {
		t.Errorf("brig's own cgroup is %q, %v", own, err)
	}
	if err := unix.Statfs(r.mount, &st); err != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		t.Errorf("%s has the magic %#x: %v", r.mount, st.Type, err)
	}
	// The other one is passed over, whatever it is.
	if again, err := findRoot(dir, r.mount); err != nil || again.mount != r.mount {
		t.Errorf("%+v, %v", again, err)
	} else {
		again.Close()
	}
}

func TestFilesStayInTheirGroup(t *testing.T) {
	dir := t.TempDir()
	r := fakeRoot(t, dir)
	for name, target := range map[string]string{"relative": "file", "absolute": "/etc/passwd", "up": "../file"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/file", []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, err := readAt(r.fd, "file"); text != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for name, want := range map[string]error{
		"relative": unix.ELOOP, "absolute": unix.ELOOP, "up": unix.ELOOP, "../" + filepath.Base(dir) + "/file": unix.EXDEV, "/etc/passwd": unix.EXDEV,
	} {
		if _, err := readAt(r.fd, name); !errors.Is(err, want) {
			t.Errorf("reading %s: %v, want %v", name, err, want)
		}
		if err := writeAt(r.fd, name, ""); !errors.Is(err, want) {
			t.Errorf("writing %s: %v, want %v", name, err, want)
		}
	}
}

func TestReadOfTooMuch(t *testing.T) {
	g := fake(t, map[string]string{"cgroup.procs": ""})
	if err := unix.Ftruncate(mustOpen(t, g, "cgroup.procs"), maxFile); err != nil {
		t.Fatal(err)
	}
	_, err := g.Pids()
	wantFault(t, err, fault.Host, "", "list the processes of the cgroup /fake", unix.EFBIG)
}

func mustOpen(t *testing.T, g *Group, name string) int {
	t.Helper()
	fd, err := openAt(g.fd, name, unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
