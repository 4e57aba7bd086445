package root_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// source makes a directory of the host with a file in it, and returns its name.
func (b *box) source() string {
	b.t.Helper()
	write(b.t, b.dir+"/source/file", "of the host\n")
	return b.dir + "/source"
}

// submount makes a directory of the host with a tmpfs mounted in it.
func (b *box) submount() string {
	b.t.Helper()
	dir := b.source()
	mkdir(b.t, dir+"/sub", 0o755)
	b.hostMount("sub", dir+"/sub", "tmpfs", 0)
	write(b.t, dir+"/sub/deep", "deep\n")
	return dir
}

// bind mounts the source on a destination.
func bind(destination string, options ...string) func(b *box) {
	return func(b *box) { b.mount(destination, "bind", b.source(), options...) }
}

func TestBind(t *testing.T) {
	observe(t, []seen{
		{
			name: "directory", make: bind("/data", "bind"), script: options + "cat /data/file; options /data",
			want: "of the host\nrw,relatime master",
		},
		{
			name: "type none", make: func(b *box) { b.mount("/data", "none", b.source(), "bind") }, script: "cat /data/file", want: "of the host",
		},
		{
			name: "file on a missing file", make: func(b *box) { b.mount("/etc/new", "bind", b.source()+"/file", "bind") },
			script: "cat /etc/new; stat -c '%F %a' /etc/new", want: "of the host\nregular file 644",
			after: func(b *box) {
				info, err := os.Lstat(b.rootfs + "/etc/new")
				must(b.t, err)
				if !info.Mode().IsRegular() || info.Size() != 0 {
					b.t.Errorf("the target is %v", info)
				}
			},
		},
		{
			name: "file on a file", make: func(b *box) {
				write(b.t, b.rootfs+"/etc/old", "of the image\n")
				b.mount("/etc/old", "bind", b.source()+"/file", "bind")
			}, script: "cat /etc/old", want: "of the host",
			after: func(b *box) { equal(b.t, reads(b.t, b.rootfs+"/etc/old"), "of the image\n") },
		},
		{
			name: "missing target, deep", make: bind("/one/two/three/four", "bind"), script: "cat /one/two/three/four/file; stat -c %a:%u:%g /one/two",
			want: "of the host\n755:0:0",
		},
		{
			name: "missing file, deep", make: func(b *box) { b.mount("/one/two/file", "bind", b.source()+"/file", "bind") },
			script: "cat /one/two/file", want: "of the host",
		},
		{
			name: "target that is not clean", make: bind("//one/../data/./", "bind"), script: "cat /data/file", want: "of the host",
		},
		{
			name: "through a link inside the root", make: func(b *box) {
				mkdir(b.t, b.rootfs+"/real", 0o755)
				must(b.t, os.Symlink("/real", b.rootfs+"/link"))
				b.mount("/link", "bind", b.source(), "bind")
			}, script: "cat /real/file", want: "of the host",
		},
		{
			name: "through a link that leads up and out", make: func(b *box) {
				mkdir(b.t, b.rootfs+"/home/inner", 0o755)
				must(b.t, os.Symlink("../../../../../../home", b.rootfs+"/link"))
				b.mount("/link/inner", "bind", b.source(), "bind")
			}, script: "cat /home/inner/file", want: "of the host",
		},
		{
			name: "relative source", make: func(b *box) {
				write(b.t, b.bundle+"/beside/file", "of the bundle\n")
				b.mount("/data", "bind", "beside", "bind")
			}, script: "cat /data/file", want: "of the bundle",
		},
		{
			name: "read-only", make: bind("/data", "bind", "ro"), script: options + "options /data; ! touch /data/x 2>/dev/null && echo refused",
			want:  "ro,relatime master\nrefused",
			after: func(b *box) { write(b.t, b.source()+"/still", "the source stays writable") },
		},
		{
			name: "rw after ro", make: bind("/data", "bind", "ro", "rw"), script: "touch /data/x && echo done", want: "done",
		},
		{
			name: "nosuid nodev noexec", make: bind("/data", "bind", "nosuid", "nodev", "noexec"), script: options + "options /data",
			want: "rw,nosuid,nodev,noexec,relatime master",
		},
		{
			name: "noatime nodiratime", make: bind("/data", "bind", "noatime", "nodiratime"), script: options + "options /data",
			want: "rw,noatime,nodiratime master",
		},
		{
			name: "strictatime", make: bind("/data", "bind", "strictatime"), script: options + "options /data", want: "rw master",
		},
		{
			name: "nosymfollow", make: func(b *box) {
				dir := b.source()
				must(b.t, os.Symlink("file", dir+"/link"))
				b.mount("/data", "bind", dir, "bind", "nosymfollow")
			}, script: "! cat /data/link 2>/dev/null && echo refused", want: "refused",
		},
		{
			name: "bind without submounts", make: func(b *box) { b.mount("/data", "bind", b.submount(), "bind") }, script: "ls /data/sub; cat /data/file",
			want: "of the host",
		},
		{
			name: "rbind with submounts", make: func(b *box) { b.mount("/data", "bind", b.submount(), "rbind") },
			script: options + "cat /data/sub/deep; options /data/sub", want: "deep\nrw,relatime master",
		},
		{
			name: "rbind ro leaves submounts", make: func(b *box) { b.mount("/data", "bind", b.submount(), "rbind", "ro") },
			script: "touch /data/sub/x && echo done; ! touch /data/x 2>/dev/null && echo refused", want: "done\nrefused",
		},
		{
			name: "order of the list", make: func(b *box) {
				b.mount("/data", "tmpfs", "tmpfs")
				b.mount("/data/inner", "bind", b.source(), "bind")
				b.mount("/data/inner/more", "tmpfs", "tmpfs")
				mkdir(b.t, b.source()+"/more", 0o755)
			}, script: "cat /data/inner/file; grep -c ' /data' /proc/self/mountinfo", want: "of the host\n3",
		},
	})
}

