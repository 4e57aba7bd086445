package errors_test

import (
	"os"
	"strings"
	"testing"
)

const allow = `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}`

func wrapped(role string, args ...string) func(*testing.T, *world) {
	return func(_ *testing.T, w *world) { w.role, w.wrapArgs = role, args }
}

// TestDeniedCalls runs brig on a kernel, or in a container, that refuses one
// system call: the error names the step, and what was made before it is undone.
func TestDeniedCalls(t *testing.T) {
	// The filter that the row itself is under is there before brig's.
	kernel := "this kernel is too old"
	var table []row
	for _, c := range [...]struct {
		call string
		want want
	}{
		{"memfd_create=ENOSYS", want{op: "memfd_create for the stage", errno: "ENOSYS"}},
		{"memfd_create=EACCES", want{op: "memfd_create for the stage", errno: "EACCES", hint: "vm.memfd_noexec"}},
		{"socketpair=EPERM", want{op: "socketpair for the stage", errno: "EPERM"}},
		{"bpf=EPERM", want{pointer: "/linux/resources/devices", op: "load the device program", errno: "EPERM"}},
		{"open_tree=ENOSYS", want{pointer: "/root/path", op: `open the root file system: open_tree "`, errno: "ENOSYS", hint: kernel}},
		{"open_tree=EPERM", want{pointer: "/root/path", op: `open the root file system: open_tree "`, errno: "EPERM"}},
		{"mount_setattr=ENOSYS", want{pointer: "/root/path", op: "open the root file system: mount_setattr", errno: "ENOSYS", hint: kernel}},
		{"mount_setattr=EPERM", want{pointer: "/root/path", op: "mount_setattr", errno: "EPERM"}},
		{"clone3=ENOSYS", want{pointer: "/linux/namespaces", op: "create init: clone3", errno: "ENOSYS", hint: kernel}},
		{"clone3=EPERM", want{pointer: "/linux/namespaces", op: "create init: clone3", errno: "EPERM"}},
		{"clone3=EAGAIN", want{pointer: "/linux/namespaces", op: "create init: clone3", errno: "EAGAIN", hint: "pids.max of the cgroup"}},
		{"clone3=ENOSPC", want{pointer: "/linux/namespaces", op: "create init: clone3", errno: "ENOSPC", hint: "user.max_*_namespaces"}},
		{"fsopen=ENOSYS", want{pointer: "/linux/maskedPaths", op: `create the tree that covers masked paths: fsopen "tmpfs"`, errno: "ENOSYS", hint: kernel}},
		{"fsopen=EPERM", want{pointer: "/linux/maskedPaths", op: "fsopen", errno: "EPERM"}},
		{"fsconfig=EINVAL", want{pointer: "/linux/maskedPaths", op: "fsconfig", errno: "EINVAL"}},
		{"fsmount=EPERM", want{pointer: "/linux/maskedPaths", op: "fsmount", errno: "EPERM"}},
		// What is attached first depends on the kernel: the root, or before 6.15 the
		// cover of masked paths.
		{"move_mount=ENOSYS", want{op: "move_mount", errno: "ENOSYS", hint: kernel}},
		{"move_mount=EPERM", want{op: "move_mount", errno: "EPERM"}},
		{"openat2=ENOSYS", want{errno: "ENOSYS"}},
		{"openat2=EPERM", want{errno: "EPERM"}},
		{"sethostname=EPERM", want{pointer: "/hostname", op: `set the host name: sethostname "errors"`, errno: "EPERM"}},
		{"unshare=EPERM", want{pointer: "/linux/namespaces/5", op: "unshare", errno: "EPERM"}},
		{"pivot_root=ENOSYS", want{pointer: "/root/path", op: "enter the root file system: pivot_root", errno: "ENOSYS"}},
		{"pivot_root=EINVAL", want{pointer: "/root/path", op: "enter the root file system: pivot_root", errno: "EINVAL"}},
		{"umount2=EBUSY", want{pointer: "/root/path", op: "enter the root file system: umount2", errno: "EBUSY"}},
		{"close_range=ENOSYS", want{op: "prepare the stage: close_range", errno: "ENOSYS", hint: kernel}},
	} {
		table = append(table, row{name: c.call, prepare: wrapped(roleDeny, c.call), want: c.want})
	}
	// What comes after the word to go on is the error of run, and of start.
	for _, c := range [...]struct {
		call string
		want want
	}{
		{"keyctl=EDQUOT", want{op: "join a new session keyring", errno: "EDQUOT"}},
		{"setgroups=EPERM", want{pointer: "/process/user/additionalGids", op: "set the supplementary groups", errno: "EPERM"}},
		{"capset=EPERM", want{pointer: "/process/capabilities", op: "set the capabilities", errno: "EPERM"}},
		{"seccomp=ENOMEM", want{pointer: "/linux/seccomp", op: "load the filter", errno: "ENOMEM"}},
	} {
		for _, verb := range [...]string{"run", "start"} {
			table = append(table, row{name: c.call, patch: allow, verb: verb, prepare: wrapped(roleDeny, c.call), want: c.want})
		}
	}
	check(t, table)
}

