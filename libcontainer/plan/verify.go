package plan

import (
	"bytes"
	"unsafe"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/nsenter"
	"brig/seccomp"

	"golang.org/x/sys/unix"
)

// Requirements is what the config promises of the program's tail. The verifier
// takes them from the config and not from the compiler.
type Requirements struct {
	Control         int    // number of the control socket, the last fd that stays open
	Bounding        uint64 // the bounding set that remains
	NoNewPrivileges bool
	Seccomp         bool
	Listener        bool // of the filter
	Secret          seccomp.Secret
	ReadonlyRoot    bool
	SetgroupsDenied bool
	KeepsGroups     bool // of the caller
	NoPivot         bool
	Detached        bool
	Join            *Joined
	RootFD          int // number of the root of the container to join
	InitFD          int // number of the pidfd of the init to join
	HandleFD        int // number of the first namespace that init has handed over
	HostHook        *Hook
	HandsOver       bool

	identity identity
	labels   []label
	mappings [3][]mapping
}

func requirementsOf(in *Input) Requirements {
	return Requirements{
		Control:         in.controlFD(),
		Bounding:        capabilitySets(in.Spec.Process.Capabilities, in.Host.Withheld).bounding,
		NoNewPrivileges: in.Spec.Process.NoNewPrivileges,
		Seccomp:         in.Filter != nil,
		Listener:        in.Filter != nil && in.Filter.Listener,
		Secret:          in.Secret,
		ReadonlyRoot:    in.Spec.Root.Readonly,
		SetgroupsDenied: in.Host.SetgroupsDenied,
		KeepsGroups:     spec.KeepsGroups(in.Spec),
		NoPivot:         in.NoPivot,
		Detached:        in.detached(),
		RootFD:          in.rootFD(),
		Join:            in.Join,
		InitFD:          in.initFD(),
		HostHook:        in.hostHook(),
		HandleFD:        handleFD(in),
		HandsOver:       in.HandsOver(),
		identity:        identityOf(in),
		labels:          labelsOf(in),
		mappings:        mappingsOf(in),
	}
}

// Verify proves the hardening rules over a program, whoever compiled it. The
// rules are those of docs/design.md, by number; a program that breaks one is a
// bug of brig and does not run.
func Verify(p *nsenter.Program, r Requirements) error {
	v := &verifier{p: p, r: r, origins: make(map[uint64]origin, 64), cloneOf: [2]uint64{noSlot, noSlot}, fork: -1}
	v.indexSteps()
	for i := range p.Instructions {
		if p.Instructions[i].Op == nsenter.OpFork {
			v.fork, v.parent = i, p.Instructions[i].Target
			break
		}
	}
	if v.fork < 0 {
		return v.broken(0, "there is no fork: init would be brig's own stage")
	}
	// Who joins finds the root attached, and is inside from its first instruction but
	// where the mount namespace does not lead there.
	v.rootAttached = r.Join != nil && r.HostHook == nil
	v.inside = v.rootAttached && !r.Join.Root
	rules := [...]func(i int, in *nsenter.Instruction) error{
		v.joins, v.terminals, v.paths, v.entered, v.ownMounts, v.sources, v.mountSources, v.cloexec, v.branches, v.creation,
	}
	for i := range p.Instructions {
		in := &p.Instructions[i]
		if in.Op != nsenter.OpCall && in.Op != nsenter.OpFork {
			continue
		}
		// A tree that is attached nowhere is as good as attached once init works on it.
		if r.Detached && i == v.fork {
			v.rootAttached, v.root = true, v.ownRoot().Value
		}
		for _, rule := range rules {
			if err := rule(i, in); err != nil {
				return err
			}
		}
		v.record(i, in)
	}
	if err := v.complete(); err != nil {
		return err
	}
	if err := v.idMaps(); err != nil {
		return err
	}
	end := v.tail
	if r.HostHook != nil {
		end = v.hookTail
	}
	if err := end(); err != nil {
		return err
	}
	return v.dominance()
}

// origin says what made the fd in a slot.
type origin int

