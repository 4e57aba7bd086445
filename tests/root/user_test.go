package root_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUser(t *testing.T) {
	observe(t, []seen{
		{name: "root", script: "id -u; id -g; id -G; awk '/^(Uid|Gid|Groups)/' /proc/self/status | tr -s '\\t ' ' '", want: "0\n0\n0\nUid: 0 0 0 0\nGid: 0 0 0 0\nGroups: "},
		{
			name: "another", patch: `{"process":{"user":{"uid":1000,"gid":1001}}}`,
			script: "awk '/^(Uid|Gid|Groups)/' /proc/self/status | tr -s '\\t ' ' '", want: "Uid: 1000 1000 1000 1000\nGid: 1001 1001 1001 1001\nGroups: ",
		},
		{
			name: "groups", patch: `{"process":{"user":{"uid":1000,"gid":1001,"additionalGids":[1002,5,70000]}}}`,
			script: "awk '/^Groups/' /proc/self/status | tr -s '\\t ' ' '", want: "Groups: 5 1002 70000 ",
		},
		{
			name: "groups of root", patch: `{"process":{"user":{"uid":0,"gid":0,"additionalGids":[10]}}}`, script: "id -G", want: "0 10",
		},
		{
			name: "the largest id", patch: `{"process":{"user":{"uid":4294967294,"gid":4294967294}}}`, script: "id -u; id -g", want: "4294967294\n4294967294",
		},
		{name: "default umask", script: "umask; touch /tmp/x; stat -c %a /tmp/x", want: "0022\n644"},
		{name: "umask", patch: `{"process":{"user":{"uid":0,"gid":0,"umask":63}}}`, script: "umask; touch /tmp/x; stat -c %a /tmp/x", want: "0077\n600"},
		{name: "umask of zero", patch: `{"process":{"user":{"uid":0,"gid":0,"umask":0}}}`, script: "umask; mkdir /tmp/x; stat -c %a /tmp/x", want: "0000\n777"},
		{
			name: "stdio belongs to the user", patch: `{"process":{"user":{"uid":1000,"gid":1001}}}`,
			script: "stat -L -c %u /dev/stdout; echo through >/dev/stdout", want: "1000\nthrough",
		},
		{
			name: "/dev/null of the host stays whose it is", patch: `{"process":{"user":{"uid":1000,"gid":1001}}}`, script: "true </dev/null",
			after: func(b *box) {
				var st unix.Stat_t
				must(b.t, unix.Stat("/dev/null", &st))
				if st.Uid == 1000 || st.Gid == 1001 {
					b.t.Errorf("it belongs to %d:%d", st.Uid, st.Gid)
				}
			},
		},
	})
	t.Run("a file as stdio stays whose it is", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, `{"process":{"user":{"uid":1000,"gid":1001}}}`)
		b.args("/bin/echo", "x")
		b.save()
		out, err := os.Create(b.dir + "/out")
		must(t, err)
		defer out.Close()
		cmd := b.command("run", "--bundle", b.bundle, b.id)
		cmd.Stdout = out
		must(t, cmd.Run())
		var st unix.Stat_t
		must(t, unix.Stat(out.Name(), &st))
		equal(t, strconv.Itoa(int(st.Uid))+" "+reads(t, out.Name()), "0 x\n")
	})
}