func TestMountRefused(t *testing.T) {
	reserved := func(name string) refusal {
		return refusal{
			name: name + " is a link", make: func(b *box) {
				must(b.t, os.RemoveAll(b.rootfs+name))
				must(b.t, os.Symlink("/etc", b.rootfs+name))
			}, want: []string{"/mounts/", name, "ELOOP"},
		}
	}
	refuse(t, []refusal{
		{
			name: "twice on one place", make: func(b *box) {
				b.mount("/data", "tmpfs", "first")
				b.mount("/data/.", "tmpfs", "second")
			}, want: []string{"/mounts/8/destination"},
		},
		{name: "a directory on a file", make: bind("/bin/busybox", "bind"), want: []string{"/mounts/7", "EINVAL"}},
		{
			name: "a file on a directory", make: func(b *box) { b.mount("/home", "bind", b.source()+"/file", "bind") }, want: []string{"/mounts/7", "EINVAL"},
		},
		{name: "below a file", make: bind("/bin/busybox/below", "bind"), want: []string{"/mounts/7", "ENOTDIR"}},
		{name: "no source", make: func(b *box) { b.mount("/data", "bind", "/not/there", "bind") }, want: []string{"/mounts/7/source", "ENOENT"}},
		{name: "no such option of tmpfs", make: func(b *box) { b.mount("/data", "tmpfs", "t", "no=such") }, want: []string{"/mounts/7/options", "EINVAL"}},
		{name: "no such file system", make: func(b *box) { b.mount("/data", "nofs", "nofs") }, want: []string{"/mounts/7", "ENODEV"}},
		{
			name: "a dangling link", make: func(b *box) {
				must(b.t, os.Symlink("/not/there", b.rootfs+"/link"))
				b.mount("/link/below", "bind", b.source(), "bind")
			}, want: []string{"/mounts/7"},
		},
		{
			name: "a magic link", make: func(b *box) { b.mount("/proc/1/fd/3", "bind", b.source(), "bind") }, want: []string{"/mounts/7"},
		},
		reserved("/proc"),
		reserved("/sys"),
		reserved("/dev"),
	})
}

