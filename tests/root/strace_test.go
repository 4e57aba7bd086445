package root_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// traced is a bundle whose start is compared with its plan.
type traced struct {
	name  string
	patch string
	make  func(b *box)
	flags string // of plan, run and create
	args  []string

	between func(b *box) // between run and create
}

// box makes the bundle.
func (row traced) box(t *testing.T) *box {
	t.Helper()
	b := newBox(t)
	if row.patch != "" {
		b.patch(row.patch)
	}
	if row.make != nil {
		row.make(b)
	}
	b.args("/bin/true")
	if row.args != nil {
		b.args(row.args...)
	}
	b.save()
	return b
}

// TestStraceEqualsPlan runs containers under strace, and walks the plan along the
// calls of the stage's processes: each call is the planned one with its
// arguments, none is missing and none is left over.
func TestStraceEqualsPlan(t *testing.T) {
	needRoot(t)
	if out, err := exec.Command("strace", "-f", "true").CombinedOutput(); err != nil {
		t.Skipf("needs strace: %v %s", err, out)
	}
	for _, row := range tracedBundles() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := row.box(t)
			for _, run := range []bool{true, false} {
				if !run && row.between != nil {
					row.between(b)
				}
				b.equalToPlan(row, run)
			}
		})
	}
}

// plan reads the plan of a bundle.
func (b *box) plan(flags ...string) []instruction {
	b.t.Helper()
	var plan struct {
		Steps []struct {
			Instructions []struct {
				Index int
				Text  string
			}
		}
	}
	must(b.t, json.Unmarshal([]byte(b.ok(append(append([]string{"plan", "--format", "json", "--bundle", b.bundle}, flags...), b.id)...)), &plan))
	var list []instruction
	for _, step := range plan.Steps {
		for _, in := range step.Instructions {
			if in.Index != len(list) {
				b.t.Fatalf("instruction %d is numbered %d", len(list), in.Index)
			}
			list = append(list, parseInstruction(b.t, in.Text))
		}
	}
	return list
}

func (b *box) equalToPlan(row traced, run bool) {
	b.t.Helper()
	flags := strings.Fields(row.flags)
	verb := "create"
	if run {
		verb = "run"
		flags = append(flags, "--run")
	}
	plan := b.plan(flags...)
	dir := b.dir + "/" + verb
	mkdir(b.t, dir, 0o755)
	b.strace(dir, append(append([]string{verb, "--bundle", b.bundle}, strings.Fields(row.flags)...), b.id), run)
	pid, trace := stageTrace(b.t, dir, b.id)
	first := compare(b.t, verb+": first process", plan, trace, 0, values{})
	if len(first.forks) != 1 {
		b.t.Fatalf("%s: process %s forked %d times", verb, pid, len(first.forks))
	}
	child := first.forks[0]
	init := untilExec(parseTrace(reads(b.t, dir+"/t."+child.child)))
	compare(b.t, verb+": init", plan, init, child.at, child.env)
	if calls := len(trace) + len(init); calls < 100 {
		b.t.Errorf("%s: only %d calls were traced", verb, calls)
	}
}

// strace runs a verb under strace, with a file for each process; and start, if
// that is what the container waits for.
func (b *box) strace(dir string, args []string, run bool) {
	b.t.Helper()
	inner := b.command(args...)
	cmd := exec.Command("strace", append([]string{"-ff", "-o", dir + "/t", "-s", "65536", "-e", "abbrev=seccomp"}, inner.Args...)...)
	cmd.SysProcAttr, cmd.Stdin = inner.SysProcAttr, inner.Stdin
	stderr, err := os.Create(dir + "/stderr")
	must(b.t, err)
	defer stderr.Close()
	cmd.Stderr = stderr
	must(b.t, cmd.Start())
	if !run {
		b.until("created", func() bool { return strings.Contains(b.brig("state", b.id).out, `"created"`) })
		b.ok("start", b.id)
	}
	code, err := status(cmd.Wait())
	must(b.t, err)
	if code != 0 {
		b.t.Fatalf("exit %d, %s", code, reads(b.t, stderr.Name()))
	}
	if !run {
		b.wait()
		b.ok("delete", b.id)
	}
}

// stageTrace finds the first process of the stage, and its calls after it was
// executed.
func stageTrace(t *testing.T, dir, id string) (pid string, calls []call) {
	t.Helper()
	names, err := filepath.Glob(dir + "/t.*")
	must(t, err)
	for _, name := range names {
		raw := reads(t, name)
		if _, after, ok := strings.Cut(raw, `["brig-stage", "`+id+`"`); ok {
			_, after, _ = strings.Cut(after, "\n")
			return filepath.Ext(name)[1:], parseTrace(after)
		}
	}
	t.Fatal("no process of the trace is the stage")
	return "", nil
}

// untilExec leaves out what the payload does.
func untilExec(calls []call) []call {
	for i, c := range calls {
		if c.name == "execve" && c.errno == "" {
			return calls[:i+1]
		}
	}
	return calls
}

