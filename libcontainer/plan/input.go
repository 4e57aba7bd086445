package plan

import (
	"slices"

	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Input is everything that the compiler looks at.
type Input struct {
	ID     string
	Spec   *specs.Spec
	Bundle string // absolute; relative mount sources start here
	Rootfs string // absolute path of the root file system
	Host   Host

	// Filter is the compiled /linux/seccomp, nil without one.
	Filter *seccomp.Filter
	// Secret lets the filter's listener out, if it has one; see package seccomp.
	Secret seccomp.Secret
	// Cgroup says that the stage is handed the fd of the container's cgroup.
	Cgroup bool
	// Placed says that systemd puts the stage's first process into the cgroup, where
	// init is born then.
	Placed bool
	// Run says that the word to go on is the start: there is no start socket.
	Run bool
	// PreserveFDs is how many fds beyond stdio the payload keeps.
	PreserveFDs  int
	NoPivot      bool
	NoNewKeyring bool
	// Join is set for a process that enters a container, nil for a new container.
	Join *Joined
	// Hook is set for a hook that enters a container, in place of the payload.
	Hook *Hook
	// IDMaps are the mappings of mounts for which the stage is handed user namespaces.
	IDMaps []IDMap
	// Links are the symbolic links that stand where the mounts with copy-symlink have
	// their sources, by index: what they lead to.
	Links map[int]string
	// CopyUps are the files that the mounts with tmpcopyup copy, by index. Without an
	// entry there is no such directory.
	CopyUps map[int]*Tree
	// Timings asks for a clock reading at the beginning of every step.
	Timings bool
}

// Joined is what a process that enters a container has to know of it.
type Joined struct {
	// Namespaces are the CLONE_ flags of those of init that are not brig's own.
	Namespaces uint64
	// Handles are the namespaces that init has handed over, by their CLONE_ flags in the
	// order in which they are joined, the cgroup namespace apart: empty where init's pidfd
	// leads into all.
	Handles []uint64
	// Root says that the container's root is not that of its mount namespace: the
	// stage is handed it.
	Root bool
}

// Hook is what a hook differs in from a payload.
type Hook struct {
	Path string   // what is executed, whatever args[0] is
	Env  []string // the whole environment; nil for that of the payload
	// Host says that it is a program of the host, which runs in the container's
	// namespaces before they have the container's root.
	Host bool
}

// Host holds the facts about this machine that change what is compiled.
type Host struct {
	// Rootless says that brig does not have the capabilities of the initial user
	// namespace: sources are then opened inside the new one.
	Rootless bool
	// InUserNamespace says that brig is root of a user namespace only, as in a
	// container, or as rootless engines run it: the kernel makes no device nodes there.
	InUserNamespace bool
	// SetgroupsDenied says that the group map was written by an ordinary user
	// without newgidmap, so that the kernel refuses setgroups(2); of a container or a
	// user namespace to join, that this says so.
	SetgroupsDenied bool
	// CloneDetached says that the kernel clones a mount that is attached nowhere
	// (6.15). Without it the cover of masked paths is attached while it is cloned.
	CloneDetached bool
	// AppArmor and SELinux say that the security module is at work. They are looked
	// for only where the config has a label for it.
	AppArmor, SELinux bool
	// Withheld are the capabilities that brig does not hold itself, as a bit mask.
	Withheld uint64
	// HardLimits are brig's own hard resource limits, by RLIMIT_ number, for those
	// that the config sets.
	HardLimits map[int]uint64
}

// controlFD and the fds after it are handed to the stage in this order.
func (in *Input) controlFD() int { return 3 + in.PreserveFDs }

func (in *Input) cgroupFD() int { return in.controlFD() + 1 }

func (in *Input) listenFD() int {
	if in.Cgroup {
		return in.cgroupFD() + 1
	}
	return in.controlFD() + 1
}

// initFD is the pidfd of the init to join, in the place of the start socket.
func (in *Input) initFD() int { return in.listenFD() }

// cgroupNamespaceFD is the file of init's cgroup namespace. It is joined when the
// process has the ids of the container and no more privilege over init, whose pidfd
// will then not do.
func (in *Input) cgroupNamespaceFD() int { return in.initFD() + 1 }

// rootFD is the container's root, where its mount namespace does not lead there.
func (in *Input) rootFD() int {
	if in.joinsCgroupNamespace() {
		return in.cgroupNamespaceFD() + 1
	}
	return in.initFD() + 1
}

// handleFD is a namespace of Joined.Handles.
func (in *Input) handleFD(i int) int {
	if in.Join.Root {
		return in.rootFD() + 1 + i
	}
	return in.rootFD() + i
}

// detached says that the container gets no mount namespace of its own, but a tree
// of mounts that are attached nowhere.
func (in *Input) detached() bool {
	return in.Join == nil && !NewMountNamespace(in.Spec)
}

// NewMountNamespace says that a container gets a mount namespace of its own.
func NewMountNamespace(s *specs.Spec) bool {
	return s.Linux != nil && slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.MountNamespace && n.Path == "" })
}

// hostHook is the hook that runs before pivot_root, or nil.
func (in *Input) hostHook() *Hook {
	if in.Hook != nil && in.Hook.Host {
		return in.Hook
	}
	return nil
}

func (in *Input) joinsCgroupNamespace() bool {
	return in.Join != nil && in.Join.Namespaces&unix.CLONE_NEWCGROUP != 0
}

// idMapFD is the user namespace with a mapping of Input.IDMaps.
func (in *Input) idMapFD(i int) int { return in.lastFD() - len(in.IDMaps) + 1 + i }

// lastFD is the highest fd that the stage is handed.
func (in *Input) lastFD() int {
	switch {
	case in.Join != nil && len(in.Join.Handles) > 0:
		return in.handleFD(len(in.Join.Handles) - 1)
	case in.Join != nil && in.Join.Root:
		return in.rootFD()
	case in.joinsCgroupNamespace():
		return in.cgroupNamespaceFD()
	case in.Join != nil:
		return in.initFD()
	case in.Run:
		return in.listenFD() - 1 + len(in.IDMaps)
	}
	return in.listenFD() + len(in.IDMaps)
}
