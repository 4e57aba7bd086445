package root_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeping starts a container whose init does nothing for long.
func sleeping(t *testing.T, patches ...string) *box {
	t.Helper()
	b := newBox(t, patches...)
	b.args("/bin/sleep", "1000")
	b.create()
	b.ok("start", b.id)
	t.Cleanup(func() { b.ok("delete", "--force", b.id) })
	return b
}

// initOf is the host's pid of the container's init.
func (b *box) initOf() int {
	b.t.Helper()
	pid, err := strconv.Atoi(fmt.Sprint(decode(b.t, b.ok("state", b.id)).(map[string]any)["pid"]))
	if err != nil || pid == 0 {
		b.t.Fatalf("the container has no init: %v", err)
	}
	return pid
}

// exec runs a script in the container. It has to succeed.
func (b *box) exec(script string, flags ...string) string {
	b.t.Helper()
	r := b.brig(append(append([]string{"exec"}, flags...), b.id, "/bin/sh", "-c", script)...)
	if r.code != 0 || r.err != "" {
		b.t.Fatalf("exec: exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
	}
	return strings.TrimSuffix(r.out, "\n")
}

// detached runs a sleep in the container and returns its pid, from the pid file.
func (b *box) detached(flags ...string) int {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "pid")
	cmd := b.command(append(append([]string{"exec", "--detach", "--pid-file", file}, flags...), b.id, "/bin/sleep", "1000")...)
	cmd.Stdin = nil
	if out, err := os.Create(file + ".err"); err == nil {
		cmd.Stderr = out
		defer out.Close()
	}
	code, err := status(cmd.Run())
	must(b.t, err)
	text := reads(b.t, file+".err")
	if code != 0 || text != "" {
		b.t.Fatalf("exec --detach: exit %d, %s", code, text)
	}
	pid, err := strconv.Atoi(reads(b.t, file))
	must(b.t, err)
	return pid
}

// What makes two processes alike for who is confined by it.
var confinement = []string{
	"Uid", "Gid", "Groups", "Umask", "NStgid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Cpus_allowed",
	"Mems_allowed", "SigBlk", "SigIgn", "SigCgt", "CoreDumping", "THP_enabled",
}

// confinementOf reads it from the host's /proc.
func confinementOf(t *testing.T, pid int) string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	var out strings.Builder
	status := reads(t, dir+"status")
	for _, key := range confinement {
		if key == "NStgid" {
			continue
		}
		out.WriteString(regexp.MustCompile(`(?m)^` + key + `:.*$`).FindString(status))
		out.WriteByte('\n')
	}
	for _, name := range []string{"limits", "oom_score_adj", "cgroup", "mountinfo", "environ", "uid_map", "gid_map", "personality", "attr/current"} {
		raw, err := os.ReadFile(dir + name)
		fmt.Fprintf(&out, "%s: %q %v\n", name, raw, errnoOf(err))
	}
	for _, name := range []string{"cwd", "root", "exe", "ns/user", "ns/mnt", "ns/pid", "ns/net", "ns/ipc", "ns/uts", "ns/cgroup", "ns/time"} {
		link, err := os.Readlink(dir + name)
		fmt.Fprintf(&out, "%s: %s %v\n", name, link, errnoOf(err))
	}
	if sessions, err := os.ReadFile(dir + "sessionid"); err == nil {
		fmt.Fprintf(&out, "sessionid: %s\n", sessions)
	}
	out.WriteString(schedulingOf(t, pid))
	fds, err := os.ReadDir(dir + "fd")
	must(t, err)
	for _, fd := range fds {
		out.WriteString("fd " + fd.Name() + "\n")
	}
	return out.String()
}

func errnoOf(err error) string {
	if errno, ok := underlying(err).(syscall.Errno); ok {
		return unix.ErrnoName(errno)
	}
	return ""
}

