package plan

import (
	"brig/libcontainer/fault"
	"brig/nsenter"
)

// constraint says that every step of one section comes before every step of
// another, and why.
type constraint struct {
	before, after, why string
}

// constraints is the order that the program's security and its meaning rest on.
var constraints = [...]constraint{
	{"stage", "namespaces", "nobody may look into the stage while it holds fds of the host (CVE-2016-9962)"},
	{"stage", "labelproc", "nobody may look into the stage while it holds fds of the host (CVE-2016-9962)"},
	{"labelproc", "join", "the path of /proc means the host's"},
	{"label", "fds", "labels are written by an fd of the host's /proc"},
	{"label", "keyring", "the keyring is born with its label"},
	{"label", "noNewPrivileges", "a change of labels could be one of privileges"},
	{"namespaces", "join", "paths of namespaces mean the host's files"},
	{"sources", "join", "sources are opened with the host's paths and privileges"},
	{"sources", "root", "every source is opened before the first target is touched (CVE-2021-30465)"},
	{"container-sources", "root", "every source is opened before the first target is touched (CVE-2021-30465)"},
	{"rlimits-raise", "join", "a user namespace has no privilege over limits"},
	{"sources", "timeOffsets", "sources are opened before any namespace is made"},
	{"timeOffsets", "join", "the clocks are set with the host's privileges"},
	{"timeOffsets", "fork", "the clocks are fixed when init enters the namespace"},
	{"fork", "clocks", "an ordinary user has the privilege in his new user namespace alone"},
	{"clocks", "ids", "the files of a process that is not dumpable belong to the host's root"},
	{"join", "fork", "init is born in the namespaces that it joins"},
	{"sources", "placed", "what can be done while systemd works is done"},
	{"placed", "fork", "init is born in its cgroup"},
	{"fork", "ids", "init takes its ids in its user namespace"},
	{"place", "ids", "the root of a user namespace may not search the directories above the root file system"},
	{"ids", "session", "the cgroup namespace belongs to the container's user namespace"},
	{"session", "handles", "the cgroup namespace is one of those that hooks enter"},
	{"handles", "label", "labels are what closes the host's /proc"},
	{"handles", "root", "the path of /proc means the host's"},
	{"propagation", "root", "nothing is mounted while the host can see it"},
	{"mask", "root", "the cover lies below the root, where pivot_root drops it"},
	{"root", "mounts", "targets are resolved in the container's root"},
	{"mounts", "devices", "nodes and links go into the /dev that is mounted"},
	{"devices", "hooks", "hooks of create find all that the config mounts"},
	{"hooks", "sysctl", "parameters of a network interface that a hook makes"},
	{"hooks", "readonlyPaths", "what a hook mounts would not be covered"},
	{"hooks", "maskedPaths", "what a hook mounts would uncover what is masked"},
	{"hooks", "readonly", "hooks make targets in a tree that can be written"},
	{"mounts", "maskedPaths", "a later mount would uncover what is masked"},
	{"mounts", "readonlyPaths", "a later mount would not be covered"},
	{"netDevices", "sysctl", "a device has its parameters once it is there"},
	{"sysctl", "readonlyPaths", "/proc/sys becomes read-only"},
	{"readonlyPaths", "maskedPaths", "the clone for a read-only path would carry its masks twice"},
	{"mounts", "console", "the terminal is made on the container's own devpts"},
	{"session", "console", "only the leader of a session has a controlling terminal"},
	{"devices", "console", "what is mounted on /dev/console is final"},
	{"console", "readonly", "/dev/console is made in a tree that can be written"},
	{"console", "pivot", "mounts are made before the host's tree goes"},
	{"console", "stdio", "the terminal is what the payload finds as stdio"},
	{"devices", "readonly", "nodes are made in a tree that can be written"},
	{"makecwd", "readonly", "the working directory is made in a tree that can be written"},
	{"maskedPaths", "pivot", "covers are cloned from a tree that pivot_root drops"},
	{"readonly", "pivot", "the host's tree goes only when the container's is final"},
	{"pivot", "ready", "a container that is reported is complete"},
	{"lookup", "ready", "a missing executable is an error of create"},
	{"ready", "start", "brig must have written the state before anyone can start"},
	{"start", "fds", "the socket for the start is one of the fds to close"},
	{"fds", "cwd", "no name of the config may lead through a fd of the host (CVE-2024-21626)"},
	{"cwd", "uid", "the directory may be open to root only"},
	{"keyring", "seccomp", "the profile need not allow what the runtime calls"},
	{"umask", "exec", "the payload starts with its umask"},
	{"rlimits", "uid", "limits are set with the privileges of the container's root"},
	{"personality", "seccomp", "the profile need not allow what the runtime calls"},
	{"scheduler", "uid", "real-time policies need the privileges of the container's root"},
	{"ioPriority", "uid", "the real-time class needs the privileges of the container's root"},
	{"memoryPolicy", "seccomp", "the profile need not allow what the runtime calls"},
	{"bounding", "uid", "dropping from the bounding set needs CAP_SETPCAP"},
	{"groups", "gid", "setgroups needs CAP_SETGID, which the user may not keep"},
	{"gid", "uid", "setresgid needs CAP_SETGID, which the user may not keep"},
	{"uid", "capabilities", "a change of user clears capability sets"},
	{"uid", "latecwd", "the second try is the user's"},
	{"latecwd", "capabilities", "the working directory is entered before the sets are final"},
	{"capabilities", "noNewPrivileges", "the sets are final before execve can no longer change them"},
	{"noNewPrivileges", "seccomp", "the filter is last: it need allow nothing of the runtime but execve"},
	{"timings", "seccomp", "the filter is last: it need allow nothing of the runtime but execve"},
	{"seccomp", "exec", "the payload never runs without its filter"},
}

// checkOrder checks the constraints on a program. Instructions of the parent part
// come last in the program and run beside the container's.
func checkOrder(p *nsenter.Program) error {
	runs := sectionRuns(p)
	for i := range constraints {
		k := &constraints[i]
		last, first := -1, len(runs)
		for i := range runs {
			if runs[i] == k.before {
				last = i
			}
			if runs[i] == k.after && i < first {
				first = i
			}
		}
		if last > first {
			return fault.Bugf("plan: %q comes before %q, and must not: %s", k.after, k.before, k.why)
		}
	}
	return nil
}

// sectionRuns are the sections of a program's steps, in order, each run of steps
// of one section once.
func sectionRuns(p *nsenter.Program) []string {
	runs := make([]string, 0, 64)
	for i := range p.Steps {
		if s := p.Steps[i].Section; len(runs) == 0 || runs[len(runs)-1] != s {
			runs = append(runs, s)
		}
	}
	return runs
}
