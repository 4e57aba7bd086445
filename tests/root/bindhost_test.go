package root_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// A recursive bind mount of a directory of the host that leads to the container's own
// root, or to what its root lies in, shows what the host has there and none of the
// container's mounts: else there would be a second view of them, without the masks.
func TestBindOfTheHostHoldsNothingOfTheContainer(t *testing.T) {
	for _, whose := range []string{"root", "an ordinary user"} {
		for _, hooks := range []string{`{}`, `{"hooks":{"createRuntime":[{"path":"/bin/true"}]}}`} {
			t.Run(whose+" "+hooks, func(t *testing.T) {
				t.Parallel()
				b := boxOf(t, whose, hooks, `{"linux":{"maskedPaths":["/proc/keys"]},"root":{"readonly":true}}`)
				mkdir(t, b.rootfs+"/host", 0o755)
				mkdir(t, b.rootfs+"/near", 0o755)
				b.mount("/host", "bind", "/", "rbind", "rslave")
				b.mount("/near", "bind", filepath.Dir(b.bundle), "rbind", "rslave")
				host := filepath.Base(busybox)
				got := b.run("test -e /host" + busybox + " && echo " + host + "; ls -d /host" + b.rootfs + "/proc/* /near/" +
					filepath.Base(b.bundle) + "/rootfs/proc/* 2>/dev/null; " +
					"cut -d ' ' -f 5 /proc/self/mountinfo | grep -E '^/(host|near).*" + filepath.Base(b.rootfs) + "'; true")
				if got = strings.TrimSpace(got); got != host {
					t.Errorf("%s", got)
				}
			})
		}
	}
}