func TestBindPropagation(t *testing.T) {
	for word, want := range map[string]string{
		"private": "rw,relatime", "slave": "rw,relatime master", "shared": "rw,relatime shared master", "unbindable": "rw,relatime unbindable",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			dir := b.submount()
			b.mount("/data", "bind", dir, "rbind", word)
			b.mount("/all", "bind", dir, "rbind", "r"+word)
			// One word covers the top only; what lies below keeps following the host.
			equal(t, b.run(options+"options /data; options /all; options /all/sub"), want+"\n"+want+"\n"+want)
		})
	}
	t.Run("shared, with a shared root", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, `{"linux":{"rootfsPropagation":"shared"}}`)
		b.mount("/data", "bind", b.submount(), "rbind", "rshared")
		equal(t, b.run(options+"options /data; options /data/sub"), "rw,relatime shared\nrw,relatime shared")
	})
	t.Run("shared, with a shared root, in a user namespace", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, withUserNamespace, `{"linux":{"rootfsPropagation":"shared"}}`)
		mkdir(t, b.rootfs+"/data", 0o755)
		b.mount("/data", "bind", b.submount(), "rbind", "rshared")
		equal(t, b.run(options+"options /data; options /data/sub"), "rw,relatime shared master\nrw,relatime shared master")
	})
	t.Run("a mount of the host arrives", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		dir := b.source()
		mkdir(t, dir+"/late", 0o755)
		b.mount("/data", "bind", dir, "rbind", "rslave")
		b.args("/bin/sh", "-c", "while [ ! -e /data/late/x ]; do sleep 0.01; done")
		b.create()
		b.hostMount("late", dir+"/late", "tmpfs", 0)
		write(t, dir+"/late/x", "")
		b.ok("start", b.id)
		b.wait()
		b.ok("delete", b.id)
	})
	t.Run("a mount of the container stays inside", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, `{"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN"],"effective":["CAP_SYS_ADMIN"],"permitted":["CAP_SYS_ADMIN"]}}}`)
		b.mount("/data", "bind", b.source(), "rbind")
		equal(t, b.run("mkdir /data/in && mount -t tmpfs in /data/in && touch /data/in/x && ls /data/in"), "x")
		if _, err := os.Stat(b.dir + "/source/in/x"); err == nil {
			t.Error("the host sees a mount of the container")
		}
	})
}

