package root_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// covered fills a directory with a file of each kind.
func covered(t *testing.T, dir string) {
	t.Helper()
	write(t, dir+"/file", "of the image\n")
	must(t, os.Chmod(dir+"/file", 0o640))
	must(t, os.Lchown(dir+"/file", 5, 6))
	write(t, dir+"/run", "")
	must(t, os.Lchown(dir+"/run", 7, 8))
	must(t, unix.Chmod(dir+"/run", 0o6755))
	mkdir(t, dir+"/sub", 0o755)
	write(t, dir+"/sub/deep", "deep\n")
	must(t, os.Symlink("/etc/none", dir+"/sub/link"))
	must(t, os.Lchown(dir+"/sub/link", 9, 10))
	must(t, unix.Mkfifo(dir+"/pipe", 0o620))
	must(t, unix.Chmod(dir+"/pipe", 0o620))
	must(t, unix.Mknod(dir+"/null", unix.S_IFCHR, int(unix.Mkdev(1, 3))))
	must(t, unix.Chmod(dir+"/null", 0o606))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: dir + "/sock"}))
	must(t, os.Lchown(dir+"/sub", 11, 12))
	must(t, unix.Chmod(dir+"/sub", 0o2710))
	must(t, os.Lchown(dir, 13, 14))
	must(t, unix.Chmod(dir, 0o1751))
}

const (
	tree     = `cd /data && find . | sort | xargs stat -c '%n %F %a %u:%g %t,%T'; cat file sub/deep; readlink sub/link; stat -f -c %T .`
	treeSays = `. directory 1751 13:14 0,0
./file regular file 640 5:6 0,0
./null character special file 606 0:0 1,3
./pipe fifo 620 0:0 0,0
./run regular empty file 6755 7:8 0,0
./sub directory 2710 11:12 0,0
./sub/deep regular file 644 0:0 0,0
./sub/link symbolic link 777 9:10 0,0
of the image
deep
/etc/none
tmpfs`
)

// dir is a directory of the root file system that is to be covered.
func coveredRoot(b *box) { covered(b.t, b.rootfs+"/data") }

func copyUp(options ...string) func(b *box) {
	return func(b *box) {
		coveredRoot(b)
		b.mount("/data", "tmpfs", "tmpfs", append([]string{"tmpcopyup"}, options...)...)
	}
}

