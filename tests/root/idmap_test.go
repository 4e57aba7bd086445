package root_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// owned is a directory of the host with a file of user 5 and group 6, on the file system
// of the box (a tmpfs has mapped ids since Linux 6.3 only), and a mount below with a file
// of user 7 and group 8. Both are in reach of nobody else by their modes.
func (b *box) owned() string {
	b.t.Helper()
	dir := b.dir + "/owned"
	mkdir(b.t, dir, 0o755)
	b.hostMount(dir, dir, "", unix.MS_BIND)
	write(b.t, dir+"/file", "top\n")
	must(b.t, os.Lchown(dir+"/file", 5, 6))
	must(b.t, os.Chmod(dir, 0o777))
	mkdir(b.t, b.rootfs+"/data", 0o755)
	mkdir(b.t, dir+"/sub", 0o755)
	mkdir(b.t, b.dir+"/deep", 0o755)
	b.hostMount(b.dir+"/deep", dir+"/sub", "", unix.MS_BIND)
	write(b.t, dir+"/sub/file", "deep\n")
	must(b.t, os.Lchown(dir+"/sub/file", 7, 8))
	return dir
}

func mapped(options ...string) func(b *box) {
	return func(b *box) { b.mount("/data", "none", b.owned(), options...) }
}

const owners = "stat -c %u:%g /data/file; stat -c %u:%g /data/sub/file 2>/dev/null; true"

func TestIDMappedMounts(t *testing.T) {
	withMaps := func(options ...string) func(b *box) {
		return func(b *box) {
			b.add("/mounts", fmt.Sprintf(`{"destination":"/data","source":%q,"options":["%s"],
				"uidMappings":[{"containerID":0,"hostID":1000,"size":100}],"gidMappings":[{"containerID":0,"hostID":2000,"size":100}]}`, b.owned(), strings.Join(options, `","`)))
		}
	}
	observe(t, []seen{
		{name: "not mapped", make: mapped("rbind"), script: owners, want: "5:6\n7:8"},
		{name: "by its mappings", make: withMaps("rbind", "idmap"), script: owners, want: "1005:2006\n7:8"},
		{name: "by its mappings without a word", make: withMaps("rbind"), script: owners, want: "1005:2006\n7:8"},
		{name: "with what is below", make: withMaps("rbind", "ridmap"), script: owners, want: "1005:2006\n1007:2008"},
		{
			name: "what is made belongs to the id of the file system", make: withMaps("bind"), patch: `{"process":{"user":{"uid":1009,"gid":2009}}}`,
			script: "touch /data/new; stat -c %u:%g /data/new", want: "1009:2009",
			after: func(b *box) {
				var st unix.Stat_t
				must(b.t, unix.Stat(b.dir+"/owned/new", &st))
				equal(b.t, fmt.Sprint(st.Uid, st.Gid), "9 9")
			},
		},
		{
			name: "by the option", make: mapped("bind", "idmap=uids=5-77-1;gids=0-0-1#6-66-2"), script: owners, want: "77:66",
		},
		{name: "ids without a mapping", make: mapped("bind", "idmap=uids=0-0-1;gids=6-6-1"), script: owners, want: "65534:6"},
		{
			name: "two mounts of one mapping", make: func(b *box) {
				mapped("bind", "idmap=uids=5-77-1;gids=6-66-2")(b)
				b.mount("/more", "none", b.dir+"/owned/sub", "bind", "idmap=uids=5-77-1;gids=6-66-2")
				b.mount("/other", "none", b.dir+"/owned/sub", "bind", "idmap=uids=7-78-1;gids=6-66-2")
			}, script: "stat -c %u:%g /data/file /more/file /other/file", want: "77:66\n65534:65534\n78:65534",
		},
		{
			name: "the root file system", make: func(b *box) {
				must(b.t, os.Lchown(b.rootfs+"/tmp", 5, 6))
				b.config["mounts"] = append([]any{decode(b.t, `{"destination":"/","source":"rootfs","options":["rbind","idmap=uids=0-0-5#5-77-1;gids=0-0-6#6-66-1"]}`)}, b.config["mounts"].([]any)...)
			}, script: "stat -c %u:%g / /tmp", want: "0:0\n77:66",
		},
		{
			name: "the map of the user namespace", patch: withUserNamespace, make: mapped("rbind", "idmap"), script: owners, want: "5:6\n65534:65534",
		},
		{
			name: "the map of the user namespace, all below", patch: withUserNamespace, make: mapped("rbind", "ridmap"), script: owners, want: "5:6\n7:8",
		},
		{
			name: "another map in a user namespace", patch: withUserNamespace, make: mapped("bind", "idmap=uids=@5-50-1;gids=6-800060-1"), script: owners, want: "50:60",
		},
	})
}

// A new tmpfs is mapped as others are, since Linux 6.3; before, the error says so.
func TestIDMappedTmpfs(t *testing.T) {
	b := newBox(t, `{"process":{"user":{"uid":1003,"gid":2004}}}`)
	b.mount("/data", "tmpfs", "tmpfs", "idmap=uids=0-1000-10;gids=0-2000-10", "mode=1777")
	if kernelBefore(t, 6, 3) {
		r := b.try("true")
		if want := "map the ids"; r.code == 0 || !strings.Contains(r.err, want) || !strings.Contains(r.err, "tmpfs does since Linux 6.3") {
			t.Errorf("exit %d, and no %q in %s", r.code, want, r.err)
		}
		b.checkNothingLeft()
		return
	}
	equal(t, b.run("touch /data/new; stat -c %u:%g /data /data/new"), "1000:2000\n1003:2004")
}

// kernelBefore tells an older kernel than this one.
func kernelBefore(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	must(t, unix.Uname(&name))
	var is, of int
	_, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &is, &of)
	must(t, err)
	return is < major || is == major && of < minor
}

// The map is that of the namespace, whatever the config knows of it.
func TestIDMapOfJoinedNamespace(t *testing.T) {
	other := newBox(t, withUserNamespace)
	other.create()
	defer other.ok("delete", "--force", other.id)
	b := newBox(t)
	b.add("/linux/namespaces", fmt.Sprintf(`{"type":"user","path":"/proc/%d/ns/user"}`, other.look().Pid))
	root := decode(t, `{"destination":"/","source":"rootfs","options":["bind","idmap"]}`)
	b.config["mounts"] = append([]any{root}, b.config["mounts"].([]any)...)
	mapped("rbind", "idmap")(b)
	equal(t, b.run("stat -c %u:%g /; "+owners), "0:0\n5:6\n65534:65534")
}

func TestIDMapRefusals(t *testing.T) {
	refuse(t, []refusal{
		{
			name: "a file system that cannot be mapped", make: func(b *box) { b.mount("/data", "none", "/proc/sys", "bind", "idmap=uids=0-1-1;gids=0-1-1") },
			want: []string{"/mounts/", "map the ids of the bind mount", "invalid argument"},
		},
		{name: "no mapping", make: mapped("bind", "idmap"), want: []string{"/options", "the container's user namespace, and /linux/namespaces has none"}},
	})
}

// Nothing is left of a start that fails when the namespaces for its mounts are there.
func TestIDMapLeavesNothing(t *testing.T) {
	b := newBox(t)
	mapped("bind", "idmap=uids=0-1-1;gids=0-1-1")(b)
	b.mount("/gone", "none", b.dir+"/gone", "bind")
	r := b.try("true")
	if r.code == 0 {
		t.Fatal("it runs")
	}
	b.checkNothingLeft()
}
