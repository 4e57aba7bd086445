package root_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What engines read out of brig's words, with their own patterns: each row names the
// client and the place in it.
var matched = []struct {
	client  string
	pattern string // as the client writes it
	lower   bool   // the client makes the text lower case first
	args    func(b *box) []string
	code    int
	alone   string // why it is not so with runc
}{
	{
		client: "containerd process/init.go: delete of an unknown container is success", pattern: `does not exist`,
		args: func(*box) []string { return []string{"delete", "nobody"} }, code: 1,
	},
	{
		client: "containerd process/utils.go: kill of an unknown container", pattern: `does not exist`,
		args: func(*box) []string { return []string{"kill", "nobody", "9"} }, code: 1,
	},
	{
		client: "containerd process/utils.go: kill of a stopped container", pattern: `os: process already finished|container not running`,
		args: func(b *box) []string { return []string{"kill", b.stopped(), "9"} }, code: 1,
	},
	{
		client: "cri-o runtime_oci.go: kill of a stopped container", pattern: `no such process|container not running|invalid process`,
		args: func(b *box) []string { return []string{"kill", b.stopped(), "TERM"} }, code: 1,
	},
	{
		client: "BuildKit executor/runcexecutor: kill of a stopped container", pattern: `container not running|container does not exist|no such process`, lower: true,
		args: func(b *box) []string { return []string{"kill", b.stopped(), "KILL"} }, code: 1,
	},
	{
		client: "BuildKit executor/runcexecutor: kill of an unknown container", pattern: `container not running|container does not exist|no such process`, lower: true,
		args: func(*box) []string { return []string{"kill", "nobody", "KILL"} }, code: 1,
	},
	{
		client: "moby libcontainerd: an unknown container is not found", pattern: `container does not exist|not found|no such container`, lower: true,
		args: func(*box) []string { return []string{"delete", "nobody"} }, code: 1,
	},
	{
		client: "podman oci_conmon_linux.go: no checkpoints", pattern: `checkpoint`,
		args: func(*box) []string { return []string{"checkpoint", "--help"} }, code: 1, alone: "runc makes them",
	},
	{
		client: "podman oci_util.go: exec of a directory is 126", pattern: `(?i)permission denied|operation not permitted`,
		args: func(b *box) []string { return []string{"exec", b.running(), "/etc"} }, code: 255,
	},
	{
		client: "podman oci_util.go: exec of what cannot be executed is 126", pattern: `(?i)permission denied|operation not permitted`,
		args: func(b *box) []string {
			write(b.t, b.rootfs+"/text", "x")
			return []string{"exec", b.running(), "/text"}
		}, code: 255,
	},
	{
		client: "podman oci_util.go: exec of nothing is 127", pattern: `(?i)executable file not found in|no such file or directory|open executable`,
		args: func(b *box) []string { return []string{"exec", b.running(), "nosuch"} }, code: 255,
	},
	{
		client: "podman test/system/030-run.bats: exec of an empty name", pattern: `exec: "": executable file not found in \$PATH`,
		args: func(b *box) []string { return []string{"exec", b.running(), ""} }, code: 255,
	},
	{
		client: "moby daemon/errors.go: exec of nothing is 127", pattern: `executable file not found|no such file or directory`, lower: true,
		args: func(b *box) []string { return []string{"exec", b.running(), "/no/such"} }, code: 255,
	},
	{
		client: "moby daemon/errors.go: create of nothing is 127", pattern: `executable file not found|no such file or directory`, lower: true,
		args: func(b *box) []string {
			b.args("nosuch")
			b.save()
			return []string{"create", "--bundle", b.bundle, b.id + "-other"}
		}, code: 1,
	},
	{
		client: "moby daemon/errors.go: create of a directory is 126", pattern: `permission denied|is a directory`, lower: true,
		args: func(b *box) []string {
			b.args("/etc")
			b.save()
			return []string{"create", "--bundle", b.bundle, b.id + "-other"}
		}, code: 1,
	},
	{
		client: "moby daemon/errors.go: a file on a directory is the user's mistake", pattern: `not a directory`, lower: true,
		args: func(b *box) []string {
			b.mount("/bin", "bind", "/etc/passwd", "bind")
			b.save()
			return []string{"create", "--bundle", b.bundle, b.id + "-other"}
		}, code: 1,
	},
	{
		client: "runc tests/integration: create twice", pattern: `container with given ID already exists`,
		args: func(b *box) []string {
			b.running()
			return []string{"create", "--bundle", b.bundle, b.id}
		}, code: 1,
	},
	{
		client: "runc tests/integration: start twice", pattern: `cannot start an already running container`,
		args: func(b *box) []string { return []string{"start", b.running()} }, code: 1,
	},
	{
		client: "runc tests/integration: delete of what runs", pattern: `cannot delete container .* that is not stopped: running`,
		args: func(b *box) []string { return []string{"delete", b.running()} }, code: 1,
	},
	{
		client: "cri-o pkg/config: combined output of --version", pattern: `^brig version \S+\ncommit: \S+\nspec: 1\.3\.0\n`,
		args: func(*box) []string { return []string{"--version"} }, alone: "runc says its own name",
	},
	{
		client: "moby daemon/info_unix.go: --version has a word version and a line commit:", pattern: `(?m)version [^ \n]+\n(.*\n)*commit: `,
		args: func(*box) []string { return []string{"--version"} },
	},
}

