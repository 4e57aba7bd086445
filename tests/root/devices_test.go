package root_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// withUserNamespace maps the container's ids to some that nobody has.
const withUserNamespace = `{"linux":{
	"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"},{"type":"user"}],
	"uidMappings":[{"containerID":0,"hostID":700000,"size":65536}],
	"gidMappings":[{"containerID":0,"hostID":800000,"size":65536}]}}`

// devNode prints type, mode, owner and number of a node.
const devNode = `node() { stat -c '%n %F %a %u:%g %t,%T' "$@"; }; `

const defaultNodes = `/dev/null character special file 666 0:0 1,3
/dev/zero character special file 666 0:0 1,5
/dev/full character special file 666 0:0 1,7
/dev/tty character special file 666 0:0 5,0
/dev/random character special file 666 0:0 1,8
/dev/urandom character special file 666 0:0 1,9`

const lookAtDefaultNodes = devNode + "node /dev/null /dev/zero /dev/full /dev/tty /dev/random /dev/urandom"

// device lets the container's cgroup use a device, which its node alone does not.
func device(entry, rule string) func(b *box) {
	return func(b *box) {
		b.add("/linux/devices", entry)
		if rule != "" {
			b.add("/linux/resources/devices", rule)
		}
	}
}

func TestDevices(t *testing.T) {
	observe(t, []seen{
		{name: "default nodes", script: lookAtDefaultNodes, want: defaultNodes},
		{
			name: "they work", script: "echo x >/dev/null; head -c 2 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x 2>/dev/null >/dev/full || echo full",
			want: "2\n3\nfull",
		},
		{
			name:   "links",
			script: "for l in ptmx fd stdin stdout stderr; do readlink /dev/$l; done; echo through >/dev/stdout; ls /dev | tr '\\n' ' '",
			want: "pts/ptmx\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\nthrough\n" +
				"fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
		},
		{
			name: "default nodes in a user namespace", patch: withUserNamespace, script: lookAtDefaultNodes + " | sed 's/ [0-9:]* \\([0-9]*,[0-9]*\\)$/ \\1/'",
			want: `/dev/null character special file 666 1,3
/dev/zero character special file 666 1,5
/dev/full character special file 666 1,7
/dev/tty character special file 666 5,0
/dev/random character special file 666 1,8
/dev/urandom character special file 666 1,9`,
		},
		{
			name: "they work in a user namespace", patch: withUserNamespace, script: "echo x >/dev/null; head -c 2 /dev/zero | wc -c; readlink /dev/fd", want: "2\n/proc/self/fd",
		},
		{
			name: "character device", make: device(`{"path":"/dev/mem2","type":"c","major":1,"minor":3,"fileMode":416,"uid":7,"gid":8}`, ""),
			script: devNode + "node /dev/mem2; echo x >/dev/mem2", want: "/dev/mem2 character special file 640 7:8 1,3",
		},
		{
			name: "unbuffered device", make: device(`{"path":"/dev/u","type":"u","major":1,"minor":5}`, ""),
			script: devNode + "node /dev/u", want: "/dev/u character special file 666 0:0 1,5",
		},
		{
			name: "block device", make: device(`{"path":"/dev/disk","type":"b","major":7,"minor":200,"fileMode":384}`, ""),
			script: devNode + "node /dev/disk", want: "/dev/disk block special file 600 0:0 7,c8",
		},
		{
			name: "fifo", make: device(`{"path":"/dev/pipe","type":"p","fileMode":432,"gid":5}`, ""),
			script: devNode + "node /dev/pipe; echo through >/dev/pipe & cat /dev/pipe", want: "/dev/pipe fifo 660 0:5 0,0\nthrough",
		},
		{
			name: "below /dev", make: device(`{"path":"/dev/a/b/null","type":"c","major":1,"minor":3}`, ""),
			script: devNode + "node /dev/a/b/null", want: "/dev/a/b/null character special file 666 0:0 1,3",
		},
		{
			name: "outside /dev", make: device(`{"path":"/etc/null","type":"c","major":1,"minor":3,"fileMode":438}`, ""),
			script: devNode + "node /etc/null", want: "/etc/null character special file 666 0:0 1,3",
			after: func(b *box) {
				var st unix.Stat_t
				must(b.t, unix.Lstat(b.rootfs+"/etc/null", &st))
			},
		},
		{
			name: "in the root directory", make: device(`{"path":"/null","type":"c","major":1,"minor":3}`, ""),
			script: devNode + "node /null", want: "/null character special file 666 0:0 1,3",
		},
		{
			name: "in place of a default", make: device(`{"path":"/dev/full","type":"c","major":1,"minor":5,"fileMode":384}`, ""),
			script: devNode + "node /dev/full; ls /dev | grep -c full", want: "/dev/full character special file 600 0:0 1,5\n1",
		},
		{
			name: "there already", make: func(b *box) {
				b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
				must(b.t, unix.Mknod(b.rootfs+"/dev/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
			}, script: devNode + "node /dev/null", want: "/dev/null character special file 600 0:0 1,3",
		},
		{
			name: "a directory of the host on /dev", make: func(b *box) {
				write(b.t, b.dir+"/dev/marker", "")
				b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
				b.mount("/dev", "bind", b.dir+"/dev", "bind")
			}, script: "ls /dev", want: "marker",
		},
		{
			name: "a file of the host on a node", make: func(b *box) { b.mount("/dev/random", "bind", b.source()+"/file", "bind") },
			script: "cat /dev/random; stat -c %F /dev/urandom", want: "of the host\ncharacter special file",
		},
		{
			name: "device of the host in a user namespace", patch: withUserNamespace, make: device(`{"path":"/dev/fuse","type":"c","major":10,"minor":229}`, ""),
			script: "stat -c '%F %t,%T' /dev/fuse", want: "character special file a,e5",
		},
	})
	refuse(t, []refusal{
		{
			name: "another file is there", make: func(b *box) {
				b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
				write(b.t, b.rootfs+"/dev/null", "not a device")
			}, want: []string{"something else is already at /dev/null"},
		},
		{
			name: "another device is there", make: func(b *box) {
				b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
				must(b.t, unix.Mknod(b.rootfs+"/dev/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
			}, want: []string{"something else is already at /dev/null"},
		},
		{
			name: "a link is there", make: func(b *box) {
				b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
				must(b.t, os.Symlink("/etc/passwd", b.rootfs+"/dev/null"))
			}, want: []string{"/dev/null"},
		},
		{
			name: "the host has another device by that name", patch: withUserNamespace, make: device(`{"path":"/dev/fuse","type":"c","major":1,"minor":3}`, ""),
			want: []string{"/linux/devices/0", "the host's /dev/fuse is not the device 1:3"},
		},
	})
}

// fuse is a device that the kernel itself lets everybody open.
const fuse = `{"path":"/dev/fuse","type":"c","major":10,"minor":229}`

func TestDevicePolicy(t *testing.T) {
	mknod := `{"process":{"capabilities":{"bounding":["CAP_MKNOD"],"effective":["CAP_MKNOD"],"permitted":["CAP_MKNOD"]}}}`
	observe(t, []seen{
		{
			name: "what is not allowed cannot be opened", make: device(fuse, ""),
			script: "cat /dev/fuse 2>&1 | head -1", want: "cat: can't open '/dev/fuse': Operation not permitted",
		},
		{
			name: "what a rule allows can", make: device(fuse, `{"allow":true,"type":"c","major":10,"minor":229,"access":"r"}`),
			script: "true </dev/fuse && echo opened; (true >/dev/fuse) 2>/dev/null || echo refused", want: "opened\nrefused",
		},
		{
			name: "a node that the payload makes", patch: mknod, script: "mknod /tmp/fuse c 10 229; cat /tmp/fuse 2>&1 | cat",
			want: "cat: can't open '/tmp/fuse': Operation not permitted",
		},
		{
			name: "everything, if a rule says so", patch: mknod, make: device(fuse, `{"allow":true,"access":"rwm"}`),
			script: "mknod /tmp/fuse c 10 229 && true </tmp/fuse && echo opened", want: "opened",
		},
	})
}

func TestMasks(t *testing.T) {
	cover := func(paths string) string { return `{"linux":{"maskedPaths":[` + paths + `]}}` }
	fix := func(paths string) string { return `{"linux":{"readonlyPaths":[` + paths + `]}}` }
	files := func(b *box) {
		write(b.t, b.rootfs+"/etc/secret", "secret\n")
		write(b.t, b.rootfs+"/home/inner/file", "inner\n")
	}
	observe(t, []seen{
		{
			name: "file", patch: cover(`"/etc/secret"`), make: files, script: "wc -c </etc/secret; ! echo x 2>/dev/null >/etc/secret && echo refused; stat -c '%F %a' /etc/secret",
			want:  "0\nrefused\nregular empty file 444",
			after: func(b *box) { equal(b.t, reads(b.t, b.rootfs+"/etc/secret"), "secret\n") },
		},
		{
			name: "directory", patch: cover(`"/home"`), make: files, script: "ls -A /home | grep -v empty; ! touch /home/x 2>/dev/null && echo refused; stat -c '%F %a' /home",
			want: "refused\ndirectory 555",
		},
		{name: "missing", patch: cover(`"/not/there","/bin/busybox/below","/etc/secret"`), make: files, script: "wc -c </etc/secret", want: "0"},
		{
			name: "duplicate", patch: cover(`"/etc/secret","/etc/../etc/secret","/etc/secret/"`), make: files, script: "grep -c ' /etc/secret ' /proc/self/mountinfo", want: "1",
		},
		{
			name: "files of proc", patch: cover(`"/proc/version","/proc/self/status","/proc/tty"`), script: "wc -c </proc/version; wc -c </proc/1/status; ls /proc/tty | grep -v empty | wc -l",
			want: "0\n0\n0",
		},
		{
			name: "below a link", patch: cover(`"/link/secret"`), make: func(b *box) {
				files(b)
				must(b.t, os.Symlink("etc", b.rootfs+"/link"))
			}, script: "wc -c </etc/secret", want: "0",
		},
		{
			name: "options of a cover", patch: cover(`"/home","/etc/secret"`), make: files, script: options + "options /home; options /etc/secret",
			want: "ro,nosuid,nodev,noexec,relatime\nro,nosuid,nodev,noexec,relatime",
		},
		{
			name: "read-only file", patch: fix(`"/etc/secret"`), make: files, script: "cat /etc/secret; ! echo x 2>/dev/null >/etc/secret && echo refused", want: "secret\nrefused",
			after: func(b *box) { write(b.t, b.rootfs+"/etc/secret", "the host's stays writable") },
		},
		{
			name: "read-only directory", patch: fix(`"/home"`), make: files,
			script: "cat /home/inner/file; ! touch /home/inner/x 2>/dev/null && echo refused; touch /etc/x && echo done", want: "inner\nrefused\ndone",
		},
		{
			name: "read-only with a mount below", patch: fix(`"/data"`), make: func(b *box) { b.mount("/data", "bind", b.submount(), "rbind") },
			script: "cat /data/sub/deep; ! touch /data/sub/x 2>/dev/null && echo refused", want: "deep\nrefused",
		},
		{name: "read-only, missing", patch: fix(`"/not/there","/bin/busybox/x"`), script: "echo done", want: "done"},
		{name: "read-only, duplicate", patch: fix(`"/home","/home/"`), make: files, script: "grep -c ' /home ' /proc/self/mountinfo", want: "1"},
		{
			name: "read-only and masked", patch: `{"linux":{"maskedPaths":["/etc/secret"],"readonlyPaths":["/etc"]}}`, make: files,
			script: "wc -c </etc/secret; ! touch /etc/x 2>/dev/null && echo refused", want: "0\nrefused",
		},
		{
			name: "read-only part of proc", patch: fix(`"/proc/sys"`), script: "! echo x 2>/dev/null >/proc/sys/kernel/hostname && echo refused; cat /proc/sys/kernel/hostname",
			want: "refused\nbox",
		},
		{
			name: "read-only keeps the other options", patch: fix(`"/data"`), make: bind("/data", "bind", "nosuid", "nodev", "noexec", "noatime"),
			script: options + "options /data | tail -1", want: "ro,nosuid,nodev,noexec,noatime master",
		},
		{
			name: "masks in a user namespace", patch: withUserNamespace, make: func(b *box) {
				files(b)
				b.patch(cover(`"/etc/secret","/home"`))
			}, script: "wc -c </etc/secret; ls -A /home | grep -v empty | wc -l", want: "0\n0",
		},
	})
}