func underlying(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

// A process that exec brings into a container is confined as its init is.
func TestExecIsConfinedAlike(t *testing.T) {
	skipWithoutSeccomp(t)
	const users = `{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"},{"type":"user"}],
		"uidMappings":[{"containerID":0,"hostID":200000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":200000,"size":65536}]}}`
	caps := func(names string) string {
		return fmt.Sprintf(`{"process":{"capabilities":{"bounding":[%[1]s],"effective":[%[1]s],"permitted":[%[1]s],"inheritable":[%[1]s],"ambient":[%[1]s]}}}`, names)
	}
	for name, patches := range map[string][]string{
		"default":             nil,
		"another user":        {`{"process":{"user":{"uid":1000,"gid":1001}}}`},
		"groups":              {`{"process":{"user":{"uid":1,"gid":2,"additionalGids":[3,4,5]}}}`},
		"umask":               {`{"process":{"user":{"uid":0,"gid":0,"umask":63}}}`},
		"no capabilities":     {`{"process":{"capabilities":null}}`},
		"some capabilities":   {caps(`"CAP_KILL","CAP_CHOWN"`)},
		"ambient, other user": {caps(`"CAP_NET_BIND_SERVICE"`), `{"process":{"user":{"uid":7,"gid":7}}}`},
		"new privileges":      {`{"process":{"noNewPrivileges":false}}`},
		"no new privileges":   {`{"process":{"noNewPrivileges":true}}`},
		"filter":              {`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}}}`},
		"filter, new privileges, no capabilities": {
			`{"process":{"noNewPrivileges":false,"capabilities":null,"user":{"uid":3,"gid":3}}}`,
			`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}}}`,
		},
		"limits":                       {`{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","soft":64,"hard":128},{"type":"RLIMIT_CORE","soft":0,"hard":0}]}}`},
		"oom score":                    {`{"process":{"oomScoreAdj":500}}`},
		"working directory":            {`{"process":{"cwd":"/tmp"}}`},
		"environment":                  {`{"process":{"env":["PATH=/bin","A=1","A=2","HOME=/tmp"]}}`},
		"user namespace":               {users},
		"user namespace, user":         {users, `{"process":{"user":{"uid":1000,"gid":1000,"additionalGids":[10]}}}`},
		"user namespace, capabilities": {users, caps(`"CAP_SYS_ADMIN","CAP_NET_ADMIN"`)},
		"host network":                 {`{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"}]}}`},
		"host PIDs":                    {`{"linux":{"namespaces":[{"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"}]}}`},
		"writable root":                {`{"root":{"readonly":false}}`},
		"scheduling, memory, personality": {`{"process":{"scheduler":{"policy":"SCHED_BATCH","nice":-3},"ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":3}},
			"linux":{"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0"},"personality":{"domain":"LINUX32"}}}`},
		"real time": {`{"process":{"scheduler":{"policy":"SCHED_RR","priority":5},"user":{"uid":9,"gid":9}}}`},
		"clocks":    {ownClocks},
		"clocks and user namespace": {users, ownOffsets, `{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"},
			{"type":"cgroup"},{"type":"user"},{"type":"time"}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := sleeping(t, patches...)
			init, exec := confinementOf(t, b.initOf()), confinementOf(t, b.detached())
			equal(t, exec, init)
		})
	}
}

func TestExecFlags(t *testing.T) {
	skipWithoutSeccomp(t)
	b := sleeping(t, `{"process":{"user":{"uid":5,"gid":6,"additionalGids":[7]},"env":["PATH=/bin","A=1"],"cwd":"/tmp","noNewPrivileges":false}}`)
	file := b.dir + "/process.json"
	write(t, file, `{"args":["/bin/sh","-c","id -u; pwd; echo $B"],"cwd":"/home","env":["PATH=/bin","B=2"],"user":{"uid":9,"gid":9}}`)
	for _, c := range []struct {
		name, script, want string
		flags              []string
	}{
		{name: "as the config says", script: "id -u; id -g; id -G; pwd; echo $A $HOME", want: "5\n6\n6 7\n/tmp\n1 /"},
		{name: "env", flags: []string{"--env", "A=2", "-e", "B=3 4"}, script: "echo $A $B", want: "2 3 4"},
		{name: "cwd", flags: []string{"--cwd", "/home"}, script: "pwd", want: "/home"},
		{name: "user", flags: []string{"--user", "8"}, script: "id -u; id -g", want: "8\n6"},
		{name: "user and group", flags: []string{"-u", "8:9"}, script: "id -u; id -g", want: "8\n9"},
		{name: "groups", flags: []string{"--additional-gids", "11", "-g", "12"}, script: "id -G", want: "6 7 11 12"},
		{name: "capabilities", flags: []string{"--user", "0", "--cap", "CAP_SYS_TIME"}, script: "grep -E '^Cap(Prm|Eff)' /proc/self/status", want: "CapPrm:\t0000000002000023\nCapEff:\t0000000002000023"},
		{name: "no new privileges", flags: []string{"--no-new-privs"}, script: "grep ^NoNew /proc/self/status", want: "NoNewPrivs:\t1"},
		{name: "single dash", flags: []string{"-cwd=/home", "-user", "1:1"}, script: "pwd; id -u", want: "/home\n1"},
		{name: "none", script: "grep ^NoNew /proc/self/status; cat /proc/self/comm", want: "NoNewPrivs:\t0\ncat"},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, b.exec(c.script, c.flags...), c.want) })
	}
	equal(t, b.ok("exec", "--process", file, b.id), "9\n/home\n2\n")
	equal(t, b.ok("exec", "--process", file, "--cwd", "/tmp", b.id, "ignored"), "9\n/home\n2\n")
	equal(t, b.ok("exec", b.id, "echo", "-n", "--", "--flag"), "-- --flag") // no flag of brig after the ID
	b.stdin = "from stdin\n"
	equal(t, b.ok("exec", b.id, "cat"), "from stdin\n")
}

func TestExecStatus(t *testing.T) {
	b := sleeping(t)
	for script, want := range map[string]int{"true": 0, "exit 3": 3, "exit 255": 255, "kill -KILL $$": 137, "kill -TERM $$": 143} {
		if r := b.brig("exec", b.id, "sh", "-c", script); r.code != want || r.err != "" {
			t.Errorf("%s: exit %d, stderr %q, want %d", script, r.code, r.err, want)
		}
	}
}

// Engines look for these texts, and for 255.
func TestExecRefuses(t *testing.T) {
	b := sleeping(t)
	write(t, b.dir+"/bad.json", `{"args":["sh"],"cwd":"tmp"}`)
	write(t, b.dir+"/type.json", `{"args":"sh"}`)
	write(t, b.dir+"/empty.json", ``)
	write(t, b.rootfs+"/bin/text", "no program")
	must(t, os.Chmod(b.rootfs+"/bin/text", 0o755))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"process args cannot be empty", []string{b.id}},
		{"brig exec takes the container's ID", nil},
		{"container does not exist: nobody", []string{"nobody", "true"}},
		{`exec: "nosuch": executable file not found in $PATH`, []string{b.id, "nosuch"}},
		{`exec: "": executable file not found in $PATH`, []string{b.id, ""}},
		{`exec: "/etc": EACCES: permission denied`, []string{b.id, "/etc"}},
		{`exec: "/no/such": ENOENT: no such file or directory`, []string{b.id, "/no/such"}},
		{`exec: "text"`, []string{b.id, "text"}},
		{"/process/cwd", []string{"--cwd", "relative", b.id, "true"}},
		{"/process/cwd: enter the working directory", []string{"--cwd", "/no/such", b.id, "true"}},
		{"/process/env/", []string{"--env", "novalue", b.id, "true"}},
		{`--user: "root" is no id`, []string{"--user", "root", b.id, "true"}},
		{`--user: "" is no id`, []string{"--user", "1:", b.id, "true"}},
		{`--additional-gids: "-1" is no id`, []string{"--additional-gids", "-1", b.id, "true"}},
		{"--preserve-fds: -1", []string{"--preserve-fds", "-1", b.id, "true"}},
		{"bad sub cgroup path: ../x", []string{"--cgroup", "../x", b.id, "true"}},
		{"bad sub cgroup path: cpu:x", []string{"--cgroup", "cpu:x", b.id, "true"}},
		{"open the cgroup", []string{"--cgroup", "nosuch", b.id, "true"}},
		{"/process/cwd", []string{"--process", b.dir + "/bad.json", b.id}},
		{"/process/args", []string{"--process", b.dir + "/type.json", b.id}},
		{"the config is empty", []string{"--process", b.dir + "/empty.json", b.id}},
		{"open the config", []string{"--process", b.dir + "/nosuch.json", b.id}},
		{"pid file", []string{"--pid-file", "/no/such/pid", b.id, "sleep", "1000"}},
	} {
		pid := filepath.Join(t.TempDir(), "pid")
		args := append([]string{"exec"}, c.args...)
		if !strings.Contains(c.want, "pid file") {
			args = append([]string{"exec", "--pid-file", pid}, c.args...)
		}
		if r := b.brig(args...); r.code != 255 || !strings.Contains(r.err, c.want) {
			t.Errorf("%q: exit %d, stderr %q, want 255 and %q", c.args, r.code, r.err, c.want)
		}
		if _, err := os.Stat(pid); err == nil {
			t.Errorf("%q: a pid file is left", c.args)
		}
	}
	equal(t, b.exec("set -- /proc/[0-9]*; echo $#"), "2") // init and the shell
}

// In a user namespace nobody of the container has a privilege over an init that has
// not executed the payload yet.
func TestExecInCreatedUserNamespace(t *testing.T) {
	b := newBox(t, withUserNamespace)
	b.create()
	equal(t, b.ok("exec", b.id, "grep", "^0:", "/proc/self/cgroup"), "0::/\n") // the root of its namespace
	b.ok("delete", b.id)
}

func TestExecNeedsARunningContainer(t *testing.T) {
	b := newBox(t)
	b.args("/bin/true")
	b.create()
	equal(t, b.ok("exec", b.id, "echo", "in a created one"), "in a created one\n")
	b.ok("start", b.id)
	b.wait()
	b.refused("cannot exec in a stopped container", "exec", b.id, "true")
	b.ok("delete", b.id)
	b.refused("container does not exist", "exec", b.id, "true")
}

// A thousand in a row and a hundred at once leave nothing behind.
func TestExecLeavesNothing(t *testing.T) {
	b := sleeping(t)
	init := b.initOf()
	count := func() string {
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", init))
		return fmt.Sprintf("%d fds, processes %s, cgroups %s", len(fds), b.exec("set -- /proc/[0-9]*; echo $#"), b.exec("find /sys/fs/cgroup -type d | wc -l"))
	}
	before := count()
	n := 1000
	if testing.Short() {
		n = 100
	}
	for i := range n {
		if r := b.brig("exec", b.id, "true"); r.code != 0 || r.err != "" {
			t.Fatalf("exec %d: exit %d, %s", i, r.code, r.err)
		}
	}
	equal(t, count(), before)
	var all sync.WaitGroup
	failed := make(chan string, 100)
	for i := range 100 {
		all.Add(1)
		go func() {
			defer all.Done()
			if r := b.brig("exec", b.id, "sh", "-c", "exit "+strconv.Itoa(i)); r.code != i || r.err != "" {
				failed <- fmt.Sprintf("exec %d: exit %d, %s", i, r.code, r.err)
			}
		}()
	}
	all.Wait()
	close(failed)
	for text := range failed {
		t.Error(text)
	}
	equal(t, count(), before)
}

// The config that exec starts from is the one that the container was made from, be it
// in the bundle, elsewhere, or in no file at all.
func TestExecFindsTheConfig(t *testing.T) {
	t.Run("elsewhere", func(t *testing.T) {
		b := newBox(t, `{"process":{"user":{"uid":12}}}`)
		b.args("/bin/sleep", "1000")
		b.save()
		must(t, os.Rename(b.bundle+"/config.json", b.dir+"/other.json"))
		cmd := b.command("run", "--detach", "--bundle", b.bundle, "--config", b.dir+"/other.json", b.id)
		cmd.Stdin = nil
		code, err := status(cmd.Run())
		must(t, err)
		if code != 0 {
			t.Fatalf("exit %d", code)
		}
		equal(t, b.exec("id -u"), "12")
		must(t, os.Remove(b.dir+"/other.json"))
		b.refused("open the config "+b.dir+"/other.json: ENOENT", "exec", b.id, "true")
		b.ok("delete", "--force", b.id)
	})
	t.Run("in no file", func(t *testing.T) {
		b := newBox(t)
		cmd := b.command("run", "--detach", "--rootfs", b.rootfs, b.id, "/bin/sleep", "1000")
		cmd.Stdin = nil
		code, err := status(cmd.Run())
		must(t, err)
		if code != 0 {
			t.Fatalf("exit %d", code)
		}
		r := b.brig("exec", b.id, "sh", "-c", "grep -E '^(CapBnd|Seccomp:|NoNew)' /proc/self/status")
		equal(t, r.out, "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n")
		b.ok("delete", "--force", b.id)
	})
}

// What kills brig in the middle of an exec leaves nothing in the container.
func TestExecKilled(t *testing.T) {
	b := sleeping(t)
	for i := range 60 {
		cmd := b.command("exec", b.id, "true")
		cmd.Stdin = nil
		must(t, cmd.Start())
		time.Sleep(time.Duration(i) * 100 * time.Microsecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := b.exec("set -- /proc/[0-9]*; echo $#")
		if left == "2" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s processes are in the container: %s", left, b.exec("cat /proc/[0-9]*/comm"))
		}
	}
}

// A filter that forbids to exit does not keep a process from its end whose execve
// fails after the filter is loaded.
func TestFilterThatForbidsToExit(t *testing.T) {
	skipWithoutSeccomp(t)
	b := newBox(t, `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["exit_group","exit"],"action":"SCMP_ACT_ERRNO"}]}}}`)
	write(t, b.rootfs+"/bin/text", "no program")
	must(t, os.Chmod(b.rootfs+"/bin/text", 0o755))
	b.args("/bin/text")
	b.save()
	cmd := b.command("run", "--bundle", b.bundle, b.id)
	timer := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
	r := finish(t, cmd)
	if !timer.Stop() {
		t.Fatal("it hangs")
	}
	if r.code != 1 || !strings.Contains(r.err, "/process/args/0: exec: \"/bin/text\": execve") || !strings.Contains(r.err, "ENOEXEC") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}
