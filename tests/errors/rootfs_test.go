package errors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// tree breaks the root file system: each change is a path below it and what
// becomes of it: "-" removes it, "->TARGET" is a symbolic link, "dir" and "file"
// say what they make.
func tree(changes ...string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		for i := 0; i+1 < len(changes); i += 2 {
			name, what := filepath.Join(w.rootfs, changes[i]), changes[i+1]
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
			mkdir(t, filepath.Dir(name))
			switch what {
			case "-":
			case "dir":
				mkdir(t, name)
			case "file":
				write(t, name, "text\n", 0o644)
			default:
				if err := os.Symlink(what[len("->"):], name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func and(list ...func(*testing.T, *world)) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		for _, f := range list {
			f(t, w)
		}
	}
}

// outside is a directory of the host that a link of the root file system names.
// Nothing may ever appear in it.
func outside(t *testing.T, w *world) {
	t.Helper()
	mkdir(t, w.dir+"/outside")
}

func outsideIsEmpty(t *testing.T, w *world) {
	t.Helper()
	entries, err := os.ReadDir(w.dir + "/outside")
	if err != nil || len(entries) > 0 {
		t.Errorf("the directory outside the root holds %v, %v", entries, err)
	}
}

// TestRoot is about the root file system itself.
func TestRoot(t *testing.T) {
	check(t, []row{
		{name: "missing", patch: `{"root": {"path": "none"}}`, want: want{pointer: "/root/path", op: "open the root file system: open_tree", errno: "ENOENT"}},
		{name: "a component is a file", patch: `{"root": {"path": "config.json/x"}}`, want: want{pointer: "/root/path", op: "open the root file system: open_tree", errno: "ENOTDIR"}},
		{name: "a file", patch: `{"root": {"path": "config.json"}}`, want: want{pointer: "/root/path", op: "attach the root file system: move_mount", errno: "EINVAL", hint: "a directory cannot be mounted on a file"}},
		{name: "name too long", patch: `{"root": {"path": "` + long(300) + `"}}`, want: want{pointer: "/root/path", op: "open_tree", errno: "ENAMETOOLONG"}},
		{name: "link loop", prepare: and(tree(".", "-"), func(t *testing.T, w *world) {
			if err := os.Symlink("rootfs", w.rootfs); err != nil {
				t.Fatal(err)
			}
		}), want: want{pointer: "/root/path", op: "open_tree", errno: "ELOOP"}},
	})
}

// TestReserved is about links of the root file system where brig mounts what the
// container's confinement rests on (CVE-2019-19921 and its kin). An image with
// such a link could have the mounts, and what is written below them, elsewhere.
func TestReserved(t *testing.T) {
	var table []row
	for _, c := range [...]struct{ path, pointer string }{{"/proc", "/mounts/0"}, {"/dev", "/mounts/1"}, {"/sys", "/mounts/5"}} {
		for _, link := range [...][2]string{{"absolute", "->/home"}, {"relative", "->home"}, {"dangling", "->none"}, {"to itself", "->" + c.path}, {"up", "->../../../outside"}} {
			op := `"` + c.path + `" must be`
			table = append(table, row{
				name: "link at " + c.path + ", " + link[0], prepare: and(outside, tree(c.path, link[1])),
				want: want{pointer: c.pointer, op: op, errno: "ELOOP"}, after: outsideIsEmpty,
			})
		}
		table = append(table, row{
			name: "file at " + c.path, prepare: tree(c.path, "file"),
			want: want{pointer: c.pointer, op: "link or file of the root file system stands there", errno: "ELOOP"},
		})
	}
	noDev := `{"mounts": [{"destination": "/dev/pts", "type": "devpts", "source": "devpts"}]}`
	volume := `{"mounts": [{"destination": "/home", "type": "tmpfs"}, {"destination": "/proc", "type": "proc"}]}`
	table = append(
		table,
		row{name: "link at /dev/pts", patch: noDev, prepare: tree("/dev/pts", "->../home"), want: want{pointer: "/mounts/0", op: `"/dev/pts" must be a directory`, errno: "ELOOP"}},
		row{name: "link above /dev/pts", patch: noDev, prepare: tree("/dev", "->home"), want: want{pointer: "/mounts/0", errno: "ELOOP"}},
		row{name: "link at /proc to a volume", patch: volume, prepare: tree("/proc", "->home"), want: want{pointer: "/mounts/1", op: `"/proc" must be mounted on ordinary directory`, errno: "ELOOP"}},
		row{name: "link at /dev without a mount", patch: `{"mounts": []}`, prepare: tree("/dev", "->home"), want: want{op: `"/dev" must be a directory`, errno: "ELOOP"}},
		row{name: "file at /dev without a mount", patch: `{"mounts": []}`, prepare: tree("/dev", "file"), want: want{op: `"/dev" must be a directory`, errno: "ELOOP"}},
	)
	check(t, table)
}

// TestMountTargets is about mounts and what they meet.
func TestMountTargets(t *testing.T) {
	mount := func(text string) string { return `{"mounts": [` + text + `]}` }
	check(t, []row{
		{
			name: "source missing", patch: mount(`{"destination": "/tmp", "source": "/none", "options": ["rbind"]}`),
			want: want{pointer: "/mounts/0/source", op: `open the source of the bind mount: open_tree "/none"`, errno: "ENOENT"},
		},
		{
			name: "relative source missing", patch: mount(`{"destination": "/tmp", "source": "none", "options": ["bind"]}`),
			want: want{pointer: "/mounts/0/source", op: `bundle/none"`, errno: "ENOENT"},
		},
		{
			name: "directory on a file", patch: mount(`{"destination": "/etc/passwd", "source": "/tmp", "options": ["bind"]}`),
			want: want{pointer: "/mounts/0", op: `mount "/tmp" on "/etc/passwd": move_mount`, errno: "EINVAL", hint: "a directory cannot be mounted on a file"},
		},
		{
			name: "file on a directory", patch: mount(`{"destination": "/tmp", "source": "config.json", "options": ["bind"]}`),
			want: want{pointer: "/mounts/0", op: `on "/tmp": move_mount`, errno: "EINVAL", hint: "a directory cannot be mounted on a file"},
		},
		{
			name: "tmpfs on a file", patch: mount(`{"destination": "/etc/passwd", "type": "tmpfs", "source": "tmpfs"}`),
			want: want{pointer: "/mounts/0", op: `mount tmpfs on "/etc/passwd": `, errno: "EINVAL"},
		},
		{
			name: "target below a file", patch: mount(`{"destination": "/etc/passwd/x", "type": "tmpfs", "source": "tmpfs"}`),
			want: want{pointer: "/mounts/0", op: `mount tmpfs on "/etc/passwd/x": openat2 "etc/passwd/x"`, errno: "ENOTDIR"},
		},
		{
			name: "target is a link loop", patch: mount(`{"destination": "/loop/x", "type": "tmpfs", "source": "tmpfs"}`), prepare: tree("loop", "->loop"),
			want: want{pointer: "/mounts/0", op: `openat2 "loop/x"`, errno: "ELOOP", hint: "a chain of links has no end"},
		},
		{
			name: "target below a dangling link", patch: mount(`{"destination": "/link/x", "type": "tmpfs", "source": "tmpfs"}`), prepare: and(outside, tree("link", "->../../../outside/x")),
			want: want{pointer: "/mounts/0", op: `mount tmpfs on "/link/x": openat2 "link"`, errno: "ENOTDIR"}, after: outsideIsEmpty,
		},
		{
			name: "target through a magic link", patch: `{"mounts": [{"destination": "/proc", "type": "proc"}, {"destination": "/link/x", "type": "tmpfs", "source": "tmpfs"}]}`,
			prepare: tree("link", "->/proc/self/cwd"), want: want{pointer: "/mounts/1", op: `mount tmpfs on "/link/x": openat2 "link/x"`, errno: "ELOOP"},
		},
		{
			name: "target name too long", patch: mount(`{"destination": "/` + long(256) + `", "type": "tmpfs", "source": "tmpfs"}`),
			want: want{pointer: "/mounts/0", op: "mount tmpfs on", errno: "ENAMETOOLONG"},
		},
		{
			name: "target on a read-only mount", patch: mount(`{"destination": "/sys", "type": "sysfs", "source": "sysfs"}, {"destination": "/sys/none", "type": "tmpfs"}`),
			want: want{pointer: "/mounts/1", op: `mount tmpfs on "/sys/none": mkdirat "none"`, errno: "EPERM"},
		},
		{
			name: "unknown file system", patch: mount(`{"destination": "/tmp", "type": "nofs", "source": "nofs"}`),
			want: want{pointer: "/mounts/0", op: `create the nofs for "/tmp": fsopen "nofs"`, errno: "ENODEV"},
		},
		{
			name: "unknown option of a file system", patch: mount(`{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "colour=red"]}`),
			want: want{pointer: "/mounts/0/options", op: `set the options of the tmpfs for "/tmp": fsconfig "colour" "red"`, errno: "EINVAL"},
		},
		{
			name: "bad value of an option", patch: mount(`{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=many"]}`),
			want: want{pointer: "/mounts/0/options", op: `fsconfig "size" "many"`, errno: "EINVAL"},
		},
		{
			name: "flag without its value", patch: mount(`{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size"]}`),
			want: want{pointer: "/mounts/0/options", op: `fsconfig "size"`, errno: "EINVAL"},
		},
		{
			name: "overlay without its layers", patch: mount(`{"destination": "/tmp", "type": "overlay", "source": "overlay"}`),
			want: want{pointer: "/mounts/0", op: `create the overlay for "/tmp": fsconfig`, errno: "EINVAL"},
		},
		{
			name: "overlay with a missing layer", patch: mount(`{"destination": "/tmp", "type": "overlay", "source": "overlay", "options": ["lowerdir=/none:/tmp"]}`),
			want: missingLayer(t),
		},
		{
			name: "ext4 on what is no device", patch: mount(`{"destination": "/tmp", "type": "ext4", "source": "/dev/null"}`),
			want: want{pointer: "/mounts/0", op: `create the ext4 for "/tmp": fsconfig`, errno: "ENOTBLK"},
		},
	})
}

// missingLayer: an overlay has parameters of its own since Linux 6.5. Before, the kernel
// looks at them when all are there, and nobody knows which it was.
func missingLayer(t *testing.T) want {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if major < 6 || major == 6 && minor < 5 {
		return want{pointer: "/mounts/0", op: `create the overlay for "/tmp": fsconfig`, errno: "ENOENT"}
	}
	return want{pointer: "/mounts/0/options", op: `fsconfig "lowerdir" "/none:/tmp"`, errno: "ENOENT"}
}

// TestPaths is about devices, masks and the rest of what /linux names in the
// root file system.
func TestPaths(t *testing.T) {
	device := func(text string) string { return `{"mounts": [], "linux": {"devices": [` + text + `]}}` }
	null := func(t *testing.T, w *world) {
		if err := unix.Mknod(w.rootfs+"/dev/x", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err != nil {
			t.Fatal(err)
		}
	}
	fuse := `{"type": "c", "path": "/dev/x", "major": 10, "minor": 229}`
	check(t, []row{
		{name: "device over a file", patch: device(fuse), prepare: tree("dev/x", "file"), want: want{pointer: "/linux/devices/0", op: "something else is already at /dev/x", errno: "ENXIO"}},
		{name: "device over a directory", patch: device(fuse), prepare: tree("dev/x", "dir"), want: want{pointer: "/linux/devices/0", op: "something else is already at /dev/x", errno: "ENXIO"}},
		{name: "device over a link", patch: device(fuse), prepare: tree("dev/x", "->null"), want: want{pointer: "/linux/devices/0", op: "something else is already at /dev/x", errno: "ENXIO"}},
		{name: "device over another device", patch: device(fuse), prepare: null, want: want{pointer: "/linux/devices/0", op: "something else is already at /dev/x", errno: "ENXIO"}},
		{
			name: "fifo over a file", patch: device(`{"type": "p", "path": "/dev/x"}`), prepare: tree("dev/x", "file"),
			want: want{pointer: "/linux/devices/0", op: "something else is already at /dev/x", errno: "EEXIST"},
		},
		{name: "default device over a file", patch: `{"mounts": []}`, prepare: tree("dev/null", "file"), want: want{op: "something else is already at /dev/null", errno: "ENXIO"}},
		{
			name: "device below a file", patch: device(`{"type": "c", "path": "/etc/passwd/x", "major": 1, "minor": 3}`),
			want: want{pointer: "/linux/devices/0", op: `make /etc/passwd/x: openat2 "etc/passwd"`, errno: "ENOTDIR"},
		},
		{
			name: "device below a link loop", patch: device(`{"type": "c", "path": "/loop/x", "major": 1, "minor": 3}`), prepare: tree("loop", "->loop"),
			want: want{pointer: "/linux/devices/0", op: `make /loop/x: openat2 "loop"`, errno: "ELOOP"},
		},
		{
			name: "device of a host that has none, in a user namespace", patch: `{"hostname": "", "mounts": [], "linux": {"namespaces": ` + userNS +
				`, "uidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}], "devices": [{"type": "c", "path": "/dev/none", "major": 10, "minor": 229}]}}`,
			want: want{pointer: "/linux/devices/0", op: `open the host's /dev/none: open_tree "/dev/none"`, errno: "ENOENT"},
		},
		{
			name: "device of the host that is another one", patch: `{"hostname": "", "mounts": [], "linux": {"namespaces": ` + userNS +
				`, "uidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}], "devices": [{"type": "c", "path": "/dev/null", "major": 1, "minor": 5}]}}`,
			want: want{pointer: "/linux/devices/0", op: "the host's /dev/null is not the device 1:5", errno: "ENXIO"},
		},
		{
			name: "masked path in a link loop", patch: `{"linux": {"maskedPaths": ["/loop/x"]}}`, prepare: tree("loop", "->loop"),
			want: want{pointer: "/linux/maskedPaths/0", op: `mask "/loop/x": openat2 "loop/x"`, errno: "ELOOP"},
		},
		{
			name: "masked path behind a magic link", patch: `{"linux": {"maskedPaths": ["/link/etc"]}}`, prepare: tree("link", "->/proc/self/cwd"),
			want: want{pointer: "/linux/maskedPaths/0", op: `openat2 "link/etc"`, errno: "ELOOP"},
		},
		{
			name: "read-only path in a link loop", patch: `{"linux": {"readonlyPaths": ["/loop"]}}`, prepare: tree("loop", "->loop"),
			want: want{pointer: "/linux/readonlyPaths/0", op: `make "/loop" read-only: openat2 "loop"`, errno: "ELOOP"},
		},
	})
}

// TestPayload is about the working directory and the executable.
func TestPayload(t *testing.T) {
	arg := func(name string) string { return `{"process": {"args": ["` + name + `", "x"]}}` }
	cwd := func(name string) string { return `{"process": {"cwd": "` + name + `"}}` }
	check(t, []row{
		{name: "cwd is a file", patch: cwd("/etc/passwd"), want: want{pointer: "/process/cwd", op: `make sure that the working directory exists: openat2 "etc/passwd"`, errno: "ENOTDIR"}},
		{name: "cwd below a file", patch: cwd("/etc/passwd/x"), want: want{pointer: "/process/cwd", op: `openat2 "etc/passwd/x"`, errno: "ENOTDIR"}},
		{name: "cwd is a link loop", patch: cwd("/loop"), prepare: tree("loop", "->loop"), want: want{pointer: "/process/cwd", op: `openat2 "loop"`, errno: "ELOOP"}},
		{name: "cwd through an fd", patch: cwd("/proc/self/fd/7"), want: want{pointer: "/process/cwd", op: `openat2 "proc/self/fd/7"`, errno: "ELOOP"}},
		{name: "cwd through a link to an fd", patch: cwd("/link"), prepare: tree("link", "->/proc/self/fd/3/.."), want: want{pointer: "/process/cwd", op: `openat2 "link"`, errno: "ELOOP"}},
		{name: "cwd through the root of a process", patch: cwd("/proc/1/root"), want: want{pointer: "/process/cwd", op: `openat2 "proc/1/root"`, errno: "ELOOP"}},
		{name: "cwd name too long", patch: cwd("/" + long(256)), want: want{pointer: "/process/cwd", errno: "ENAMETOOLONG"}},
		{name: "program missing", patch: arg("/none"), want: want{pointer: "/process/args/0", op: `exec: "/none"`, errno: "ENOENT"}},
		{name: "program not in PATH", patch: arg("none"), want: want{pointer: "/process/args/0", op: `exec: "none": executable file not found in $PATH`, errno: "ENOENT"}},
		{name: "program not executable", patch: arg("/etc/passwd"), want: want{pointer: "/process/args/0", op: `exec: "/etc/passwd"`, errno: "EACCES"}},
		{name: "program not executable in PATH", patch: `{"process": {"args": ["passwd"], "env": ["PATH=/etc"]}}`, want: want{pointer: "/process/args/0", op: `exec: "passwd"`, errno: "EACCES"}},
		{name: "program is a directory", patch: arg("/bin"), want: want{pointer: "/process/args/0", op: `exec: "/bin"`, errno: "EACCES"}},
		{name: "program is empty", patch: arg(""), want: want{pointer: "/process/args/0", op: `exec: ""`, errno: "ENOENT"}},
		{name: "program below a file", patch: arg("/etc/passwd/x"), want: want{pointer: "/process/args/0", op: `exec: "/etc/passwd/x"`, errno: "ENOENT"}},
		{name: "program is a link loop", patch: arg("/loop"), prepare: tree("loop", "->loop"), want: want{pointer: "/process/args/0", op: `look up the executable: openat2 "loop"`, errno: "ELOOP"}},
		{name: "program in the working directory", patch: arg("./true"), want: want{pointer: "/process/args/0", op: `exec: "./true"`, errno: "ENOENT"}},
		{name: "no format, run", patch: arg("/bin/text"), prepare: program("text"), verb: "run", want: want{pointer: "/process/args/0", op: `exec: "/bin/text": execve`, errno: "ENOEXEC"}},
		{name: "no format, start", patch: arg("/bin/text"), prepare: program("text"), verb: "start", want: want{pointer: "/process/args/0", op: `exec: "/bin/text"`, errno: "ENOEXEC"}},
		{name: "interpreter missing, run", patch: arg("/bin/text"), prepare: program("#!/none\n"), verb: "run", want: want{pointer: "/process/args/0", op: `exec: "/bin/text": execve`, errno: "ENOENT"}},
		{name: "interpreter missing, start", patch: arg("/bin/text"), prepare: program("#!/none\n"), verb: "start", want: want{pointer: "/process/args/0", op: `exec: "/bin/text"`, errno: "ENOENT"}},
	})
}

func program(text string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		write(t, w.rootfs+"/bin/text", text, 0o755)
	}
}