func tracedBundles() []traced {
	return []traced{
		{name: "default"},
		{name: "nothing but a mount namespace", patch: `{"hostname":null,"mounts":null,"process":{"capabilities":null,"noNewPrivileges":false},
			"linux":{"namespaces":[{"type":"mount"}],"maskedPaths":null,"readonlyPaths":null}}`},
		{name: "user namespace", patch: withUserNamespace},
		{
			name: "user namespace with an id-mapped root", patch: withUserNamespace, make: func(b *box) {
				root := decode(b.t, `{"destination":"/","type":"bind","source":"rootfs","options":["rbind","idmap","nosuid"]}`)
				b.config["mounts"] = append([]any{root}, b.config["mounts"].([]any)...)
			},
		},
		{
			name: "a user with groups and ambient capabilities", make: func(b *box) {
				b.patch(`{"process":{"capabilities":` + ambient + `,"user":{"uid":1000,"gid":1001,"umask":63,"additionalGids":[5,6,70000]}}}`)
			},
		},
		{
			name: "read-only root, masks, read-only paths", patch: `{"root":{"readonly":true},"linux":{"maskedPaths":["/proc/version","/not/there","/home","/bin/busybox/x"],
				"readonlyPaths":["/proc/sys","/etc","/none"]}}`,
		},
		{
			name: "bind mounts on missing and present targets", make: func(b *box) {
				dir := b.submount()
				b.mount("/one/two/three", "bind", dir, "rbind", "ro", "nosuid")
				b.mount("/etc/new/file", "bind", dir+"/file", "bind")
				b.mount("/home", "bind", dir, "bind", "rprivate", "noatime")
				b.mount("/tmp", "bind", dir, "rbind", "shared", "noexec")
			},
		},
		{
			name: "bind mounts whose ids are mapped", make: func(b *box) {
				b.mount("/own", "bind", b.owned(), "rbind", "ridmap=uids=0-7-1;gids=0-8-1")
				if !kernelBefore(b.t, 6, 3) {
					b.mount("/tmp", "tmpfs", "tmpfs", "idmap=uids=0-7-2;gids=0-8-2")
				}
			},
		},
		{
			name: "files that are copied and links", make: func(b *box) {
				covered(b.t, b.rootfs+"/data")
				b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
				b.mount("/etc/link", "bind", b.linked()+"link", "bind", "copy-symlink")
				b.mount("/etc/inode", "bind", b.linked()+"link", "bind", "src-nofollow")
			},
		},
		{
			name: "tmpfs of all kinds", make: func(b *box) {
				b.mount("/tmp", "tmpfs", "tmpfs")
				b.mount("/fresh", "tmpfs", "tmpfs", "ro", "size=64k")
				b.mount("/fresh/inner", "tmpfs", "tmpfs", "mode=0700", "uid=5", "strictatime", "nodiratime")
				b.mount("/synced", "tmpfs", "tmpfs", "sync", "private")
			},
		},
		{
			name: "devices", make: func(b *box) {
				b.add("/linux/devices", `{"path":"/dev/pipe","type":"p","fileMode":432}`, `{"path":"/etc/null","type":"c","major":1,"minor":3,"uid":5,"gid":6}`,
					`{"path":"/dev/a/b","type":"b","major":7,"minor":200}`, `{"path":"/dev/null","type":"c","major":1,"minor":3}`)
			},
		},
		{
			name: "nodes that are there", make: func(b *box) {
				b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
				must(b.t, exec.Command("cp", "-a", "/dev/zero", b.rootfs+"/dev/zero").Run())
				must(b.t, os.Symlink("x", b.rootfs+"/dev/fd"))
			},
		},
		{
			name: "names, sysctl, limits, oom score", patch: `{"hostname":"a-host","domainname":"a.domain","process":{"oomScoreAdj":7,
				"rlimits":[{"type":"RLIMIT_NOFILE","soft":64,"hard":128},{"type":"RLIMIT_CORE","soft":0,"hard":0}]},
				"linux":{"sysctl":{"net.ipv4.ip_forward":"1","kernel.shmmax":"99999"}}}`,
		},
		{name: "filter without no_new_privs", patch: filterAll, make: func(b *box) { b.patch(`{"process":{"noNewPrivileges":false}}`) }},
		{name: "without pivot_root", flags: "--no-pivot"},
		{name: "shared root", patch: `{"linux":{"rootfsPropagation":"rshared"}}`},
		{
			name: "PATH with misses", patch: `{"process":{"env":["PATH=/none:/home:/bin/busybox:/etc:/bin","A=\"quoted\"\n"],"cwd":"/deep/er"}}`,
			make: func(b *box) { write(b.t, b.rootfs+"/etc/true", "not executable") }, args: []string{"true", "an argument", ""},
		},
		{
			name: "a working directory of the user's own", patch: withUserNamespace, make: func(b *box) {
				mkdir(b.t, b.rootfs+"/home/own", 0o700)
				must(b.t, os.Chown(b.rootfs+"/home/own", 701000, 1))
				b.patch(`{"process":{"cwd":"/home/own","user":{"uid":1000,"gid":1000}}}`)
			},
		},
		{
			name: "joined namespaces", make: func(b *box) {
				dir := holder(b.t, "--fork", "--net", "--ipc", "--uts")
				b.patch(`{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"network","path":"` + dir + `/ns/net"},
					{"type":"ipc","path":"` + dir + `/ns/ipc"},{"type":"uts","path":"` + dir + `/ns/uts"}]}}`)
			},
		},
		{
			name: "scheduling, memory policy, personality", patch: `{"process":{"scheduler":{"policy":"SCHED_FIFO","priority":3},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":1}},
				"linux":{"memoryPolicy":{"mode":"MPOL_INTERLEAVE","nodes":"0,70","flags":["MPOL_F_STATIC_NODES"]},"personality":{"domain":"LINUX32"}}}`,
		},
		{
			name: "network devices", patch: devices(`{"v0":{"name":"eth0"}}`), make: func(b *box) {
				// One device for run and one for create, each of which ends with its
				// namespace.
				ownNetwork(b.t, "link add v0 type veth peer name v1\nlink add v2 type veth peer name v3")
			},
			between: func(b *box) { ip(b.t, "link set v2 name v0") },
		},
		{name: "clocks of its own", patch: ownClocks},
		{
			name: "a user of the root group, with a pipe as stdin", patch: `{"process":{"user":{"uid":1000,"gid":0}}}`,
		},
	}
}