const (
	unknown  origin = iota
	hostTree        // a clone of a host's tree
	ownTree         // a file system that the program made
	named           // a file of the container's tree, by openat2
	selfTree        // a clone of a named file
	ownFile         // a file in a file system that the program made
)

type verifier struct {
	p            *nsenter.Program
	r            Requirements
	fork, parent int
	joined       bool // a namespace was joined, in the host part
	moved        bool // the first target was touched
	cut          bool // what is mounted is kept from the host
	rootAttached bool
	inside       bool   // the container's root is the process's own
	root         uint64 // slot of the root file system's tree
	origins      map[uint64]origin
	cloneOf      [2]uint64 // the last selfTree's slot, and the slot it is a clone of, while both are as they were
	attached     []uint64
	entries      int     // calls that enter namespaces of the container to join
	musts        []int   // instructions that no jump may skip
	steps        []int32 // instruction → its step, -1 before the first
}

func (v *verifier) broken(i int, format string, args ...any) error {
	e := fault.Bugf(format, args...)
	line := ""
	if i < len(v.p.Instructions) {
		line = v.p.Line(i)
	}
	e.Op = "verify: instruction " + itoa(i) + " (" + line + "): " + e.Op
	return e
}

// container says whether an instruction runs in the container's init.
func (v *verifier) container(i int) bool { return i > v.fork && i < v.parent }

// section is the emitter that made an instruction.
func (v *verifier) section(i int) string {
	if s := v.steps[i]; s >= 0 {
		return v.p.Steps[s].Section
	}
	return ""
}

func (v *verifier) indexSteps() {
	v.steps = make([]int32, len(v.p.Instructions))
	step := int32(-1)
	for i := range v.steps {
		for int(step)+1 < len(v.p.Steps) && v.p.Steps[step+1].First <= i {
			step++
		}
		v.steps[i] = step
	}
}

// text is a string operand. It is a piece of the program and no copy: there is one
// for each path, and nobody writes to a program any more.
func (v *verifier) text(a nsenter.Arg) string {
	if a.Kind != nsenter.DataAddr || a.Value >= uint64(len(v.p.Data)) {
		return ""
	}
	data := v.p.Data[a.Value:]
	if n := bytes.IndexByte(data, 0); n >= 0 {
		data = data[:n]
	}
	return unsafe.String(unsafe.SliceData(data), len(data))
}

// forget drops what was known of a slot that gets something new.
func (v *verifier) forget(slot uint64) {
	delete(v.origins, slot)
	if slot == v.cloneOf[0] || slot == v.cloneOf[1] {
		v.cloneOf = [2]uint64{noSlot, noSlot}
	}
}

const noSlot = ^uint64(0)

// record keeps what a call does to slots.
func (v *verifier) record(i int, in *nsenter.Instruction) {
	dst := uint64(in.Dst)
	from := unknown
	if in.Args[0].Kind == nsenter.SlotValue {
		from = v.origins[in.Args[0].Value]
	}
	if in.Dst != nsenter.NoSlot {
		v.forget(dst)
	}
	switch in.Sys {
	case nsenter.Ioctl:
		if in.Args[1].Value == unix.TIOCGPTPEER {
			v.origins[dst] = ownTree // terminals has seen to that
		}
	case nsenter.OpenTree:
		v.origins[dst] = hostTree
		switch {
		case from == ownTree:
			v.origins[dst] = ownTree
		case from == named && v.rootAttached:
			v.origins[dst] = selfTree
			if dst != in.Args[0].Value {
				v.cloneOf = [2]uint64{dst, in.Args[0].Value}
			}
		case from == selfTree:
			v.origins[dst] = selfTree // and cloneOf is not it: it is mounted nowhere
		}
	case nsenter.Fsmount:
		v.origins[dst] = ownTree
	case nsenter.Openat2:
		v.origins[dst] = named
		if (from == ownTree || from == ownFile) && v.how(in, 2) == beneath {
			v.origins[dst] = ownFile
		}
	case nsenter.Setns, nsenter.Unshare:
		v.joined = true
		v.inside = v.inside || v.rootAttached && in.Sys == nsenter.Setns && !v.r.Detached
	case nsenter.Chroot:
		v.inside = true
	case nsenter.MoveMount:
		v.moved = true
		v.attached = append(v.attached, in.Args[0].Value)
		if v.section(i) == "root" {
			v.rootAttached, v.root = true, in.Args[0].Value
		}
		v.musts = append(v.musts, i)
	case nsenter.Personality, nsenter.SchedSetattr, nsenter.IoprioSet, nsenter.SetMempolicy:
		v.musts = append(v.musts, i)
	case nsenter.MountSetattr, nsenter.Fsconfig, nsenter.PivotRoot, nsenter.Umount2:
		v.musts = append(v.musts, i)
		v.inside = v.inside || in.Sys == nsenter.PivotRoot
	}
}