func TestFileSystems(t *testing.T) {
	observe(t, []seen{
		{
			name: "default set", script: kind + "for p in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do kind $p; done",
			want: "proc proc\ntmpfs tmpfs\ndevpts devpts\ntmpfs shm\nmqueue mqueue\nsysfs sysfs\ncgroup2 cgroup",
		},
		{
			name: "options of the default set", script: options + "for p in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do options $p; done",
			want: "rw,nosuid,nodev,noexec,relatime\nrw,nosuid\nrw,nosuid,noexec,relatime\nrw,nosuid,nodev,noexec,relatime\n" +
				"rw,nosuid,nodev,noexec,relatime\nro,nosuid,nodev,noexec,relatime\nro,nosuid,nodev,noexec,relatime",
		},
		{
			name: "tmpfs with size and mode", make: func(b *box) {
				b.mount("/data", "tmpfs", "tmpfs", "size=64k", "mode=0711", "nr_inodes=9", "uid=7", "gid=8")
			},
			script: "stat -c %a:%u:%g /data; dd if=/dev/zero of=/data/x bs=1k count=100 2>/dev/null; stat -c %s /data/x", want: "711:7:8\n65536",
		},
		{
			name: "tmpfs inherits the mode", make: func(b *box) {
				mkdir(b.t, b.rootfs+"/keep", 0o750)
				b.mount("/keep", "tmpfs", "tmpfs")
				b.mount("/tmp", "tmpfs", "tmpfs")
				b.mount("/fresh", "tmpfs", "tmpfs")
			}, script: "stat -c %a /keep /tmp /fresh", want: "750\n1777\n755",
		},
		{
			name: "read-only tmpfs with a mount in it", make: func(b *box) {
				b.mount("/data", "tmpfs", "tmpfs", "ro")
				b.mount("/data/inner", "bind", b.source(), "bind")
			}, script: options + "options /data; cat /data/inner/file; ! touch /data/x 2>/dev/null && echo refused", want: "ro,relatime\nof the host\nrefused",
		},
		{
			name: "proc is the container's", script: "echo /proc/[0-9]*; readlink /proc/self | grep -c .", want: "/proc/1\n1",
		},
		{
			name: "proc with hidepid", make: func(b *box) { b.mount("/data", "proc", "proc", "hidepid=2") },
			script: "grep ' /data ' /proc/self/mountinfo | grep -c hidepid=invisible", want: "1",
		},
		{
			name: "devpts is its own", script: "ls /dev/pts; stat -c '%F %a' /dev/ptmx /dev/pts/ptmx", want: "ptmx\nsymbolic link 777\ncharacter special file 666",
		},
		{
			name: "mqueue", script: "touch /dev/mqueue/q && cat /dev/mqueue/q", want: "QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     ",
		},
		{
			name: "cgroup shows the own cgroup as the root", script: "cat /proc/self/cgroup | grep '^0:'; cat /sys/fs/cgroup/cgroup.procs | head -1", want: "0::/\n1",
		},
		{
			name: "cgroup for writing", make: func(b *box) { b.mount("/data", "cgroup", "cgroup", "rw", "nosuid") },
			script: "mkdir /data/child && ls -d /data/child", want: "/data/child",
		},
		{
			name: "cgroup2 by its own name", make: func(b *box) { b.mount("/data", "cgroup2", "cgroup2") }, script: kind + "kind /data", want: "cgroup2 cgroup2",
		},
		{
			name: "overlay", make: func(b *box) {
				write(b.t, b.dir+"/lower/a", "lower\n")
				mkdir(b.t, b.dir+"/upper", 0o755)
				mkdir(b.t, b.dir+"/work", 0o755)
				b.mount("/data", "overlay", "overlay", "lowerdir="+b.dir+"/lower", "upperdir="+b.dir+"/upper", "workdir="+b.dir+"/work")
			}, script: kind + "cat /data/a; echo upper >/data/b; kind /data", want: "lower\noverlay overlay",
			after: func(b *box) { equal(b.t, reads(b.t, b.dir+"/upper/b"), "upper\n") },
		},
		{
			name: "sync and dirsync", make: func(b *box) { b.mount("/data", "tmpfs", "tmpfs", "sync", "dirsync") },
			script: "grep ' /data ' /proc/self/mountinfo | grep -c 'rw,sync,dirsync'", want: "1",
		},
	})
}

