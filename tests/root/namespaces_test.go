package root_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// namespaces of /proc/self/ns, by the words of the config.
var namespaces = [...][2]string{
	{"pid", "pid"}, {"mount", "mnt"}, {"network", "net"}, {"ipc", "ipc"}, {"uts", "uts"}, {"cgroup", "cgroup"}, {"user", "user"}, {"time", "time"},
}

// readNamespaces prints all namespaces of the payload.
const readNamespaces = "for n in pid mnt net ipc uts cgroup user time; do readlink /proc/self/ns/$n; done"

func hostNamespaces(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, ns := range namespaces {
		target, err := os.Readlink("/proc/self/ns/" + ns[1])
		must(t, err)
		list = append(list, target)
	}
	return list
}

func TestNewNamespaces(t *testing.T) {
	for i, ns := range namespaces {
		t.Run(ns[0], func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if ns[0] == "user" {
				b.patch(withUserNamespace)
			}
			list := fmt.Sprintf(`[{"type":"mount"},{"type":"%s"}]`, ns[0])
			if ns[0] == "mount" {
				list = `[{"type":"mount"}]`
			}
			// Without a namespace of its own the container has the host's, and may
			// not change what is the host's.
			b.patch(`{"hostname":null,"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}],
				"linux":{"namespaces":` + list + `}}`)
			if ns[0] == "user" {
				// A user namespace does not own the host's PID namespace, so there is no proc to mount.
				b.patch(`{"mounts":null,"linux":{"maskedPaths":null,"readonlyPaths":null}}`)
				b.mount("/proc", "bind", "/proc", "rbind")
				b.mount("/dev", "tmpfs", "tmpfs")
			}
			got, host := strings.Fields(b.run(readNamespaces)), hostNamespaces(t)
			for k := range namespaces {
				own := k == i || namespaces[k][0] == "mount"
				if own == (got[k] == host[k]) {
					t.Errorf("%s: %s, the host's is %s", namespaces[k][0], got[k], host[k])
				}
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, withUserNamespace)
		b.add("/linux/namespaces", `{"type":"time"}`)
		host := hostNamespaces(t)
		for k, got := range strings.Fields(b.run(readNamespaces)) {
			if got == host[k] {
				t.Errorf("%s is the host's", namespaces[k][0])
			}
		}
	})
	t.Run("network has a loopback only", func(t *testing.T) {
		t.Parallel()
		equal(t, newBox(t).run("ls /sys/class/net"), "lo")
	})
	t.Run("init is process 1 and leads its session", func(t *testing.T) {
		t.Parallel()
		equal(t, newBox(t).run(`echo $$; cut -d' ' -f1,5,6,7 /proc/1/stat`), "1\n1 1 1 0")
	})
	t.Run("without a PID namespace it still leads its session", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, `{"linux":{"namespaces":[{"type":"mount"}]},"hostname":null,"mounts":[{"destination":"/proc","type":"proc","source":"proc"}]}`)
		equal(t, b.run(`awk '$1 == $5 && $1 == $6 { print "leads" }' /proc/$$/stat`), "leads")
	})
}

// holder is a process in new namespaces.
func holder(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := exec.Command("unshare", append(flags, "--kill-child", "sleep", "1000")...)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	dir := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	// With --fork, the one in the PID namespace is the child.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		children, _ := os.ReadFile(fmt.Sprintf("%s/task/%d/children", dir, cmd.Process.Pid))
		if child := strings.TrimSpace(string(children)); child != "" {
			if comm, _ := os.ReadFile("/proc/" + child + "/comm"); string(comm) == "sleep\n" {
				return "/proc/" + child
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the holder of namespaces does not come up")
		}
	}
}

