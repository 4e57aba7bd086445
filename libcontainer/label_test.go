package libcontainer

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"brig/libcontainer/plan"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// podmanLooksFor is what podman takes for a fault of a security label: a file of
// /proc in back-quotes, which tells by its end what failed.
var podmanLooksFor = regexp.MustCompile("`/proc/[a-z0-9-].+/attr.*`")

// The label goes to the real file of the real process. A kernel without the security
// module, as this one may be, refuses it, and the error is one that podman knows.
func TestLabelsReachTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a container is made")
	}
	if selinuxEnabled() || appArmorEnabled() {
		t.Skip("needs a kernel that refuses all labels; this one has a security module")
	}
	for _, c := range [...]struct {
		name, want string
		edit       func(s *specs.Spec)
	}{
		{
			"SELinux", "/process/selinuxLabel: set `/proc/thread-self/attr/exec`: write: EINVAL: ",
			func(s *specs.Spec) { s.Process.SelinuxLabel = "system_u:system_r:container_t:s0:c312,c575" },
		},
		{
			"AppArmor", "/process/apparmorProfile: set `/proc/thread-self/attr/apparmor/exec`: openat2 ",
			func(s *specs.Spec) { s.Process.ApparmorProfile = "docker-default" },
		},
	} {
		for _, users := range [...]bool{false, true} {
			s := spec.Example(spec.ExampleHost{NoUserNamespace: !users})
			s.Root.Path = t.TempDir()
			if users {
				s.Mounts[0].Source = s.Root.Path
			}
			c.edit(s)
			r := &Runtime{Root: t.TempDir()}
			err := r.Create(&CreateOptions{
				ID: "labels", Bundle: Bundle{Dir: s.Root.Path, Spec: s}, Stdio: [3]int{0, 1, 2},
				host: func(h *plan.Host) { h.AppArmor, h.SELinux = true, true },
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, user namespace %v: %v", c.name, users, err)
				continue
			}
			if found := podmanLooksFor.FindString(err.Error()); !strings.HasSuffix(found, "/exec`") {
				t.Errorf("podman would not know %q", err)
			}
			if left, _ := os.ReadDir(r.Root); len(left) > 0 {
				t.Errorf("%s: left %v", c.name, left)
			}
		}
	}
}

// Without the security module the payload would run without its confinement.
func TestLabelsOfNoModule(t *testing.T) {
	if selinuxEnabled() || appArmorEnabled() {
		t.Skip("needs a kernel without AppArmor and SELinux")
	}
	for want, edit := range map[string]func(s *specs.Spec){
		"/process/selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported": func(s *specs.Spec) { s.Process.SelinuxLabel = "a:b:c:s0" },
		"/linux/mountLabel: selinux label is specified in config, but selinux is disabled or not supported":     func(s *specs.Spec) { s.Linux.MountLabel = "a:b:c:s0" },
		"/process/apparmorProfile: apparmor: config provided but apparmor not supported":                        func(s *specs.Spec) { s.Process.ApparmorProfile = "unconfined" },
	} {
		s := spec.Example(spec.ExampleHost{NoUserNamespace: true})
		s.Root.Path = t.TempDir()
		edit(s)
		r := &Runtime{Root: t.TempDir()}
		err := r.Create(&CreateOptions{ID: "labels", Bundle: Bundle{Dir: s.Root.Path, Spec: s}, Stdio: [3]int{0, 1, 2}})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