func TestCwd(t *testing.T) {
	closed := func(b *box) {
		mkdir(b.t, b.rootfs+"/home/own", 0o700)
		must(b.t, os.Chown(b.rootfs+"/home/own", 1000, 1000))
	}
	observe(t, []seen{
		{name: "root", script: "pwd; readlink /proc/self/cwd", want: "/\n/"},
		{name: "there", patch: `{"process":{"cwd":"/home"}}`, script: "pwd; readlink /proc/self/cwd", want: "/home\n/home"},
		{name: "made", patch: `{"process":{"cwd":"/a/b/c"}}`, script: "pwd; stat -c %a:%u:%g /a/b/c", want: "/a/b/c\n755:0:0"},
		{name: "made below a mount", patch: `{"process":{"cwd":"/dev/shm/deep/er"}}`, script: "pwd", want: "/dev/shm/deep/er"},
		{name: "not clean", patch: `{"process":{"cwd":"/home/../tmp/."}}`, script: "readlink /proc/self/cwd", want: "/tmp"},
		{
			name: "through a link", patch: `{"process":{"cwd":"/link"}}`, make: func(b *box) { must(b.t, os.Symlink("../../../home", b.rootfs+"/link")) },
			script: "readlink /proc/self/cwd", want: "/home",
		},
		{
			name: "open to its owner only", patch: `{"process":{"cwd":"/home/own","user":{"uid":1000,"gid":1000},"capabilities":null}}`, make: closed,
			script: "pwd", want: "/home/own",
		},
		{
			// Its group is not mapped, so root has no privilege over it.
			name: "unreadable for root of a user namespace", patch: withUserNamespace, make: func(b *box) {
				mkdir(b.t, b.rootfs+"/home/own", 0o700)
				must(b.t, os.Chown(b.rootfs+"/home/own", 701000, 1))
				b.patch(`{"process":{"cwd":"/home/own","user":{"uid":1000,"gid":1000},"capabilities":null}}`)
			}, script: "readlink /proc/self/cwd", want: "/home/own",
		},
	})
	refuse(t, []refusal{
		{name: "a file", patch: `{"process":{"cwd":"/bin/busybox"}}`, want: []string{"/process/cwd", "ENOTDIR"}},
		{
			name: "an fd of the caller", patch: `{"process":{"cwd":"/proc/self/fd/7"}}`, want: []string{"/process/cwd"},
			make: func(b *box) {
				dir, err := os.Open("/")
				must(b.t, err)
				b.t.Cleanup(func() { dir.Close() })
				b.files = []*os.File{dir, dir, dir, dir, dir, dir, dir}
			},
		},
		{
			name: "closed to everybody of a user namespace", patch: withUserNamespace, make: func(b *box) {
				mkdir(b.t, b.rootfs+"/home/own", 0o700)
				b.patch(`{"process":{"cwd":"/home/own","user":{"uid":1000,"gid":1000},"capabilities":null}}`)
			}, want: []string{"/process/cwd", "EACCES"},
		},
	})
}

// environ prints what execve was given: the shell keeps its own order.
const environ = "cat /proc/1/environ | tr '\\0' '\\n'"

func TestEnvironment(t *testing.T) {
	observe(t, []seen{
		{name: "as in the config", patch: `{"process":{"env":["PATH=/bin","A=1","B=two words","EMPTY="]}}`, script: environ, want: "PATH=/bin\nA=1\nB=two words\nEMPTY=\nHOME=/"},
		{name: "the last of several counts", patch: `{"process":{"env":["A=1","PATH=/bin","A=2"]}}`, script: environ, want: "A=2\nPATH=/bin\nHOME=/"},
		{name: "a HOME", patch: `{"process":{"env":["PATH=/bin","HOME=/home"]}}`, script: "echo $HOME", want: "/home"},
		{name: "an empty HOME", patch: `{"process":{"env":["PATH=/bin","HOME="]}}`, script: "echo $HOME", want: "/"},
		{name: "none of the caller's", make: func(b *box) { b.env = []string{"SECRET=1", "PATH=/usr/bin"} }, script: environ, want: "PATH=/bin\nHOME=/"},
	})
}