// running starts the box's container and returns its ID.
func (b *box) running() string {
	b.args("/bin/sleep", "1000")
	b.create()
	b.ok("start", b.id)
	b.t.Cleanup(func() { b.ok("delete", "--force", b.id) })
	return b.id
}

// stopped is a container whose payload has ended.
func (b *box) stopped() string {
	b.args("/bin/true")
	b.create()
	b.ok("start", b.id)
	b.wait()
	b.t.Cleanup(func() { b.ok("delete", "--force", b.id) })
	return b.id
}

func TestClientsFindTheirWords(t *testing.T) {
	for _, m := range matched {
		t.Run(strings.ReplaceAll(m.client, "/", "."), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			log := b.dir + "/log.json"
			args := append([]string{"--log", log, "--log-format=json"}, m.args(b)...)
			r := b.brig(args...)
			text := r.out + r.err
			if m.lower {
				text = strings.ToLower(text)
			}
			pattern := regexp.MustCompile(m.pattern)
			if r.code != m.code || !pattern.MatchString(text) {
				t.Errorf("exit %d, %q does not match %s", r.code, text, m.pattern)
			}
			if m.code == 0 {
				return
			}
			// podman decodes the whole file as one object, containerd the last of many.
			var record struct{ Level, Msg, Time string }
			raw := reads(t, log)
			if err := json.Unmarshal([]byte(raw), &record); err != nil || strings.Count(raw, "\n") != 1 {
				t.Fatalf("the log is no single object: %v: %q", err, raw)
			}
			if _, err := time.Parse(time.RFC3339, record.Time); err != nil || record.Level != "error" || !strings.Contains(r.err, record.Msg) {
				t.Errorf("the log says %+v (%v), stderr %q", record, err, r.err)
			}
			if strings.Contains(m.pattern, "not found") && strings.Contains(strings.ToLower(record.Msg), "permission denied") {
				t.Errorf("podman would take this for 126: %q", record.Msg)
			}
		})
	}
}

