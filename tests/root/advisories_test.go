package root_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each of these looks for what an advisory was about, from outside of brig. Which one it
// is says tests/advisories.txt.

// The owner of the host's /dev/null, as the payload's stdio, stays who it was.
func TestAdvisoryStdioOfTheHostKeepsItsOwner(t *testing.T) {
	b := newBox(t, `{"process":{"user":{"uid":1000,"gid":1000}}}`)
	look := func() string {
		var st unix.Stat_t
		must(t, unix.Stat("/dev/null", &st))
		return fmt.Sprint(st.Uid, st.Gid, st.Mode)
	}
	was := look()
	b.args("/bin/true")
	b.create()
	b.ok("start", b.id)
	b.wait()
	b.ok("delete", b.id)
	equal(t, look(), was)
}

// A number is no name, whatever the passwd file of the image says.
func TestAdvisoryNumbersAreNoNames(t *testing.T) {
	b := newBox(t, `{"process":{"user":{"uid":1000,"gid":1000}}}`)
	write(t, b.rootfs+"/etc/passwd", "1000:x:0:0::/:/bin/sh\n1:x:0:0::/:/bin/sh\n")
	write(t, b.rootfs+"/etc/group", "1000:x:0:\n1:x:0:\n")
	equal(t, b.run("id -u; id -g"), "1000\n1000")
	b.args("/bin/sleep", "1000")
	b.create()
	b.ok("start", b.id)
	equal(t, b.ok("exec", "--user", "1", b.id, "sh", "-c", "id -u; id -g"), "1\n1000\n")
	for _, bad := range []string{"1x", "-1", "0x1", " 1", "4294967296", "1:2:3", "root"} {
		if r := b.brig("exec", "--user", bad, b.id, "true"); r.code != 255 {
			t.Errorf("--user %q: exit %d, %q", bad, r.code, r.err)
		}
	}
	b.ok("delete", "--force", b.id)
}

// brig does not run set-user-ID or set-group-ID, whatever it is asked for.
func TestAdvisorySetUserIDIsRefused(t *testing.T) {
	b := ordinary(t)
	mkdir(t, b.dir+"/suid", 0o755)
	b.hostMount("tmpfs", b.dir+"/suid", "tmpfs", 0) // the host's may be nosuid
	must(t, os.Chmod(b.dir+"/suid", 0o755))
	raw, err := os.ReadFile(brig(t))
	must(t, err)
	for _, mode := range []uint32{0o4755, 0o2755} {
		name := fmt.Sprintf("%s/suid/brig%o", b.dir, mode)
		must(t, os.WriteFile(name, raw, 0o755))
		must(t, unix.Chmod(name, mode))
		for _, args := range [][]string{{"--version"}, {"spec", "--help"}, {"run", "--bundle", b.bundle, b.id}, {"list"}} {
			cmd := b.command(args...)
			cmd.Path = name
			if r := finish(t, cmd); r.code != 1 || r.out != "" || !strings.Contains(r.err, "brig: run with the user ID 1000 and the effective one") || !strings.Contains(r.err, "EPERM") {
				t.Errorf("%o %s: exit %d, %q, %q", mode, args, r.code, r.out, r.err)
			}
		}
	}
}

// No socket has a name that whoever shares the network could find.
func TestAdvisoryNoAbstractSocket(t *testing.T) {
	b := sleeper(t, `{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"ipc"},{"type":"cgroup"}]}}`)
	b.patch(`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}]}`)
	names := func() (list []string) {
		for line := range strings.Lines(reads(t, "/proc/net/unix")) {
			if f := strings.Fields(line); len(f) > 7 && strings.HasPrefix(f[7], "@") {
				list = append(list, f[7])
			}
		}
		return list
	}
	was := fmt.Sprint(names())
	b.create()
	equal(t, fmt.Sprint(names()), was)
	b.ok("start", b.id)
	equal(t, fmt.Sprint(names()), was)
	b.ok("delete", "--force", b.id)
}

