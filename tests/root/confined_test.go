package root_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// leak opens fds that brig inherits.
func (b *box) leak(n int) {
	b.t.Helper()
	for range n {
		f, err := os.Open("/")
		must(b.t, err)
		b.t.Cleanup(func() { f.Close() })
		b.files = append(b.files, f)
	}
}

// beyondStdio prints the fds of the payload but 0, 1 and 2. What it uses is built
// into the shell, so that no fd is the script's own.
const beyondStdio = "i=3; while [ $i -lt 1200 ]; do [ -e /proc/1/fd/$i ] && echo $i; i=$((i+1)); done; [ -e /proc/1/fd/2 ] && echo end"

func TestFDs(t *testing.T) {
	for _, n := range []int{0, 100, 1000} {
		t.Run(fmt.Sprintf("run with %d leaked", n), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.leak(n)
			equal(t, b.run(beyondStdio), "end")
		})
	}
	t.Run("create and start with 100 leaked", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.leak(100)
		b.mount("/out", "bind", b.source(), "bind")
		b.args("/bin/sh", "-c", "("+beyondStdio+") >/out/fds")
		b.create()
		b.ok("start", b.id)
		b.wait()
		b.ok("delete", b.id)
		equal(t, reads(t, b.dir+"/source/fds"), "end\n")
	})
}

func TestPayloadIsClean(t *testing.T) {
	observe(t, []seen{
		{name: "its executable is the image's", script: "readlink /proc/1/exe; cat /proc/1/comm; true", want: "/bin/busybox\nsh"},
		{name: "its mappings are its own", script: "grep memfd /proc/1/maps; true", want: ""},
		{name: "its command line", script: "true; head -c 8 /proc/1/cmdline | tr '\\0' ' '", want: "/bin/sh "},
		{name: "its parent is not in sight", script: "awk '/^PPid/' /proc/1/status", want: "PPid:\t0"},
		// Signals 32 and 33 are the C library's own: a caller may have them ignored.
		{name: "it catches and ignores no signal", script: "cat /proc/self/status | grep -E '^Sig(Blk|Ign)' | sed 's/00000000[8]0000000$/0000000000000000/; s/0000000[13][80]0000000$/0000000000000000/'", want: "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000"},
		{name: "it is alone", script: "true; echo /proc/[0-9]*; ls /sys/fs/cgroup/cgroup.procs >/dev/null; wc -l </sys/fs/cgroup/cgroup.procs", want: "/proc/1\n1"},
		{name: "no file of the host is open", script: "true; for f in 0 1 2; do readlink /proc/1/fd/$f | cut -d: -f1; done", want: "pipe\npipe\npipe"},
	})
}

func TestStdio(t *testing.T) {
	t.Run("in, out and err", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.stdin = "line one\nline two\n"
		r := b.try("cat; echo to stderr >&2")
		equal(t, r.out+r.err, "line one\nline two\nto stderr\n")
	})
	t.Run("a megabyte through", func(t *testing.T) {
		t.Parallel()
		b := newBox(t)
		b.stdin = strings.Repeat("0123456789abcdef", 1<<16)
		b.args("/bin/cat")
		if r := b.start(); r.out != b.stdin || r.code != 0 {
			t.Errorf("exit %d, %d bytes, stderr %q", r.code, len(r.out), r.err)
		}
	})
}