func TestLookup(t *testing.T) {
	run := func(name, env, want string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, `{"process":{"cwd":"/bin","env":[`+env+`]}}`)
			write(t, b.rootfs+"/first/tool", "not executable")
			mkdir(t, b.rootfs+"/second/tool", 0o755)
			write(t, b.rootfs+"/third/tool", "#!/bin/sh\necho third $0\n")
			must(t, os.Chmod(b.rootfs+"/third/tool", 0o755))
			b.args(args...)
			r := b.start()
			if !strings.Contains(r.out+r.err, want) || (r.code == 0) != (r.err == "") {
				t.Errorf("exit %d, stdout %q, stderr %q, want %q", r.code, r.out, r.err, want)
			}
		})
	}
	run("in PATH, after what cannot be executed", `"PATH=/first:/second:/third"`, "third /third/tool", "tool")
	run("absolute", `"PATH="`, "there", "/bin/echo", "there")
	run("relative to the working directory", `"PATH="`, "there", "./echo", "there")
	run("relative, up", `"PATH="`, "third ../third/tool", "../third/tool")
	run("without PATH", `"A=1"`, "there", "echo", "there")
	run("never in the working directory", `"PATH=:.:/third"`, `exec: "echo": executable file not found in $PATH`, "echo")
	run("not found", `"PATH=/third"`, `exec: "none": executable file not found in $PATH`, "none")
	run("no such file", `"PATH=/third"`, `exec: "/not/there": ENOENT`, "/not/there")
	run("not executable", `"PATH=/third"`, `exec: "/first/tool": EACCES`, "/first/tool")
	run("a directory", `"PATH=/third"`, `exec: "/second/tool": EACCES`, "/second/tool")
	run("an empty name", `"PATH=/third"`, `exec: ""`, "")
}

func TestNames(t *testing.T) {
	observe(t, []seen{
		{name: "hostname", patch: `{"hostname":"other.example"}`, script: "cat /proc/sys/kernel/hostname", want: "other.example"},
		{name: "domain name", patch: `{"domainname":"example"}`, script: "cat /proc/sys/kernel/domainname", want: "example"},
		{name: "of 64 bytes", patch: `{"hostname":"` + strings.Repeat("x", 64) + `"}`, script: "hostname | wc -c", want: "65"},
		{
			name: "sysctl of the network", patch: `{"linux":{"sysctl":{"net.ipv4.ip_forward":"1","net.ipv4.ip_unprivileged_port_start":"80"}}}`,
			script: "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start", want: "1\n80",
		},
		{
			name: "sysctl with slashes", patch: `{"linux":{"sysctl":{"net/ipv4/conf/lo/forwarding":"1"}}}`, script: "cat /proc/sys/net/ipv4/conf/lo/forwarding", want: "1",
		},
		{
			name: "sysctl of IPC", patch: `{"linux":{"sysctl":{"kernel.shm_rmid_forced":"1","kernel.shmmax":"12345","kernel.msgmax":"999","fs.mqueue.msg_max":"5"}}}`,
			script: "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/shmmax /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max", want: "1\n12345\n999\n5",
		},
		{
			name: "sysctl in a user namespace", patch: withUserNamespace, make: func(b *box) {
				b.patch(`{"linux":{"sysctl":{"net.ipv4.ip_forward":"1","kernel.shmmax":"12345"}}}`)
			}, script: "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax", want: "1\n12345",
		},
	})
	refuse(t, []refusal{
		{name: "no such sysctl", patch: `{"linux":{"sysctl":{"net.no.such":"1"}}}`, want: []string{"/linux/sysctl/net.no.such", "ENOENT"}},
		{name: "a value that the kernel refuses", patch: `{"linux":{"sysctl":{"net.ipv4.ip_forward":"many"}}}`, want: []string{"/linux/sysctl/net.ipv4.ip_forward", "EINVAL"}},
	})
}