// TestHost is about what else a host can refuse.
func TestHost(t *testing.T) {
	user := func(patch string) string {
		return `{"hostname": "", "linux": {"maskedPaths": [], "readonlyPaths": [], "namespaces": ` + userNS +
			`, "uidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}]}` + patch + `}`
	}
	check(t, []row{
		{
			name: "no executable memfds", prepare: func(t *testing.T, w *world) {
				if _, err := os.Stat("/proc/sys/vm/memfd_noexec"); err != nil {
					t.Skipf("needs vm.memfd_noexec, of Linux 6.3: %v", err)
				}
				wrapped(roleNoExec)(t, w)
			},
			want: want{op: "memfd_create for the stage", errno: "EACCES", hint: "vm.memfd_noexec=2 forbids that"},
		},
		{
			name: "hard limit cannot be raised", patch: `{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 1}]}}`, prepare: wrapped(roleWeak),
			want: want{pointer: "/process/rlimits/0", op: "raise RLIMIT_CORE: prlimit64", errno: "EPERM", hint: "raising a hard limit needs CAP_SYS_RESOURCE"},
		},
		{
			name: "more files than the kernel has", patch: `{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1152921504606846976}]}}`,
			want: want{pointer: "/process/rlimits/0", op: "raise RLIMIT_NOFILE: prlimit64", errno: "EPERM"},
		},
		{
			name: "oom_score_adj cannot be lowered", patch: `{"process": {"oomScoreAdj": -1000}}`, prepare: wrapped(roleWeak),
			want: want{pointer: "/process/oomScoreAdj", op: "write oom_score_adj", errno: "EACCES"},
		},
		{
			name: "proc for a user namespace where the host's is covered", patch: user(""), prepare: wrapped(roleCovered),
			want: want{pointer: "/mounts/0", op: `create the proc for "/proc": `, errno: "EPERM", hint: "only where the host's own are fully visible"},
		},
	})
}

// TestFewFiles: with too few fds nothing works, but all is said and all is undone.
func TestFewFiles(t *testing.T) {
	needRoot(t)
	ran := false
	for limit := 4; limit <= 30 && !ran; limit++ {
		t.Run(itoa(limit), func(t *testing.T) {
			w := newWorld(t)
			w.config(t, &row{patch: `{"process": {"rlimits": []}}`})
			w.role, w.wrapArgs = roleFiles, []string{itoa(limit)}
			before := look(t)
			out := w.run(t, "run", "--bundle", w.bundle, w.id)
			if ran = out.status == 0; ran {
				return
			}
			text := lastLine(t, out.stderr)
			if !strings.Contains(text, "EMFILE: too many open files") {
				t.Errorf("%q does not say EMFILE", text)
			}
			w.role = ""
			if got := w.containers(t); len(got) > 0 {
				t.Errorf("the state directory holds %q", got)
			}
			checkLeft(t, before)
		})
	}
	if !ran {
		t.Error("30 fds are not enough")
	}
}