func TestSeccomp(t *testing.T) {
	profile := func(action, names, more string) string {
		return fmt.Sprintf(`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[%s],"action":%q%s}]}}}`, names, action, more)
	}
	skipWithoutSeccomp(t)
	observe(t, []seen{
		{name: "mode", patch: profile("SCMP_ACT_ERRNO", `"mkdir","mkdirat"`, ""), script: "grep ^Seccomp /proc/self/status", want: "Seccomp:\t2\nSeccomp_filters:\t1"},
		{name: "EPERM", patch: profile("SCMP_ACT_ERRNO", `"mkdir","mkdirat"`, ""), script: "mkdir /tmp/x 2>&1; true", want: "mkdir: can't create directory '/tmp/x': Operation not permitted"},
		{
			name: "another errno", patch: profile("SCMP_ACT_ERRNO", `"mkdir","mkdirat"`, `,"errnoRet":30`), script: "mkdir /tmp/x 2>&1; true",
			want: "mkdir: can't create directory '/tmp/x': Read-only file system",
		},
		{name: "kill", patch: profile("SCMP_ACT_KILL_PROCESS", `"mkdir","mkdirat"`, ""), script: "exec 2>/dev/null; (mkdir /tmp/x); echo $?", want: "159"},
		{
			name: "by argument", patch: profile("SCMP_ACT_ERRNO", `"kill"`, `,"args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]`),
			script: "trap '' USR1 USR2; kill -USR2 $$ && echo sent; kill -USR1 $$ 2>/dev/null || echo refused", want: "sent\nrefused",
		},
		{
			name: "nothing of the runtime needs to be allowed", patch: `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":
				["execve","write","exit_group","exit","brk","arch_prctl","set_tid_address","set_robust_list","rseq","prlimit64","readlink","readlinkat","getrandom",
				"mprotect","mmap","munmap","getuid","geteuid","getgid","getegid","rt_sigaction","rt_sigprocmask","fstat","newfstatat","getpid","getppid","getcwd","stat",
				"uname","ioctl","fcntl","prctl"],"action":"SCMP_ACT_ALLOW"}]}}}`, script: "echo done", want: "done",
		},
		{
			name: "without no_new_privs and capabilities", patch: `{"process":{"noNewPrivileges":false,"capabilities":null,"user":{"uid":1000,"gid":1000}}}`,
			make:   func(b *box) { b.patch(profile("SCMP_ACT_ERRNO", `"mkdir","mkdirat"`, "")) },
			script: "grep ^Seccomp: /proc/self/status; grep ^CapEff /proc/self/status", want: "Seccomp:\t2\nCapEff:\t0000000000000000",
		},
		{name: "log flag", patch: profile("SCMP_ACT_ERRNO", `"mkdir"`, ""), make: func(b *box) { b.patch(`{"linux":{"seccomp":{"flags":["SECCOMP_FILTER_FLAG_LOG"]}}}`) }, script: "grep ^Seccomp: /proc/self/status", want: "Seccomp:\t2"},
	})
}

// skipWithoutSeccomp skips when this brig was built without a compiler of filters.
func skipWithoutSeccomp(t *testing.T) {
	t.Helper()
	b := newBox(t, `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}}}`)
	if r := b.try("true"); r.code != 0 {
		t.Skip("needs the seccomp compiler: " + r.err)
	}
}

func TestStageIsHidden(t *testing.T) {
	b := newBox(t)
	b.args("/bin/true")
	b.create()
	defer b.ok("delete", "--force", b.id)
	pid := b.look().Pid
	dir := fmt.Sprintf("/proc/%d", pid)
	if target, err := os.Readlink(dir + "/exe"); err != nil || !strings.HasPrefix(target, "/memfd:brig") {
		t.Errorf("the stage is %q, %v", target, err)
	}
	equal(t, reads(t, dir+"/comm"), "brig:created\n")
	// The files of a process that is not dumpable belong to the host's root, also
	// where the process itself does not.
	var st unix.Stat_t
	must(t, unix.Stat(dir+"/maps", &st))
	if st.Uid != 0 {
		t.Errorf("its files belong to %d", st.Uid)
	}
}

// TestStageIsNotDumpable lets a root with all capabilities over the container's
// user namespace look into its init, before and after the start.
func TestStageIsNotDumpable(t *testing.T) {
	first := newBox(t, withUserNamespace)
	first.args("/bin/sleep", "1000")
	first.create()
	defer first.ok("delete", "--force", first.id)
	ns := fmt.Sprintf("/proc/%d/ns", first.look().Pid)
	look := func(want string) {
		t.Helper()
		b := newBox(t, `{"hostname":null,"process":{"capabilities":{"bounding":["CAP_SYS_PTRACE"],"effective":["CAP_SYS_PTRACE"],"permitted":["CAP_SYS_PTRACE"]}}}`)
		b.patch(fmt.Sprintf(`{"mounts":null,"linux":{"maskedPaths":null,"readonlyPaths":null,
			"namespaces":[{"type":"mount"},{"type":"pid","path":"%s/pid"},{"type":"user","path":"%s/user"}]}}`, ns, ns))
		b.mount("/proc", "proc", "proc")
		b.mount("/dev", "tmpfs", "tmpfs")
		equal(t, b.run("for f in exe root cwd fd/0; do readlink /proc/1/$f || echo refused; done"), want)
	}
	look("refused\nrefused\nrefused\nrefused")
	first.ok("start", first.id)
	look("/bin/busybox\n/\n/\n/dev/null")
}
