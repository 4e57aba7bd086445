package root_test

import (
	"os"
	"testing"
)

// linked is a directory of the host with a link in it that leads to a file of the
// container.
func (b *box) linked() string {
	b.t.Helper()
	write(b.t, b.rootfs+"/etc/there", "of the image\n")
	write(b.t, b.dir+"/links/plain", "of the host\n")
	if err := os.Symlink("/etc/there", b.dir+"/links/link"); !os.IsExist(err) {
		must(b.t, err)
	}
	return b.dir + "/links/"
}

func TestLinksOfMounts(t *testing.T) {
	observe(t, []seen{
		{
			name: "a copied link", make: func(b *box) { b.mount("/one/two/link", "bind", b.linked()+"link", "bind", "copy-symlink") },
			script: "readlink /one/two/link; cat /one/two/link; grep -c two /proc/self/mountinfo; true", want: "/etc/there\nof the image\n0",
		},
		{
			name: "a copied link that is there", make: func(b *box) {
				must(b.t, os.Symlink("/etc/there", b.rootfs+"/link"))
				b.mount("/link", "bind", b.linked()+"link", "bind", "copy-symlink")
			}, script: "readlink /link", want: "/etc/there",
		},
		{
			name: "no link to copy", make: func(b *box) { b.mount("/file", "bind", b.linked()+"plain", "bind", "copy-symlink") },
			script: "cat /file", want: "of the host",
		},
		{
			name: "a link is the source", make: func(b *box) { b.mount("/link", "bind", b.linked()+"link", "bind", "src-nofollow") },
			script: "readlink /link; cat /link; grep -c /link /proc/self/mountinfo", want: "/etc/there\nof the image\n1",
		},
		{
			name: "a link is the destination", make: func(b *box) {
				must(b.t, os.Symlink("/etc/there", b.rootfs+"/link"))
				b.mount("/link", "bind", b.linked()+"plain", "bind", "dest-nofollow")
			}, script: "cat /link /etc/there", want: "of the host\nof the image",
		},
		{
			name: "a link above the destination", make: func(b *box) {
				must(b.t, os.Symlink("/etc", b.rootfs+"/link"))
				b.mount("/link/there", "bind", b.linked()+"plain", "bind", "dest-nofollow")
			}, script: "cat /etc/there", want: "of the host",
		},
		{
			name: "both are links", make: func(b *box) {
				must(b.t, os.Symlink("/none", b.rootfs+"/link"))
				b.mount("/link", "bind", b.linked()+"link", "bind", "src-nofollow", "dest-nofollow")
			}, script: "readlink /link; cat /link", want: "/etc/there\nof the image",
		},
	})
}

func TestLinksOfMountsRefusals(t *testing.T) {
	refuse(t, []refusal{
		{name: "another link stands there", make: func(b *box) {
			must(b.t, os.Symlink("/etc/therx", b.rootfs+"/link"))
			b.mount("/link", "bind", b.linked()+"link", "bind", "copy-symlink")
		}, want: []string{`something else than the symbolic link to "/etc/there" stands at "/link"`}},
		{name: "a longer link stands there", make: func(b *box) {
			must(b.t, os.Symlink("/etc/there/", b.rootfs+"/link"))
			b.mount("/link", "bind", b.linked()+"link", "bind", "copy-symlink")
		}, want: []string{"something else"}},
		{name: "a file stands there", make: func(b *box) {
			write(b.t, b.rootfs+"/link", "")
			b.mount("/link", "bind", b.linked()+"link", "bind", "copy-symlink")
		}, want: []string{"something else"}},
		{name: "nothing is the source", make: func(b *box) { b.mount("/link", "bind", b.dir+"/none", "bind", "copy-symlink") }, want: []string{"/source", "no such file"}},
		{name: "a directory on a link", make: func(b *box) {
			must(b.t, os.Symlink("/etc", b.rootfs+"/link"))
			b.mount("/link", "bind", b.source(), "bind", "dest-nofollow")
		}, want: []string{"move_mount", "a directory cannot be mounted on a file"}},
	})
}