// What lies in the image is not read, whatever it is called: to open one of these would
// wait for ever.
func TestAdvisoryFilesOfTheImageAreNotRead(t *testing.T) {
	b := newBox(t, `{"process":{"user":{"uid":1000,"gid":1000}}}`)
	for _, name := range []string{
		"etc/passwd", "etc/group", "etc/shadow", "etc/nsswitch.conf", "etc/ld.so.cache", "etc/localtime", "etc/hostname", "config.json",
		".krun_config.json", "run.oci", "box.nspawn", "runtime-config.json", "etc/mtab", "etc/resolv.conf",
	} {
		must(t, os.MkdirAll(b.rootfs+"/etc", 0o755))
		must(t, unix.Mkfifo(b.rootfs+"/"+name, 0o666))
	}
	before := fingerprint(t, b.rootfs)
	equal(t, b.run("echo started"), "started")
	if after := withoutMade(fingerprint(t, b.rootfs)); after != withoutMade(before) {
		t.Errorf("the root file system was\n%s\nand is\n%s", before, after)
	}
}

// withoutMade leaves out of a fingerprint what has the times of a mount point that was
// made: directories.
func withoutMade(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 2 && !strings.HasPrefix(f[2], "4") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// No program of the image is executed but the payload.
func TestAdvisoryTrojansAreNotExecuted(t *testing.T) {
	for name, patch := range map[string]string{"root": `{}`, "user namespace": withUserNamespace} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, patch)
			must(t, os.Chmod(b.rootfs+"/tmp", 0o777))
			for _, dir := range []string{"bin", "usr/bin", "sbin", "usr/sbin"} {
				for _, program := range []string{"newuidmap", "newgidmap", "nsenter", "mount", "umount", "tar", "xz", "unpigz", "criu", "ldconfig", "brig", "runc", "ip"} {
					os.Remove(b.rootfs + "/" + dir + "/" + program)
					write(t, b.rootfs+"/"+dir+"/"+program, "#!/bin/busybox sh\nbusybox touch /tmp/trojan\n")
					must(t, os.Chmod(b.rootfs+"/"+dir+"/"+program, 0o755))
				}
			}
			b.args("/bin/sleep", "1000")
			b.create()
			b.ok("start", b.id)
			b.ok("exec", b.id, "/bin/true")
			for _, verb := range []string{"pause", "resume", "ps", "state"} {
				b.ok(verb, b.id)
			}
			b.ok("delete", "--force", b.id)
			if b.exists("/tmp/trojan") {
				t.Error("a program of the image ran")
			}
		})
	}
}

// A newline in a variable reaches the payload, and no file.
func TestAdvisoryNewlinesStayInTheEnvironment(t *testing.T) {
	b := newBox(t)
	b.patch(`{"process":{"env":["PATH=/bin","HOME=/root\nevil:x:0:0::/:/bin/sh","A=b\nC=d"]}}`)
	write(t, b.rootfs+"/etc/passwd", "root:x:0:0::/:/bin/sh\n")
	equal(t, b.run(`echo "$HOME"; echo "$A"; echo "${C-unset}"`), "/root\nevil:x:0:0::/:/bin/sh\nb\nC=d\nunset")
	equal(t, reads(t, b.rootfs+"/etc/passwd"), "root:x:0:0::/:/bin/sh\n")
}

// What brig's own environment holds is in no process that it makes.
func TestAdvisoryEnvironmentOfTheCallerStaysThere(t *testing.T) {
	b := sleeper(t)
	b.env = []string{"PATH=/usr/bin:/bin", "TOKEN=of the caller", "LD_PRELOAD=/x.so"}
	b.create()
	pid := b.look().Pid
	look := func(when string) {
		t.Helper()
		if env := reads(t, fmt.Sprintf("/proc/%d/environ", pid)); strings.Contains(env, "TOKEN") || strings.Contains(env, "LD_PRELOAD") {
			t.Errorf("%s: %q", when, env)
		}
	}
	look("created")
	b.ok("start", b.id)
	look("started")
	equal(t, b.ok("exec", b.id, "env"), "PATH=/bin\nHOME=/\n")
	b.ok("delete", "--force", b.id)
}

// The container cannot reach the host by a link that it leaves at what delete removes.
func TestAdvisoryDeleteFollowsNoLink(t *testing.T) {
	b := sleeper(t)
	dir := canary(t)
	was := fingerprint(t, dir)
	b.create()
	b.ok("start", b.id)
	b.ok("exec", b.id, "sh", "-c", "rm -rf /etc /home /tmp; ln -s "+dir+" /etc; ln -s "+dir+" /home; ln -s "+dir+" /tmp")
	b.ok("delete", "--force", b.id)
	equal(t, fingerprint(t, dir), was)
}