func TestRootMount(t *testing.T) {
	observe(t, []seen{
		{name: "writable", script: options + "touch /x && options /", want: "rw,relatime master"},
		{
			name: "read-only", patch: `{"root":{"readonly":true}}`, script: options + "options /; ! touch /x 2>/dev/null && echo refused",
			want:  "ro,relatime master\nrefused",
			after: func(b *box) { write(b.t, b.rootfs+"/still", "the host's stays writable") },
		},
		{
			name: "read-only with missing targets", patch: `{"root":{"readonly":true},"process":{"cwd":"/not/there"}}`, make: bind("/one/two", "bind"),
			script: "cat /one/two/file; pwd", want: "of the host\n/not/there",
		},
		{
			name: "absolute path", make: func(b *box) { b.patch(`{"root":{"path":"` + b.rootfs + `"}}`) }, script: "echo done", want: "done",
		},
		{
			name: "through a link of the host", make: func(b *box) {
				must(b.t, os.Symlink("rootfs", b.bundle+"/link"))
				b.patch(`{"root":{"path":"link"}}`)
			}, script: "echo done", want: "done",
		},
		{
			name: "a mount point", make: func(b *box) {
				mkdir(b.t, b.dir+"/root", 0o755)
				b.hostMount("root", b.dir+"/root", "tmpfs", unix.MS_NODEV)
				makeRootfs(b.t, b.dir+"/root")
				b.patch(`{"root":{"path":"` + b.dir + `/root"}}`)
			}, script: options + "options /", want: "rw,nodev,relatime master",
		},
		{
			name: "with a mount in it", make: func(b *box) {
				mkdir(b.t, b.rootfs+"/vol", 0o755)
				b.hostMount("vol", b.rootfs+"/vol", "tmpfs", 0)
				write(b.t, b.rootfs+"/vol/x", "in the volume\n")
			}, script: "cat /vol/x", want: "in the volume",
		},
		{
			name: "without pivot_root", flags: "--no-pivot", script: "cat /proc/self/root/proc/1/comm; ls -d /home; cd /..; pwd", want: "sh\n/home\n/",
		},
		{
			name: "no mount of the host is in sight", script: `awk '$5 !~ /^\/(proc|dev|sys)/ && $5 != "/" { print }' /proc/self/mountinfo; ` +
				`awk '$5 == "/"' /proc/self/mountinfo | wc -l; ls -a /..  | tr '\n' ' '`,
			want: "1\n. .. bin dev etc home proc sys tmp ",
		},
	})
}

func TestRootPropagation(t *testing.T) {
	rows := []seen{}
	for _, c := range [...][2]string{
		{"", "master"},
		{"private", ""},
		{"rprivate", ""},
		{"slave", "master"},
		{"rslave", "master"},
		{"shared", "shared master"},
		{"rshared", "shared master"},
		{"unbindable", "unbindable"},
		{"runbindable", "unbindable"},
	} {
		want := "rw,relatime"
		if c[1] != "" {
			want += " " + c[1]
		}
		rows = append(rows, seen{name: "is " + c[0], patch: `{"linux":{"rootfsPropagation":"` + c[0] + `"}}`, script: options + "options /", want: want})
	}
	observe(t, rows)
}

// What is mounted below a bind mount gets the recursive attributes too.
func TestRecursiveAttributes(t *testing.T) {
	b := newBox(t)
	source := b.source()
	mkdir(t, source+"/below", 0o755)
	b.hostMount("below", source+"/below", "tmpfs", 0)
	for options, want := range map[string]string{
		"rbind":                    "rw rw",
		"rbind,ro":                 "ro rw",
		"rbind,rro":                "ro ro",
		"rbind,ro,rrw":             "rw rw",
		"rbind,rro,rnosuid,rnodev": "ro,nosuid,nodev ro,nosuid,nodev",
		"rbind,rnoexec,rnoatime":   "rw,noexec,noatime rw,noexec,noatime",
		"rbind,nosuid,rsuid":       "rw rw",
		"rbind,rnosymfollow":       "rw,nosymfollow rw,nosymfollow",
	} {
		b.config["mounts"] = append(baseMounts(t), map[string]any{"destination": "/data", "source": source, "options": strings.Split(options, ",")})
		got := b.run(`grep " /data" /proc/self/mountinfo | cut -d" " -f6 | sed "s/,relatime//" | tr "\\n" " " | sed "s/ $//"`)
		if equal(t, got, want); t.Failed() {
			t.Fatalf("with %s", options)
		}
	}
	b.config["mounts"] = append(baseMounts(t), map[string]any{"destination": "/data", "source": source, "options": []string{"rbind", "rro"}})
	equal(t, b.run("touch /data/below/x 2>&1; true"), "touch: /data/below/x: Read-only file system")
}

// baseMounts are those of the tests' config.
func baseMounts(t *testing.T) []any {
	t.Helper()
	return decode(t, reads(t, "testdata/config.json")).(map[string]any)["mounts"].([]any)
}
