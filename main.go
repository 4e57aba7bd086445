// What the Go runtime makes of cgroups serves nobody here. It looks at them once at
// every start all the same (Go 1.26), but keeps nothing open and does not look again.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// brig is a minimal, hardened OCI container runtime.
package main

import (
	"fmt"
	"io"
	"os"

	"brig/libcontainer"
	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Set by the linker.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

// specVersion is the newest runtime-spec that brig knows all fields of.
const specVersion = "1.3.0"

const summary = "minimal, hardened OCI container runtime"

const description = `A container is started in two halves, as engines do it, or at once:

  brig create -b BUNDLE ID    make the container; its init waits
  brig start ID               let init execute the payload
  brig run -b BUNDLE ID       both, wait for its end, and delete it

brig plan shows every system call of a start before it is made.`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	c := &call{stdout: stdout, stderr: stderr}
	err := ownIDs()
	if err == nil {
		err = c.run(args)
	}
	if err != nil {
		return report(stderr, err, c.status)
	}
	return c.status
}

// ownIDs refuses to work for one user with the privileges of another: whoever may start
// containers of his choice as root is root. Set-user-ID runtimes had that as their flaw
// (CVE-2020-5291). The kernel said the IDs when it executed brig, in its auxiliary vector.
func ownIDs() error {
	const atUID, atEUID, atGID, atEGID = 11, 12, 13, 14 // of linux/auxvec.h
	auxv, err := unix.Auxv()
	if err != nil {
		return fault.Hostf("", err, "read the auxiliary vector")
	}
	var ids [atEGID + 1]uintptr
	for _, v := range auxv {
		if v[0] < uintptr(len(ids)) {
			ids[v[0]] = v[1]
		}
	}
	if ids[atUID] == ids[atEUID] && ids[atGID] == ids[atEGID] {
		return nil
	}
	return fault.Hostf("", unix.EPERM, "run with the user ID %d and the effective one %d, the group ID %d and the effective one %d",
		ids[atUID], ids[atEUID], ids[atGID], ids[atEGID]).WithHint("brig must not be set-user-ID or set-group-ID; use sudo")
}

func globalFlags() []option {
	return []option{
		toggle("debug", "log more"),
		text("log", "", "append the log to `FILE` and not only to stderr"),
		text("log-format", "text", "format of the log: text or json"),
		text("log-level", "", "error, warning or debug: what goes to the log"),
		text("cgroup-manager", "", "cgroupfs, systemd, or disabled for containers without a cgroup"),
		text("root", defaultRoot(), "`DIR` with the state of all containers"),
		toggle("systemd-cgroup", "let systemd make the cgroups of containers"),
		text("rootless", "auto", "auto, true or false; false wants a cgroup of an ordinary user too, true the user's systemd"),
		toggle("version", "print the version", "v"),
	}
}

// table is the command table, one file each. Only the command of the command line is made.
var table = [...]row{
	{"create", createCommand},
	{"delete", deleteCommand},
	{"events", eventsCommand},
	{"exec", execCommand},
	{"features", featuresCommand},
	{"kill", killCommand},
	{"list", listCommand},
	{"pause", pauseCommand},
	{"plan", planCommand},
	{"ps", psCommand},
	{"resume", resumeCommand},
	{"run", runCommand},
	{"spec", specCommand},
	{"start", startCommand},
	{"state", stateCommand},
	{"update", updateCommand},
}

// defaultRoot is per user: what an ordinary user starts is nobody else's.
func defaultRoot() string {
	root := os.Geteuid() == 0
	dir := os.Getenv("XDG_RUNTIME_DIR")
	// Rootless engines run brig as root of a user namespace, with nothing but that in
	// its environment.
	if dir != "" && (!root || libcontainer.InUserNamespace()) {
		return dir + "/brig"
	}
	if root {
		return "/run/brig"
	}
	return fmt.Sprintf("/tmp/brig-%d", os.Geteuid())
}

// runtime is what the global flags say of the runtime.
func runtime(c *call) *libcontainer.Runtime {
	manager := c.text("cgroup-manager")
	var rootless *bool
	if text := c.text("rootless"); text != "auto" {
		set := text == "true"
		rootless = &set
	}
	return &libcontainer.Runtime{
		Rootless: rootless, Root: c.text("root"),
		NoCgroup: manager == "disabled", Systemd: manager == "systemd" || manager == "" && c.on("systemd-cgroup"),
		Warn: func(text string) { warn(c, text) },
	}
}