func TestTmpCopyUp(t *testing.T) {
	observe(t, []seen{
		{
			name: "every kind of file", make: copyUp(), script: tree, want: treeSays,
			after: func(b *box) { equal(b.t, reads(b.t, b.rootfs+"/data/file"), "of the image\n") },
		},
		{name: "read-only afterwards", make: copyUp("ro"), script: "cat /data/file; ! touch /data/x 2>/dev/null && echo refused", want: "of the image\nrefused"},
		{name: "another mode and owner", make: copyUp("mode=0700", "uid=3", "gid=4"), script: "stat -c '%a %u:%g' /data", want: "700 3:4"},
		{
			name: "what is written stays in the container", make: copyUp(), script: "echo new >/data/file; rm /data/pipe; cat /data/file", want: "new",
			after: func(b *box) {
				equal(b.t, reads(b.t, b.rootfs+"/data/file"), "of the image\n")
				if _, err := os.Lstat(b.rootfs + "/data/pipe"); err != nil {
					b.t.Error(err)
				}
			},
		},
		{
			name: "a large file", make: func(b *box) {
				write(b.t, b.rootfs+"/data/large", string(bytes.Repeat([]byte("0123456789abcdef"), 1<<17)))
				b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
			}, script: "tail -c 16 /data/large; echo; stat -c %s /data/large", want: "0123456789abcdef\n2097152",
		},
		{
			name: "many files", make: func(b *box) {
				for i := range 500 {
					write(b.t, b.rootfs+"/data/"+string(rune('a'+i%26))+"/"+string(rune('a'+i/26)), "x")
				}
				b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
			}, script: "cat /data/*/* | wc -c", want: "500",
		},
		{name: "nothing there", make: func(b *box) { b.mount("/fresh/dir", "tmpfs", "tmpfs", "tmpcopyup") }, script: "ls -a /fresh/dir", want: ".\n.."},
		{
			name: "in a bind mount", make: func(b *box) {
				covered(b.t, b.dir+"/volume/inner/data")
				b.mount("/volume", "bind", b.dir+"/volume", "bind")
				b.mount("/volume/inner/data", "tmpfs", "tmpfs", "tmpcopyup")
			}, script: "cat /volume/inner/data/sub/deep", want: "deep",
		},
		{
			name: "in a new tmpfs", make: func(b *box) {
				coveredRoot(b)
				b.mount("/data", "tmpfs", "tmpfs")
				b.mount("/data/sub", "tmpfs", "tmpfs", "tmpcopyup")
			}, script: "ls -a /data/sub", want: ".\n..",
		},
		{
			name: "in a copied tmpfs", make: func(b *box) {
				copyUp()(b)
				b.mount("/data/sub", "tmpfs", "tmpfs", "tmpcopyup")
			}, script: "cat /data/sub/deep; grep -c ' /data' /proc/self/mountinfo", want: "deep\n2",
		},
		{
			name: "through a link", make: func(b *box) {
				coveredRoot(b)
				must(b.t, os.Symlink("/data", b.rootfs+"/link"))
				b.mount("/link", "tmpfs", "tmpfs", "tmpcopyup")
			}, script: "cat /data/sub/deep; stat -f -c %T /data", want: "deep\ntmpfs",
		},
		{
			name: "in a user namespace with mapped files", patch: withUserNamespace, make: func(b *box) {
				copyUp()(b)
				must(b.t, os.Remove(b.rootfs+"/data/null"))
				root := decode(b.t, `{"destination":"/","source":"rootfs","options":["rbind","idmap"]}`)
				b.config["mounts"] = append([]any{root}, b.config["mounts"].([]any)...)
			}, script: tree, want: strings.Replace(treeSays, "./null character special file 606 0:0 1,3\n", "", 1),
		},
	})
}

func TestTmpCopyUpRefusals(t *testing.T) {
	refuse(t, []refusal{
		{name: "a tmpfs that is too small", make: func(b *box) {
			write(b.t, b.rootfs+"/data/large", string(make([]byte, 1<<20)))
			b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=64k")
		}, want: []string{"/options", `copy what lies in "/data": sendfile`, "no space left"}},
		{name: "a directory that comes from elsewhere", make: func(b *box) {
			must(b.t, os.Symlink("/volume", b.rootfs+"/link"))
			write(b.t, b.rootfs+"/volume/inner/file", "of the image")
			write(b.t, b.dir+"/volume/inner/file", "of the volume")
			b.mount("/volume", "bind", b.dir+"/volume", "bind")
			b.mount("/link/inner", "tmpfs", "tmpfs", "tmpcopyup")
		}, want: []string{`what lies in "/link/inner" is not what was there when the start was planned`}},
		{name: "a directory that was not there", make: func(b *box) {
			must(b.t, os.Symlink("/volume", b.rootfs+"/link"))
			mkdir(b.t, b.rootfs+"/volume", 0o755)
			write(b.t, b.dir+"/volume/inner/file", "of the volume")
			b.mount("/volume", "bind", b.dir+"/volume", "bind")
			b.mount("/link/inner", "tmpfs", "tmpfs", "tmpcopyup")
		}, want: []string{`"/link/inner" is there now, and was not when the start was planned`}},
		{name: "a file", make: func(b *box) {
			write(b.t, b.rootfs+"/data", "")
			b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
		}, want: []string{"/options", `open "/data" to copy it`, "not a directory"}},
		{name: "a mount in it", make: func(b *box) {
			coveredRoot(b)
			b.hostMount("below", b.rootfs+"/data/sub", "tmpfs", 0)
			b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
		}, want: []string{"/options", `copy what lies in "/data"`, "cross-device"}},
	})
}
