package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is a directory in place of a node's root, for the script of the DaemonSet. The
// systemd of the node is played by a script; the scenarios of CRI have the real one.
type node struct {
	t   *testing.T
	dir string
}

func newNode(t *testing.T, config string) *node {
	n := &node{t, t.TempDir()}
	for _, dir := range []string{"host/bin", "host/containerd", "tmp", "bin"} {
		must(t, os.MkdirAll(filepath.Join(n.dir, dir), 0o755))
	}
	n.write("brig", "the program")
	if config != "" {
		n.write("host/containerd/config.toml", config)
	}
	return n
}

func (n *node) write(name, text string) {
	n.t.Helper()
	must(n.t, os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o755))
}

// read is "" for a file that is not there.
func (n *node) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(n.dir, name))
	return string(text)
}

// install runs the script once; restart is the shell's for what systemctl does.
func (n *node) install(restart string, env ...string) (string, error) {
	n.t.Helper()
	text, err := os.ReadFile(top + "/docs/kubernetes/install.sh")
	must(n.t, err)
	script := strings.NewReplacer(
		"/host/", n.dir+"/host/", " /brig ", " "+n.dir+"/brig ", "/tmp/installed", n.dir+"/tmp/installed", "exec sleep 2147483647", "exit 0",
	).Replace(string(text))
	n.write("bin/nsenter", "#!/bin/sh\necho \"$*\" >>"+n.dir+"/restarts\n"+restart+"\n")
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(env, "PATH="+n.dir+"/bin:"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// leaves checks what there is afterwards, but for brig and the configuration.
func (n *node) leaves(restarts int, installed bool) {
	n.t.Helper()
	if got := strings.Count(n.read("restarts"), "--target 1 --mount -- systemctl restart containerd\n"); got != restarts {
		n.t.Errorf("containerd was restarted %d times, not %d", got, restarts)
	}
	if _, err := os.Stat(n.dir + "/tmp/installed"); (err == nil) != installed {
		n.t.Errorf("it says that it is installed: %v", err == nil)
	}
	files, err := filepath.Glob(n.dir + "/host/*/*")
	must(n.t, err)
	for _, f := range files {
		if name := filepath.Base(f); name != "brig" && name != "config.toml" {
			n.t.Errorf("it leaves %s", name)
		}
	}
}

const handlerOf2 = "\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brig]\n"

// TestRollout installs on nodes of each kind, and once more, which changes nothing.
func TestRollout(t *testing.T) {
	for name, c := range map[string]struct{ config, table string }{
		"no configuration": {"", handlerOf2},
		"version 2":        {"version = 2\nroot = \"/x\"\n", handlerOf2},
		"version 3":        {"# containerd 2\nversion = 3\n", "\n[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.brig]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, c.config)
			if out, err := n.install("exit 0"); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			n.leaves(1, true)
			config := n.read("host/containerd/config.toml")
			if !strings.HasPrefix(config, c.config) || strings.Count(config, c.table) != 1 || !strings.HasSuffix(config, "SystemdCgroup = true\n") {
				t.Errorf("the configuration is\n%s", config)
			}
			if n.read("host/bin/brig") != "the program" {
				t.Error("brig is not there")
			}
			if out, err := n.install("exit 1"); err != nil || n.read("host/containerd/config.toml") != config {
				t.Errorf("once more: %v: %s\n%s", err, out, n.read("host/containerd/config.toml"))
			}
			n.leaves(1, true)
		})
	}
}

// TestRolloutDriver is a node whose kubelet keeps the cgroups itself.
func TestRolloutDriver(t *testing.T) {
	n := newNode(t, "version = 2\n")
	if out, err := n.install("exit 0", "SYSTEMD_CGROUP=false"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if config := n.read("host/containerd/config.toml"); !strings.HasSuffix(config, "\nSystemdCgroup = false\n") {
		t.Errorf("the configuration is\n%s", config)
	}
}

// TestRolloutRefusals are nodes that stay as they were, and say why.
func TestRolloutRefusals(t *testing.T) {
	t.Run("no version", func(t *testing.T) {
		n := newNode(t, "disabled_plugins = [\"cri\"]\n")
		if out, err := n.install("exit 0"); err == nil || !strings.Contains(out, `has no line "version = 2" or 3`) {
			t.Errorf("%v: %s", err, out)
		}
		n.leaves(0, false)
	})
	t.Run("containerd does not start", func(t *testing.T) {
		n := newNode(t, "version = 2\n")
		out, err := n.install("! grep -q brig " + n.dir + "/host/containerd/config.toml")
		if err != nil || !strings.Contains(out, "does not start with the handler") {
			t.Errorf("%v: %s", err, out)
		}
		n.leaves(2, false)
		if got := n.read("host/containerd/config.toml"); got != "version = 2\n" {
			t.Errorf("the configuration is\n%s", got)
		}
	})
}

// TestRolloutInterrupted kills it before containerd is restarted: the next run does so.
func TestRolloutInterrupted(t *testing.T) {
	n := newNode(t, "version = 2\n")
	if _, err := n.install("kill -9 $PPID"); err == nil {
		t.Fatal("it was not killed")
	}
	if out, err := n.install("exit 0"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n.leaves(2, true)
	if config := n.read("host/containerd/config.toml"); strings.Count(config, handlerOf2) != 1 {
		t.Errorf("the configuration is\n%s", config)
	}
}