func TestLimits(t *testing.T) {
	observe(t, []seen{
		{
			name: "rlimits", patch: `{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","soft":100,"hard":200},{"type":"RLIMIT_CORE","soft":0,"hard":0},
				{"type":"RLIMIT_STACK","soft":4194304,"hard":8388608},{"type":"RLIMIT_NPROC","soft":50,"hard":60}]}}`,
			script: `for r in 'open files' 'core file' 'stack' 'processes'; do grep "^Max $r" /proc/self/limits | tr -s ' ' | sed 's/.* \([0-9]* [0-9]*\) [a-z]* *$/\1/'; done`,
			want:   "100 200\n0 0\n4194304 8388608\n50 60",
		},
		{
			name: "rlimits in a user namespace", patch: withUserNamespace, make: func(b *box) { b.patch(`{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","soft":7,"hard":9}]}}`) },
			script: "ulimit -Sn; ulimit -Hn", want: "7\n9",
		},
		{name: "oom score", patch: `{"process":{"oomScoreAdj":321}}`, script: "cat /proc/self/oom_score_adj", want: "321"},
		{
			name: "oom score in a user namespace", patch: withUserNamespace, make: func(b *box) { b.patch(`{"process":{"oomScoreAdj":123}}`) },
			script: "cat /proc/self/oom_score_adj", want: "123",
		},
	})
	t.Run("more than the caller may", func(t *testing.T) {
		t.Parallel()
		if !privileged(t, unix.CAP_SYS_RESOURCE) {
			t.Skip("needs CAP_SYS_RESOURCE: a hard limit is raised")
		}
		b := newBox(t, `{"process":{"oomScoreAdj":-100,"rlimits":[{"type":"RLIMIT_NOFILE","soft":100,"hard":1000000}]}}`)
		equal(t, b.run("ulimit -Hn; cat /proc/self/oom_score_adj"), "1000000\n-100")
	})
}

// privileged says whether the tests have a capability.
func privileged(t *testing.T, capability uint) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	must(t, unix.Capget(&header, &data[0]))
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}

func TestKeyring(t *testing.T) {
	own := func(t *testing.T, flags ...string) bool {
		b := newBox(t, `{"linux":{"maskedPaths":null}}`)
		return strings.Contains(b.run("cat /proc/keys", flags...), "_ses."+b.id+": empty")
	}
	t.Run("of its own", func(t *testing.T) {
		t.Parallel()
		if !own(t) {
			t.Error("there is no session keyring of the container")
		}
	})
	t.Run("of the caller", func(t *testing.T) {
		t.Parallel()
		if own(t, "--no-new-keyring") {
			t.Error("there is a session keyring of the container")
		}
	})
}

// The groups of the caller come to the payload, to exec and to hooks in the container when
// an annotation asks for them, and to nobody otherwise.
func TestCallersGroups(t *testing.T) {
	const show = "echo $(grep Groups /proc/self/status)"
	for _, c := range []struct{ name, patch, want string }{
		{"without the annotation", `{}`, "Groups:"},
		{"a no", `{"annotations":{"run.oci.keep_original_groups":"0"}}`, "Groups:"},
		{"kept", `{"annotations":{"run.oci.keep_original_groups":"1"}}`, "Groups: 7 70000"},
		{"kept in the place of others", `{"annotations":{"run.oci.keep_original_groups":"1"},"process":{"user":{"additionalGids":[5]}}}`, "Groups: 7 70000"},
		{"kept by another user", `{"annotations":{"run.oci.keep_original_groups":"1"},"process":{"user":{"uid":1000,"gid":1001}}}`, "Groups: 7 70000"},
		{"kept in a user namespace", withUserNamespace[:len(withUserNamespace)-1] + `,"annotations":{"run.oci.keep_original_groups":"1"}}`, "Groups: 65534 65534"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, c.patch, `{"hooks":{"startContainer":[{"path":"/bin/sh","args":["sh","-c","grep Groups /proc/self/status >/tmp/hook"]}]}}`)
			b.user = &syscall.Credential{Uid: 0, Gid: 0, Groups: []uint32{7, 70000}}
			equal(t, b.run(show+"; echo $(cat /tmp/hook)"), c.want+"\n"+c.want)
			b.args("/bin/sleep", "1000")
			b.create()
			b.ok("start", b.id)
			equal(t, strings.TrimSuffix(b.ok("exec", b.id, "sh", "-c", show), "\n"), c.want)
			b.ok("delete", "--force", b.id)
		})
	}
}
