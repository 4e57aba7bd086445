package root_test

import (
	"os"
	"testing"
)

// The kernel lists the mounts in the order of the config, bind mounts among the others,
// whoever opens their sources. Linux 6.8 and later list them as they were made, and not as
// they were attached.
func TestMountsAreListedInOrder(t *testing.T) {
	for _, whose := range []string{"root", "an ordinary user"} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			b := boxOf(t, whose)
			must(t, os.MkdirAll(b.dir+"/source", 0o755))
			b.mount("/1", "tmpfs", "tmpfs")
			b.mount("/2", "bind", b.source(), "rbind", "ro")
			b.mount("/3", "tmpfs", "tmpfs")
			b.mount("/4", "bind", b.source(), "bind", "rprivate")
			b.mount("/2/5", "tmpfs", "tmpfs")
			mkdir(t, b.dir+"/source/5", 0o755)
			equal(t, b.run("cut -d ' ' -f 5 /proc/self/mountinfo | grep '^/[1-5]'"), "/1\n/2\n/3\n/4\n/2/5")
		})
	}
}