func TestJoinNamespaces(t *testing.T) {
	needRoot(t)
	for i, ns := range namespaces {
		if ns[0] == "mount" || ns[0] == "user" {
			continue // below
		}
		t.Run(ns[0], func(t *testing.T) {
			t.Parallel()
			flag := map[string]string{"network": "--net", "cgroup": "--cgroup"}[ns[0]]
			if flag == "" {
				flag = "--" + ns[0]
			}
			path := holder(t, "--fork", flag) + "/ns/" + ns[1]
			b := newBox(t)
			list := []string{`{"type":"mount"}`, fmt.Sprintf(`{"type":%q,"path":%q}`, ns[0], path)}
			if ns[0] != "uts" {
				b.patch(`{"hostname":null}`)
			}
			b.patch(`{"linux":{"namespaces":[]},"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}]}`)
			b.add("/linux/namespaces", list...)
			want, err := os.Readlink(path)
			must(t, err)
			got := strings.Fields(b.run(readNamespaces))
			if got[i] != want {
				t.Errorf("got %s, want %s", got[i], want)
			}
			if host := hostNamespaces(t); got[i] == host[i] {
				t.Error("the holder has the host's")
			}
		})
	}
	t.Run("of another container", func(t *testing.T) {
		t.Parallel()
		first, second := newBox(t), newBox(t, `{"hostname":null}`)
		first.args("/bin/sleep", "1000")
		first.create()
		defer first.ok("delete", "--force", first.id)
		pid := first.look().Pid
		second.patch(fmt.Sprintf(`{"linux":{"sysctl":{},"namespaces":[{"type":"mount"},{"type":"cgroup"},{"type":"pid","path":"/proc/%d/ns/pid"},
			{"type":"network","path":"/proc/%d/ns/net"},{"type":"ipc","path":"/proc/%d/ns/ipc"},{"type":"uts","path":"/proc/%d/ns/uts"}]}}`, pid, pid, pid, pid))
		equal(t, second.run("hostname; cat /proc/1/comm"), "box\nbrig:created")
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command("sleep", "1000")
		maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 700000, Size: 65536}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: maps, GidMappings: maps, GidMappingsEnableSetgroups: true}
		must(t, cmd.Start())
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		dir := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
		b := newBox(t, fmt.Sprintf(`{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"},{"type":"cgroup"},
			{"type":"user","path":"%s/ns/user"}]}}`, dir))
		want, err := os.Readlink(dir + "/ns/user")
		must(t, err)
		equal(t, b.run("readlink /proc/self/ns/user; cat /proc/self/uid_map | tr -s ' '; id -u"), want+"\n 0 700000 65536\n0")
	})
	rows := []refusal{}
	for _, c := range [...][3]string{
		{"network", "uts", "EINVAL"}, {"uts", "ipc", "EINVAL"}, {"ipc", "net", "EINVAL"}, {"pid", "uts", "EINVAL"}, {"cgroup", "net", "EINVAL"},
	} {
		patch := fmt.Sprintf(`{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":%q,"path":"/proc/self/ns/%s"}]}}`, c[0], c[1])
		rows = append(rows, refusal{name: c[0] + " by the path of " + c[1], patch: patch, want: []string{"/linux/namespaces/1/path", c[2]}})
	}
	rows = append(rows,
		refusal{
			name: "path of a file", patch: `{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":"network","path":"/etc/passwd"}]}}`,
			want: []string{"/linux/namespaces/1/path", "EINVAL"},
		}, refusal{
			name: "no such path", patch: `{"hostname":null,"linux":{"namespaces":[{"type":"mount"},{"type":"network","path":"/not/there"}]}}`,
			want: []string{"/linux/namespaces/1/path", "ENOENT"},
		})
	refuse(t, rows)
}

func TestUserNamespace(t *testing.T) {
	observe(t, []seen{
		{
			name: "maps", patch: withUserNamespace, script: "tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map; cat /proc/self/setgroups; id -u; id -g",
			want: " 0 700000 65536\n 0 800000 65536\nallow\n0\n0",
		},
		{
			name: "several ranges", patch: withUserNamespace, make: func(b *box) {
				b.patch(`{"linux":{"uidMappings":[{"containerID":0,"hostID":700000,"size":10},{"containerID":10,"hostID":5,"size":1},{"containerID":100,"hostID":900000,"size":7}]}}`)
			}, script: "tr -s ' ' </proc/self/uid_map", want: " 0 700000 10\n 10 5 1\n 100 900000 7",
		},
		{
			name: "root is not mapped", patch: withUserNamespace, make: func(b *box) {
				b.patch(`{"process":{"user":{"uid":1000,"gid":1000}},"linux":{"uidMappings":[{"containerID":1000,"hostID":701000,"size":1}],"gidMappings":[{"containerID":1000,"hostID":801000,"size":1}]}}`)
			}, script: "id -u; id -g", want: "1000\n1000",
		},
		{
			name: "a user of it", patch: withUserNamespace, make: func(b *box) {
				b.patch(`{"process":{"user":{"uid":1000,"gid":1001,"additionalGids":[5,6]}}}`)
			}, script: "id -u; id -g; id -G", want: "1000\n1001\n1001 5 6",
		},
		{
			name: "files of the host's root belong to nobody", patch: withUserNamespace, script: "stat -c %u:%g /home; ! touch /home/x 2>/dev/null && echo refused",
			want: "65534:65534\nrefused",
		},
		{
			name: "id-mapped root file system", patch: withUserNamespace, make: func(b *box) {
				b.config["mounts"] = append([]any{decode(b.t, `{"destination":"/","type":"bind","source":"rootfs","options":["rbind","idmap"]}`)}, b.config["mounts"].([]any)...)
			}, script: "stat -c %u:%g /home; touch /home/x && stat -c %u:%g /home/x", want: "0:0\n0:0",
			after: func(b *box) {
				info, err := os.Stat(b.rootfs + "/home/x")
				must(b.t, err)
				if s := fmt.Sprintf("%+v", info.Sys()); !strings.Contains(s, "Uid:0 Gid:0") {
					b.t.Errorf("the file is %s", s)
				}
			},
		},
		{
			name: "read-only root and masks", patch: withUserNamespace, make: func(b *box) { b.patch(`{"root":{"readonly":true}}`) },
			script: options + "options /; cat /proc/keys | wc -c; ls /dev/mqueue | wc -l", want: "ro,relatime master\n0\n0",
		},
	})
}