func (v *verifier) directory(a nsenter.Arg) bool {
	if a.Kind != nsenter.SlotValue {
		return false
	}
	switch v.origins[a.Value] {
	case named, ownTree, hostTree, ownFile:
		return true
	}
	return false
}

// entered is rule 2: a process that has entered a namespace of a container opens
// nothing by a path of the host.
func (v *verifier) entered(i int, in *nsenter.Instruction) error {
	byPath := in.Sys == nsenter.Openat || in.Sys == nsenter.OpenTree && in.Args[0].Kind == nsenter.Immediate
	if byPath && (v.joined || i > v.fork) && !v.ownNamespace(i, in) {
		return v.broken(i, "rule 2: a path of the host is opened after a namespace was entered")
	}
	return nil
}

// sources is rule 3: every source is open before the first target is touched,
// and a tree has its final attributes while it is detached. Later it may only
// become read-only, or the root get its propagation, before any payload runs.
func (v *verifier) sources(i int, in *nsenter.Instruction) error {
	switch in.Sys {
	case nsenter.OpenTree:
		if v.moved && (in.Args[0].Kind != nsenter.SlotValue || v.origins[in.Args[0].Value] == unknown) {
			return v.broken(i, "rule 3: a source is opened after the first target was touched")
		}
	case nsenter.MountSetattr:
		if in.Args[0].Kind != nsenter.SlotValue || !containsSlot(v.attached, in.Args[0].Value) {
			return nil
		}
		if in.Args[3].Kind != nsenter.DataAddr {
			// After the fork it is the first process that speaks, and init waits.
			if v.container(i) {
				return v.broken(i, "rule 3: the ids of an attached tree are mapped")
			}
			return nil
		}
		set, clr, propagation := v.p.Pointed(in.Args[3], 0), v.p.Pointed(in.Args[3], 1), v.p.Pointed(in.Args[3], 2)
		onlyReadonly := set == unix.MOUNT_ATTR_RDONLY && propagation == 0
		onlyPropagation := set == 0 && propagation != 0 && v.section(i) == "pivot"
		if clr != 0 || !onlyReadonly && !onlyPropagation {
			return v.broken(i, "rule 3: the attributes of an attached tree change")
		}
	}
	return nil
}

func containsSlot(list []uint64, slot uint64) bool {
	for _, s := range list {
		if s == slot {
			return true
		}
	}
	return false
}

// mountSources is rule 4: what is mounted comes from the host's side or from the
// program itself. A file of the container's tree may only be mounted on itself, or
// be copied into what the program made.
func (v *verifier) mountSources(i int, in *nsenter.Instruction) error {
	switch in.Sys {
	case nsenter.Sendfile:
		if v.origins[in.Args[0].Value] != ownFile || v.origins[in.Args[1].Value] != named {
			return v.broken(i, "rule 4: what is copied does not go from the container's tree to a file that the program made")
		}
		return nil
	case nsenter.MoveMount:
	default:
		return nil
	}
	tree := in.Args[0]
	if tree.Kind != nsenter.SlotValue {
		return v.broken(i, "rule 4: the source of a mount is no tree of the program")
	}
	switch v.origins[tree.Value] {
	case hostTree, ownTree:
		return nil
	case selfTree:
		if v.cloneOf[0] == tree.Value && in.Args[2].Kind == nsenter.SlotValue && in.Args[2].Value == v.cloneOf[1] {
			return nil
		}
	}
	return v.broken(i, "rule 4: something of the container's tree is mounted elsewhere")
}
