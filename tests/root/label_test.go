package root_test

import (
	"os"
	"testing"
)

// A host without the security module does not run what it should confine.
func TestLabelsRefused(t *testing.T) {
	for _, name := range []string{"/sys/module/apparmor", "/sys/fs/selinux/enforce"} {
		if _, err := os.Stat(name); err == nil {
			t.Skip("needs a kernel without security modules, but there is " + name)
		}
	}
	const noSELinux = "selinux label is specified in config, but selinux is disabled or not supported"
	refuse(t, []refusal{
		{name: "profile", patch: `{"process":{"apparmorProfile":"p"}}`, want: []string{"/process/apparmorProfile: apparmor: config provided but apparmor not supported"}},
		{name: "label", patch: `{"process":{"selinuxLabel":"a:b:c:s0"}}`, want: []string{"/process/selinuxLabel: " + noSELinux}},
		{name: "mount label", patch: `{"linux":{"mountLabel":"a:b:c:s0"}}`, want: []string{"/linux/mountLabel: " + noSELinux}},
		{name: "not a type of context", patch: `{"linux":{"mountLabel":"a:b:c:s0"},"annotations":{"run.oci.mount_context_type":"size"}}`, want: []string{`"size" is none of SELinux's mount options`}},
	})
	t.Run("exec", func(t *testing.T) {
		t.Parallel()
		b := sleeping(t, `{"process":{"apparmorProfile":""}}`)
		b.refused("/process/apparmorProfile: apparmor: config provided but apparmor not supported", "exec", "--apparmor", "p", b.id, "/bin/true")
		b.refused("/process/selinuxLabel: "+noSELinux, "exec", "--process-label", "a:b:c:s0", b.id, "/bin/true")
	})
}
