package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is a directory in place of a node's root, for the script of the DaemonSet. The
// systemd of the node is played by a script; the scenarios of CRI have the real one.
type node struct {
	t     *testing.T
	dir   string
	ready bool // the script has ended, and the DaemonSet's pod becomes ready
}

func newNode(t *testing.T, config string) *node {
	n := &node{t: t, dir: t.TempDir()}
	for _, dir := range []string{"host/bin", "host/containerd", "bin", "proc/4710", "proc/4711"} {
		must(t, os.MkdirAll(filepath.Join(n.dir, dir), 0o755))
	}
	n.write("brig", "the program")
	n.write("proc/4710/cmdline", strings.ReplaceAll("/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id x -address /run/containerd/containerd.sock ", " ", "\x00"))
	n.write("proc/4711/cmdline", "/usr/bin/containerd\x00")
	n.write("pid", "4711")
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

// install runs the script once; restart is the shell's for what systemctl does. The
// containers of brig on the node are the lines of the file "containers", which end one by
// one as they are looked at. It is no error if the script waits for ever.
func (n *node) install(restart string, env ...string) (string, error) {
	n.t.Helper()
	text, err := os.ReadFile(top + "/docs/kubernetes/install.sh")
	must(n.t, err)
	script := strings.NewReplacer(
		"/host/", n.dir+"/host/", " /brig ", " "+n.dir+"/brig ", "/proc/$PPID/", n.dir+"/proc/4710/", "/proc/$pid/", n.dir+"/proc/$pid/",
		"exec sleep 2147483647", "exit 75", "sleep 10", "sleep 0.1",
	).Replace(string(text))
	n.write("bin/nsenter", strings.NewReplacer("DIR", n.dir, "RESTART", restart).Replace(`#!/bin/sh
echo "$*" >>DIR/calls
case "$*" in
*" systemctl restart containerd") RESTART ;;
*" list -q")
	touch DIR/containers
	head -n 1 DIR/containers
	sed -i 1d DIR/containers ;;
*" ctr --address /run/containerd/containerd.sock plugins ls")
	printf 'TYPE                  ID  PLATFORMS   STATUS\nio.containerd.grpc.v1 cri linux/amd64 '
	if test -e DIR/strict && grep -q runtimes DIR/host/containerd/config.toml && ! grep -q runtimes.runc DIR/host/containerd/config.toml
	then echo error; else echo ok; fi ;;
*" systemctl show -p MainPID --value containerd") cat DIR/pid ;;
*" /usr/bin/containerd config dump")
	printf '[debug]\n  address = ""\n[grpc]\n  address = "/run/containerd/containerd.sock"\n'
	cat DIR/imported DIR/host/containerd/config.toml 2>/dev/null || : ;;
*" /usr/bin/containerd -c /etc/another.toml config dump") printf '[grpc]\n  address = "/run/containerd/containerd.sock"\n' ;;
*" rmdir /opt/brig/bin /opt/brig") ;;
*" /opt/brig/bin/.brig.new --version") test -x DIR/host/bin/.brig.new && ! test -e DIR/foreign ;;
*) exit 3 ;;
esac
`))
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(env, "PATH="+n.dir+"/bin:"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	n.ready = err == nil
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 75 {
		err = nil
	}
	return string(out), err
}

// calls are those on the node, but for questions to containerd.
func (n *node) calls() (list string) {
	for call := range strings.Lines(n.read("calls")) {
		if call = strings.TrimPrefix(call, "--target 1 --mount -- "); !strings.Contains(call, "MainPID") && !strings.Contains(call, "config dump") {
			list += call
		}
	}
	return list
}

// leaves checks what there is afterwards, but for brig and the configuration.
func (n *node) leaves(restarts int, ready bool) {
	n.t.Helper()
	if got := strings.Count(n.calls(), "systemctl restart containerd\n"); got != restarts {
		n.t.Errorf("containerd was restarted %d times, not %d", got, restarts)
	}
	if n.ready != ready {
		n.t.Errorf("it is ready: %v", n.ready)
	}
	files, err := filepath.Glob(n.dir + "/host/*/*")
	must(n.t, err)
	for _, f := range files {
		if name := filepath.Base(f); name != "brig" && name != "config.toml" {
			n.t.Errorf("it leaves %s", name)
		}
	}
}

// TestRolloutGoesBackInterrupted kills it when it has put the configuration back and not
// restarted containerd; the next run finds one that cannot start, and goes back once more.
func TestRolloutGoesBackInterrupted(t *testing.T) {
	n := newNode(t, "version = 2\n")
	refuses := "! grep -q runtimes.brig " + n.dir + "/host/containerd/config.toml"
	if _, err := n.install(refuses + " && kill -9 $PPID; exit 1"); err == nil {
		t.Fatal("it was not killed")
	}
	out, err := n.install(refuses)
	if err != nil || !strings.Contains(out, "does not start with the handler") {
		t.Errorf("%v: %s", err, out)
	}
	n.leaves(4, false)
	if got := n.read("host/containerd/config.toml"); got != "version = 2\n" {
		t.Errorf("the configuration is\n%s", got)
	}
}

// strict is a node whose containerd is of version 1: its CRI does not start when the
// configuration names a runtime and not runc.
func (n *node) strict() { n.write("strict", "") }

const runcOf2 = "\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc] # for brig\n"

const handlerOf2 = "\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brig]\n"

// installedOf2 is the handler with its program.
const installedOf2 = handlerOf2 + "runtime_type = \"x\"\n\n  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brig.options]\n    BinaryName = \"/opt/brig/bin/brig\"\n"

// TestRollout installs on nodes of each kind, and once more, which changes nothing.
func TestRollout(t *testing.T) {
	for name, c := range map[string]struct {
		config, table string
		runc          int
	}{
		"no configuration":  {"", handlerOf2, 1},
		"version 2":         {"version = 2\nroot = \"/x\"\n", handlerOf2, 1},
		"version 3":         {"# containerd 2\nversion = 3\n", "\n[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.brig]\n", 0},
		"in a comment":      {"version = 2\n# [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brig]\n", handlerOf2, 1},
		"two versions":      {"  version = 2\n[plugins.x]\nversion = 3\n", handlerOf2, 1},
		"runc is there":     {"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n", handlerOf2, 0},
		"runc is on a line": {"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nruntimes.runc = { runtime_type = \"x\" }\n", handlerOf2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, c.config)
			if c.runc == 1 {
				n.strict()
			}
			if out, err := n.install("exit 0"); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			n.leaves(1, true)
			config := n.read("host/containerd/config.toml")
			if !strings.HasPrefix(config, c.config) || strings.Count(config, c.table) != 1 || !strings.HasSuffix(config, "SystemdCgroup = true\n") {
				t.Errorf("the configuration is\n%s", config)
			}
			if strings.Count(config, runcOf2) != c.runc {
				t.Errorf("runc is not there %d times:\n%s", c.runc, config)
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

// TestRolloutFinds is a handler that somebody else wrote down, its name in quotes: it
// stays, and so does what runs on it.
func TestRolloutFinds(t *testing.T) {
	for _, name := range []string{`brig`, `"brig"`, `'brig'`} {
		for _, file := range []string{"host/containerd/config.toml", "imported"} {
			t.Run(name+" in "+file, func(t *testing.T) {
				n := newNode(t, "version = 2\n")
				n.write(file, "version = 2\n  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes."+name+"]\n  runtime_type = \"x\"\n")
				config := n.read("host/containerd/config.toml")
				if out, err := n.install("exit 0"); err != nil || !strings.Contains(out, "has a handler brig already") {
					t.Fatalf("%v: %s", err, out)
				}
				if out, err := n.install("exit 0", "REMOVE=true"); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				n.leaves(0, true)
				if n.read("host/containerd/config.toml") != config || n.read("host/bin/brig") != "" {
					t.Errorf("brig is there, or the configuration is\n%s", n.read("host/containerd/config.toml"))
				}
			})
		}
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
		if n.read("host/bin/brig") != "" {
			t.Error("brig is there")
		}
	})
	for config, older := range map[string]string{"version = 2\n": "an older one", "": ""} {
		t.Run("another kind of processor, configuration "+strings.TrimSpace(config), func(t *testing.T) {
			n := newNode(t, config)
			n.write("foreign", "")
			if older != "" {
				n.write("host/bin/brig", older)
			}
			if out, err := n.install("exit 0"); err == nil || !strings.Contains(out, "does not run on this node") {
				t.Errorf("%v: %s", err, out)
			}
			n.leaves(0, false)
			if n.read("host/bin/brig") != older || n.read("host/containerd/config.toml") != config {
				t.Errorf("the node has %q, and\n%s", n.read("host/bin/brig"), n.read("host/containerd/config.toml"))
			}
		})
	}
	for name, c := range map[string]struct{ file, text, config, says string }{
		"no containerd.service":           {"pid", "0", "", "no containerd.service runs"},
		"no systemd":                      {"pid", "", "version = 2\n", "no containerd.service runs"},
		"pods of another containerd":      {"proc/4710/cmdline", "shim\x00-namespace\x00k8s.io\x00-address\x00/run/k3s/containerd/containerd.sock\x00", "version = 2\n", "is not what runs the pods"},
		"pods of cri-dockerd":             {"proc/4710/cmdline", "shim\x00-namespace\x00moby\x00-address\x00/run/containerd/containerd.sock\x00", "version = 2\n", "is not what runs the pods"},
		"pods of CRI-O":                   {"proc/4710/cmdline", "/usr/bin/conmon\x00-b\x00/run\x00", "version = 2\n", "is not what runs the pods"},
		"a configuration of another name": {"proc/4711/cmdline", "/usr/bin/containerd\x00-c\x00/etc/another.toml\x00", "", "would not know the handler"},
		"the same, and there is this one": {"proc/4711/cmdline", "/usr/bin/containerd\x00-c\x00/etc/another.toml\x00", "version = 2\n", "would not know the handler"},
		"one that cannot be read":         {"proc/4711/cmdline", "/usr/bin/containerd\x00--fails\x00", "version = 2\n", "does not read its configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, c.config)
			n.write(c.file, c.text)
			if out, err := n.install("exit 0"); err == nil || !strings.Contains(out, c.says) {
				t.Errorf("%v: %s", err, out)
			}
			n.leaves(0, false)
			if n.read("host/bin/brig") != "" || n.read("host/containerd/config.toml") != c.config {
				t.Errorf("brig is there, or the configuration is\n%s", n.read("host/containerd/config.toml"))
			}
			// To take brig away is no failure where it has never been.
			if out, err := n.install("exit 1", "REMOVE=true"); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	t.Run("a link", func(t *testing.T) {
		n := newNode(t, "")
		must(t, os.Symlink("/no/such", n.dir+"/host/containerd/config.toml"))
		if out, err := n.install("exit 0"); err == nil || !strings.Contains(out, "is a symbolic link") {
			t.Errorf("%v: %s", err, out)
		}
		n.leaves(0, false)
		if target, err := os.Readlink(n.dir + "/host/containerd/config.toml"); target != "/no/such" || n.read("host/bin/brig") != "" {
			t.Errorf("brig is there, or the link is %q, %v", target, err)
		}
	})
	t.Run("the handler is hidden later", func(t *testing.T) {
		n := newNode(t, "version = 2\n")
		if out, err := n.install("exit 0"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		config := n.read("host/containerd/config.toml")
		n.write("proc/4711/cmdline", "/usr/bin/containerd\x00-c\x00/etc/another.toml\x00")
		if out, err := n.install("exit 0"); err == nil || !strings.Contains(out, "would not know the handler") {
			t.Errorf("%v: %s", err, out)
		}
		n.leaves(1, false)
		if n.read("host/bin/brig") == "" || n.read("host/containerd/config.toml") != config {
			t.Errorf("brig is gone, or the configuration is\n%s", n.read("host/containerd/config.toml"))
		}
	})
	for _, config := range []string{"version = 2\n", ""} {
		t.Run("containerd does not start, configuration "+strings.TrimSpace(config), func(t *testing.T) {
			n := newNode(t, config)
			out, err := n.install("! grep -qs brig " + n.dir + "/host/containerd/config.toml")
			if err != nil || !strings.Contains(out, "does not start with the handler") {
				t.Errorf("%v: %s", err, out)
			}
			n.leaves(2, false)
			if _, err := os.Stat(n.dir + "/host/containerd/config.toml"); n.read("host/containerd/config.toml") != config || (err != nil) != (config == "") {
				t.Errorf("the configuration is\n%s, %v", n.read("host/containerd/config.toml"), err)
			}
		})
	}
}

// TestRolloutWithoutCRI is a node whose containerd starts with the handler, but not its CRI.
func TestRolloutWithoutCRI(t *testing.T) {
	const config = "version = 2\n[plugins.x.containerd.runtimes.another]\n"
	n := newNode(t, config)
	n.strict()
	out, err := n.install("exit 0")
	if err != nil || !strings.Contains(out, "CRI does not start with the handler") {
		t.Errorf("%v: %s", err, out)
	}
	n.leaves(2, false)
	if got := n.read("host/containerd/config.toml"); got != config {
		t.Errorf("the configuration is\n%s", got)
	}
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

// TestRolloutUnreadable was killed after a change that containerd cannot read, which is
// taken back before anybody restarts it.
func TestRolloutUnreadable(t *testing.T) {
	n := newNode(t, "made wrong"+installedOf2)
	n.write("host/containerd/config.toml.before-brig", "version = 2\n")
	n.write("host/containerd/config.toml.brig-restart", "")
	n.write("proc/4711/cmdline", "/usr/bin/containerd\x00--fails\x00")
	if out, err := n.install("exit 0"); err == nil || !strings.Contains(out, "does not read its configuration") {
		t.Errorf("%v: %s", err, out)
	}
	if got := n.read("host/containerd/config.toml"); got != "version = 2\n" {
		t.Errorf("the configuration is\n%s", got)
	}
	n.write("proc/4711/cmdline", "/usr/bin/containerd\x00")
	if out, err := n.install("exit 0"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n.leaves(1, true)
}

// TestRolloutBack removes what it installed: what was there before is there again.
func TestRolloutBack(t *testing.T) {
	remove := "REMOVE=true"
	for name, c := range map[string]struct{ before, after string }{
		"no configuration": {"", ""},
		"version 2":        {"version = 2\nroot = \"/x\"\n\n[grpc]\ngid = 7\n", "version = 2\nroot = \"/x\"\n\n[grpc]\ngid = 7\n"},
		"version 3":        {"# containerd 2\nversion = 3\n", "# containerd 2\nversion = 3\n"},
		"its tables among others": {
			"version = 2\n" + installedOf2 + "\n[plugins.x.containerd.runtimes.brigantine]\ny = 2\n",
			"version = 2\n[plugins.x.containerd.runtimes.brigantine]\ny = 2\n",
		},
		"comments": {
			"version = 2\n# before\n" + installedOf2 + "# of a key\nx = 1\n\n# the GPU\n\n# do not remove\n[plugins.x.containerd.runtimes.gpu]\n# within\ny = 2\n",
			"version = 2\n# before\n# the GPU\n\n# do not remove\n[plugins.x.containerd.runtimes.gpu]\n# within\ny = 2\n",
		},
		"a comment at the end": {"version = 2\n" + installedOf2 + "# the end\n", "version = 2\n# the end\n"},
		"another that came after it": {
			"version = 2\n" + runcOf2 + "runtime_type = \"x\"\n" + installedOf2 + "[plugins.x.containerd.runtimes.another]\n",
			"version = 2\n" + runcOf2 + "runtime_type = \"x\"\n[plugins.x.containerd.runtimes.another]\n",
		},
		"another that came in another form": {
			"version = 2\n[plugins.x.containerd]\nruntimes.another = { runtime_type = \"x\" }\n" + runcOf2 + "runtime_type = \"x\"\n" + installedOf2,
			"version = 2\n[plugins.x.containerd]\nruntimes.another = { runtime_type = \"x\" }\n" + runcOf2 + "runtime_type = \"x\"\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, c.before)
			if name != "version 3" && !strings.Contains(c.before, "brig") {
				n.strict()
			}
			if out, err := n.install("exit 0"); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			n.write("calls", "")
			n.write("containers", "one\ntwo\n")
			n.write("host/bin/.brig.new", "of one that was interrupted")
			// While a container is there, so is everything.
			out, err := n.install("grep -q one "+n.dir+"/containers && exit 1; test -e "+n.dir+"/host/bin/brig", remove)
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			n.leaves(1, true)
			if strings.Count(out, "these have to end first: one\n") != 1 || strings.Count(out, "these have to end first: two\n") != 1 {
				t.Errorf("it says %s", out)
			}
			const list = "/opt/brig/bin/brig --root /run/containerd/runc/k8s.io list -q\n"
			want := strings.Repeat(list, 3) + "systemctl restart containerd\nctr --address /run/containerd/containerd.sock plugins ls\n" + list + "rmdir /opt/brig/bin /opt/brig\n"
			if got := n.calls(); got != want {
				t.Errorf("it called\n%s", got)
			}
			if got := n.read("host/containerd/config.toml"); got != c.after {
				t.Errorf("the configuration is\n%s", got)
			}
			if _, err := os.Stat(n.dir + "/host/bin/brig"); err == nil {
				t.Error("brig is left")
			}
			if out, err := n.install("exit 1", remove); err != nil || n.read("host/containerd/config.toml") != c.after {
				t.Errorf("once more: %v: %s", err, out)
			}
			n.leaves(1, true)
		})
	}
}

// TestRolloutMigrated installed it before containerd's own migration, which writes other
// quotes; or somebody moved its tables to a file that is imported.
func TestRolloutMigrated(t *testing.T) {
	migrated := strings.ReplaceAll(installedOf2, `"`, "'")
	for name, c := range map[string]struct{ config, imported string }{
		"other quotes":             {"version = 3\n" + migrated, ""},
		"another file":             {"version = 2\n", installedOf2},
		"another file, no version": {"imports = [\"x\"]\n", installedOf2},
		"other spacing":            {"version = 2\n" + strings.ReplaceAll(installedOf2, " = ", "="), ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, c.config)
			n.write("imported", c.imported)
			n.write("host/bin/brig", "an older one")
			if out, err := n.install("exit 1"); err != nil || n.read("host/bin/brig") != "the program" {
				t.Errorf("%v: %s", err, out)
			}
			n.leaves(0, true)
			if got := n.read("host/containerd/config.toml"); got != c.config {
				t.Errorf("the configuration is\n%s", got)
			}
			out, err := n.install("exit 0", "REMOVE=true")
			if c.imported != "" {
				if err == nil || !strings.Contains(out, "from another file than config.toml") || n.read("host/bin/brig") == "" {
					t.Errorf("%v: %s", err, out)
				}
				return
			}
			if err != nil || n.read("host/bin/brig") != "" || strings.Contains(n.read("host/containerd/config.toml"), "brig") {
				t.Errorf("%v: %s\n%s", err, out, n.read("host/containerd/config.toml"))
			}
			n.leaves(1, true)
		})
	}
}

// TestRolloutLinked has its configuration made a link after brig came: it stays one.
func TestRolloutLinked(t *testing.T) {
	n := newNode(t, "")
	n.write("elsewhere", "version = 2\n"+installedOf2)
	n.write("host/bin/brig", "the program")
	link := n.dir + "/host/containerd/config.toml"
	must(t, os.Symlink(n.dir+"/elsewhere", link))
	for _, env := range []string{"REMOVE=false", "REMOVE=true"} {
		if out, err := n.install("exit 0", env); err == nil || !strings.Contains(out, "is a symbolic link") {
			t.Errorf("%s: %v: %s", env, err, out)
		}
		n.leaves(0, false)
		if _, err := os.Readlink(link); err != nil || n.read("host/bin/brig") == "" {
			t.Errorf("%s: brig is gone, or the link: %v", env, err)
		}
	}
}

// TestRolloutStale was killed before a change: the older configuration that it put aside
// is not what the next runs go back to.
func TestRolloutStale(t *testing.T) {
	for _, env := range []string{"REMOVE=false", "REMOVE=true"} {
		n := newNode(t, "version = 2\n"+installedOf2)
		n.write("host/bin/brig", "the program")
		n.write("host/containerd/config.toml.before-brig", "version = 2\nlong = \"ago\"\n")
		n.write("host/containerd/config.toml.new", "half")
		if out, err := n.install("exit 0", env); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		n.leaves(strings.Count(env, "true"), true)
		if got := n.read("host/containerd/config.toml"); strings.Contains(got, "ago") {
			t.Errorf("the configuration is\n%s", got)
		}
	}
}

// TestRolloutGoesBackTwice has put the older configuration back when it is killed, and
// containerd does not start with that either: it fails no more than once.
func TestRolloutGoesBackTwice(t *testing.T) {
	n := newNode(t, "version = 2\n"+installedOf2)
	n.write("host/bin/brig", "the program")
	n.write("host/containerd/config.toml.brig-restart", "")
	out, err := n.install("exit 1")
	if err != nil || !strings.Contains(out, "does not start with the handler") {
		t.Errorf("%v: %s", err, out)
	}
	n.leaves(2, false)
}

// TestRolloutBackRefusals are nodes where brig stays.
func TestRolloutBackRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		config, restart, says string
		restarts              int
		fails                 bool
	}{
		"the default":                  {"version = 2\n[plugins.x.containerd]\n  default_runtime_name = \"brig\"\n" + installedOf2, "exit 0", "no pod would start", 0, true},
		"containerd does not start":    {"version = 2\n" + installedOf2, "grep -q runtimes.brig DIR/host/containerd/config.toml", "does not start with the handler gone", 2, false},
		"the default, in other quotes": {"version = 3\n[plugins.x.containerd]\ndefault_runtime_name = 'brig'\n" + installedOf2, "exit 0", "no pod would start", 0, true},
		"the list fails":               {"version = 2\n" + installedOf2, "exit 0", "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, c.config)
			n.write("host/bin/brig", "the program")
			if name == "the list fails" {
				must(t, os.Mkdir(n.dir+"/containers", 0o755))
			}
			out, err := n.install(strings.ReplaceAll(c.restart, "DIR", n.dir), "REMOVE=true")
			if (err != nil) != c.fails || !strings.Contains(out, c.says) {
				t.Errorf("%v: %s", err, out)
			}
			n.leaves(c.restarts, false)
			if n.read("host/containerd/config.toml") != c.config || n.read("host/bin/brig") == "" {
				t.Errorf("brig is gone, or the configuration is\n%s", n.read("host/containerd/config.toml"))
			}
		})
	}
}

// TestRolloutBackInterrupted kills it before containerd is restarted.
func TestRolloutBackInterrupted(t *testing.T) {
	n := newNode(t, "version = 2\n"+installedOf2)
	n.write("host/bin/brig", "the program")
	if _, err := n.install("kill -9 $PPID", "REMOVE=true"); err == nil {
		t.Fatal("it was not killed")
	}
	if out, err := n.install("exit 0", "REMOVE=true"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n.leaves(2, true)
	if got := n.read("host/containerd/config.toml"); got != "version = 2\n" || n.read("host/bin/brig") != "" {
		t.Errorf("brig is there, or the configuration is\n%s", got)
	}
}

// TestRolloutKeepsModes: what others may not read of the configuration stays so.
func TestRolloutKeepsModes(t *testing.T) {
	n := newNode(t, "version = 2\n")
	must(t, os.Chmod(n.dir+"/host/containerd/config.toml", 0o600))
	for _, env := range []string{"REMOVE=false", "REMOVE=true"} {
		if out, err := n.install("exit 0", env); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if info, err := os.Stat(n.dir + "/host/containerd/config.toml"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", env, info, err)
		}
	}
}