// TestClientsFindTheSameInRunc has runc do the same: the client finds its words there as
// well, and the exit code is the same. So each row is something that a client can meet.
func TestClientsFindTheSameInRunc(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip("needs runc: ", err)
	}
	for _, m := range matched {
		if m.alone != "" {
			continue
		}
		t.Run(strings.ReplaceAll(m.client, "/", "."), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.other = runc
			log := b.dir + "/log.json"
			r := b.brig(append([]string{"--log", log, "--log-format=json"}, m.args(b)...)...)
			text := r.out
			if m.code != 0 {
				var record struct{ Msg string }
				for line := range strings.Lines(reads(t, log)) {
					must(t, json.Unmarshal([]byte(line), &record))
				}
				text += record.Msg
			}
			if m.lower {
				text = strings.ToLower(text)
			}
			if !regexp.MustCompile(m.pattern).MatchString(text) || r.code != m.code {
				t.Errorf("exit %d and not %d, %q does not match %s", r.code, m.code, text, m.pattern)
			}
		})
	}
}

// TestClientsWordsAreWritten: the page of errors says what each client looks for.
func TestClientsWordsAreWritten(t *testing.T) {
	page := reads(t, "../../docs/errors.md")
	rows := 0
	for _, m := range matched {
		if m.code != 0 {
			rows++
		}
		where, what, _ := strings.Cut(m.client, ": ")
		row := "| " + what + " | " + where + " | `" + strings.ReplaceAll(m.pattern, "|", `\|`) + "` |\n"
		if m.code != 0 && !strings.Contains(page, row) {
			t.Errorf("docs/errors.md does not say\n%s", row)
		}
	}
	_, table, _ := strings.Cut(page, "| when | who looks | for |\n| --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if got := strings.Count(table+"\n", "\n"); got != rows {
		t.Errorf("docs/errors.md has %d rows for %d", got, rows)
	}
}

// The command lines of engines, word for word but for the paths.
func TestClientsCommandLines(t *testing.T) {
	b := newBox(t)
	b.args("/bin/sleep", "1000")
	b.save()
	write(t, b.dir+"/process.json", `{"args":["/bin/true"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0}}`)
	pid, log := b.dir+"/pid", b.dir+"/log.json"
	shim := []string{"--root", b.state, "--debug", "--log", log, "--log-format", "json", "--rootless=auto"}
	for _, c := range []struct {
		client string
		args   []string
		code   int
	}{
		{"containerd's shim creates", append(shim, "create", "--bundle", b.bundle, "--pid-file", pid, b.id), 0},
		{"podman starts", []string{"start", b.id}, 0},
		{"conmon executes", []string{"--log-format=json", "--log", log, "exec", "--pid-file", pid + "2", "--process", b.dir + "/process.json", "--detach", b.id}, 0},
		{"cri-o executes", []string{"--root", b.state, "exec", "--process", b.dir + "/process.json", b.id}, 0},
		{"cri-o asks for the state", []string{"--root=" + b.state, "state", b.id}, 0},
		{"containerd's shim lists", append(shim, "list", "--format=json"), 0},
		{"buildah kills without a signal", []string{"kill", b.id}, 0}, // the first process ignores it
		{"containerd's shim kills all", append(shim, "kill", "--all", b.id, "9"), 0},
		{"cri-o kills all of what may have ended", []string{"kill", "-a", b.id, "9"}, 0},
		{"podman deletes", []string{"delete", "--force", b.id}, 0},
		{"podman deletes once more", []string{"delete", "--force", b.id}, 0},
		{"cri-o asks for the features", []string{"features"}, 0},
	} {
		cmd := b.command(c.args...)
		cmd.Stdin = nil
		cmd.Stdout, _ = os.Create(b.dir + "/out")
		cmd.Stderr, _ = os.Create(b.dir + "/err")
		code, err := status(cmd.Run())
		must(t, err)
		if code != c.code {
			t.Errorf("%s: exit %d, %s", c.client, code, reads(t, b.dir+"/err"))
		}
		if strings.Contains(c.client, "creates") {
			// go-runc and podman read the number without trimming.
			if text := reads(t, pid); !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(text) {
				t.Errorf("the pid file reads %q", text)
			}
		}
		if strings.Contains(c.client, "kills all") {
			b.wait()
		}
	}
}
