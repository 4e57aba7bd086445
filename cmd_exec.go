package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"brig/libcontainer"
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func execCommand() *command {
	return &command{
		name:  "exec",
		usage: "run a process in a container, confined as its own",
		args:  "ID CMD [ARG...]",
		description: "The process is that of the config with what the flags change, or with --process\n" +
			"that of a file, whole; then all other flags of the process are ignored.",
		flags: []option{
			text("process", "", "`FILE` with the process as JSON", "p"),
			text("cwd", "", "working `DIR`"),
			texts("env", "`NAME=VALUE` of a variable; the last one counts", "e"),
			text("user", "", "`UID[:GID]`", "u"),
			texts("additional-gids", "`GID` of a supplementary group", "g"),
			texts("cap", "add a `CAPABILITY` to the bounding, effective and permitted sets", "c"),
			toggle("no-new-privs", "forbid new privileges"),
			text("process-label", "", "SELinux `LABEL`"),
			text("apparmor", "", "AppArmor `PROFILE`"),
			text("cgroup", "", "`PATH` of a cgroup below the container's"),
			toggle("tty", "give it a terminal", "t"),
			text("console-socket", "", "`SOCKET` that gets the terminal of a detached process"),
			toggle("detach", "do not wait", "d"),
			text("pidfd-socket", "", "`SOCKET` that gets a pidfd of the process"),
			text("pid-file", "", "write the pid to `FILE`"),
			number("preserve-fds", "pass `N` more fds"),
			toggle("ignore-paused", "allow exec in a paused container"),
		},
		action: func(c *call) error {
			c.status = libcontainer.ExecStatus
			o, err := execOptions(c)
			if err != nil {
				return err
			}
			c.status, err = runtime(c).Exec(o)
			return err
		},
	}
}

func execOptions(c *call) (*libcontainer.ExecOptions, error) {
	if len(c.args) == 0 {
		return nil, fault.Configf("", "brig exec takes the container's ID and a command, and got nothing")
	}
	if c.text("process") == "" && len(c.args) < 2 {
		return nil, fault.Configf("", "process args cannot be empty")
	}
	if c.number("preserve-fds") < 0 {
		return nil, fault.Configf("", "--preserve-fds: %d is less than 0", c.number("preserve-fds"))
	}
	o := &libcontainer.ExecOptions{
		ID: c.arg(0), Cgroup: c.text("cgroup"), Detach: c.on("detach"), IgnorePaused: c.on("ignore-paused"),
		PreserveFDs: c.number("preserve-fds"), Stdio: [3]int{0, 1, 2}, ConsoleSocket: c.text("console-socket"),
		PidfdSocket: c.text("pidfd-socket"),
		Process:     func(base *specs.Process) (*specs.Process, error) { return processOf(c, base) },
	}
	if name := c.text("pid-file"); name != "" {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, fault.Hostf("", err, "find the pid file %s", name)
		}
		o.PidFile = abs
	}
	return o, nil
}

// processOf is the process to run: that of --process, or the config's with what the
// flags change.
func processOf(c *call, base *specs.Process) (*specs.Process, error) {
	if name := c.text("process"); name != "" {
		p, warnings, err := spec.LoadProcess(name)
		for _, w := range warnings {
			warn(c, w)
		}
		return p, err
	}
	if base == nil {
		return nil, fault.Configf("/process", "the config has no process to start from").WithHint("give a whole one by --process")
	}
	p := *base
	p.Args = c.args[1:]
	p.Terminal = c.on("tty")
	p.Env = append(p.Env[:len(p.Env):len(p.Env)], c.list("env")...)
	if cwd := c.text("cwd"); cwd != "" {
		p.Cwd = cwd
	}
	if label := c.text("process-label"); label != "" {
		p.SelinuxLabel = label
	}
	if profile := c.text("apparmor"); profile != "" {
		p.ApparmorProfile = profile
	}
	p.NoNewPrivileges = p.NoNewPrivileges || c.on("no-new-privs")
	p.Capabilities = withCapabilities(p.Capabilities, c.list("cap"))
	return &p, withUser(&p.User, c.text("user"), c.list("additional-gids"))
}

// withCapabilities adds to the sets as runc does: to the ambient one only where the
// process has inheritable ones.
func withCapabilities(base *specs.LinuxCapabilities, names []string) *specs.LinuxCapabilities {
	if len(names) == 0 {
		return base
	}
	sets := specs.LinuxCapabilities{}
	if base != nil {
		sets = *base
	}
	add := func(set []string) []string { return append(set[:len(set):len(set)], names...) }
	sets.Bounding, sets.Effective, sets.Permitted = add(sets.Bounding), add(sets.Effective), add(sets.Permitted)
	if sets.Inheritable != nil {
		sets.Ambient = add(sets.Ambient)
	}
	return &sets
}

// withUser reads UID[:GID] and more groups. Without a group the config's stays.
func withUser(u *specs.User, ids string, groups []string) error {
	if ids != "" {
		uid, gid, both := strings.Cut(ids, ":")
		n, err := id("--user", uid)
		if err != nil {
			return err
		}
		u.UID = n
		if both {
			if u.GID, err = id("--user", gid); err != nil {
				return err
			}
		}
	}
	u.AdditionalGids = u.AdditionalGids[:len(u.AdditionalGids):len(u.AdditionalGids)]
	for _, g := range groups {
		n, err := id("--additional-gids", g)
		if err != nil {
			return err
		}
		u.AdditionalGids = append(u.AdditionalGids, n)
	}
	return nil
}

func id(flag, text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fault.Configf("", "%s: %q is no id: a number from 0 to 4294967295", flag, text)
	}
	return uint32(n), nil
}
