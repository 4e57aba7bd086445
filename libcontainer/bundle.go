package libcontainer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/libcontainer/spec"
	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Bundle is where a container's config comes from: a directory with a
// config.json, or a Spec that brig made itself.
type Bundle struct {
	Dir    string
	Config string      // the config file, "" for config.json in Dir
	Spec   *specs.Spec // in place of a config file
}

// file is the config file of a bundle whose directory is dir; a name without a
// slash is one in the container's own directory.
func (b *Bundle) file(dir string) string {
	switch {
	case b.Spec != nil:
		return configFile
	case b.Config == "":
		return filepath.Join(dir, configFile)
	}
	name, err := filepath.Abs(b.Config)
	if err != nil {
		return b.Config
	}
	return name
}

// configFile is the config in a bundle. In a container's own directory it is that of
// a container that was made without a bundle.
const configFile = "config.json"

// keepConfig writes down a config that is in no bundle, for exec.
func (d *directory) keepConfig(s *specs.Spec) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fault.Bugf("encode the config of %q: %v", d.id, err)
	}
	return d.write(configFile, "."+configFile, raw)
}

// limits is what the config makes of the container's cgroup.
type limits struct {
	path    string // "" when the container stays in brig's cgroup
	writes  []cgroups.Write
	devices []byte // device program, nil without one
	scope   *systemdScope
	owner   *plan.Owner // whom the cgroup is given to, nil when it stays brig's
}

// compileInput reads and checks a bundle, and gathers the facts about this host
// that the compiler needs. It changes nothing but the cache of filters.
func (r *Runtime) compileInput(o *CreateOptions, as perspective) (*plan.Input, *limits, error) {
	dir, err := filepath.Abs(o.Bundle.Dir)
	if err != nil {
		return nil, nil, fault.Hostf("", err, "find the bundle %s", o.Bundle.Dir)
	}
	s, err := r.config(&o.Bundle, dir, as.rootless)
	if err != nil {
		return nil, nil, err
	}
	in := &plan.Input{
		ID: o.ID, Spec: s, Bundle: dir, Rootfs: absolute(dir, s.Root.Path), NoPivot: o.NoPivot,
		NoNewKeyring: o.NoNewKeyring, PreserveFDs: o.PreserveFDs, Host: hostFacts(s, as.rootless),
	}
	if as.handed {
		listen := listenFDs()
		if in.PreserveFDs, err = handedFDs(o.PreserveFDs, listen); err != nil {
			return nil, nil, err
		}
		announce(s.Process, listen)
		if err := r.notifiable(s, o.ID); err != nil {
			return nil, nil, err
		}
	}
	if in.Filter, err = r.filter(s, as.cache); err != nil {
		return nil, nil, err
	}
	l, err := r.limits(in)
	if err != nil {
		return nil, nil, err
	}
	in.Cgroup, in.Placed, in.IDMaps = l.path != "", l.scope != nil, plan.IDMapsOf(s)
	if err := lookAtMounts(in); err != nil {
		return nil, nil, err
	}
	return in, l, nil
}

// config loads and validates the config, and warns of what the spec wants
// tolerated.
func (r *Runtime) config(b *Bundle, dir string, rootless bool) (*specs.Spec, error) {
	s := b.Spec
	if s == nil {
		loaded, warnings, err := spec.Load(b.file(dir))
		if err != nil {
			return nil, err
		}
		r.warn(warnings)
		s = loaded
	}
	warnings, err := validate(s, rootless)
	if err != nil {
		return nil, err
	}
	r.warn(warnings)
	return s, nil
}

// validate runs the rules of all packages that compile a part of the config, so
// that its faults are reported together.
func validate(s *specs.Spec, rootless bool) ([]string, error) {
	warnings, err := spec.Validate(s, spec.Options{Rootless: rootless, Withheld: withheld(s)})
	var faults fault.List
	if err != nil && !errors.As(err, &faults) {
		return nil, err
	}
	if s.Linux != nil && s.Linux.Resources != nil {
		_, more := cgroups.Writes(s.Linux.Resources, resourcesPointer)
		faults = append(faults, more...)
	}
	if s.Linux != nil && s.Linux.Seccomp != nil {
		more := seccomp.Validate(s.Linux.Seccomp)
		if f := seccomp.ValidateExecve(s.Linux.Seccomp); f != nil {
			more = append(more, f)
		}
		faults = append(faults, more...)
	}
	return warnings, faults.OrNil()
}

func (r *Runtime) warn(list []string) {
	for _, w := range list {
		if r.Warn != nil {
			r.Warn(w)
		}
	}
}

func absolute(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// filter compiles the seccomp profile, or finds it in the cache below the root.
func (r *Runtime) filter(s *specs.Spec, cache bool) (*seccomp.Filter, error) {
	if s.Linux == nil || s.Linux.Seccomp == nil {
		return nil, nil
	}
	if !cache {
		return seccomp.Cache{}.Load(s.Linux.Seccomp)
	}
	root, err := r.openRoot(true)
	if err != nil {
		return nil, err
	}
	unix.Close(root)
	return seccomp.Cache{Dir: filepath.Join(r.Root, filterCache)}.Load(s.Linux.Seccomp)
}

// filterCache is no valid container ID, so that the two never meet.
const filterCache = "@seccomp"

// initialUserNamespace is the inode of the first user namespace of every kernel
// (PROC_USER_INIT_INO).
const initialUserNamespace = 0xeffffffd

// InUserNamespace says that brig's ids are not those of the host. Where nobody can
// tell they are.
func InUserNamespace() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != initialUserNamespace
}

// rootless says that brig does not rule over the host.
func rootless() bool { return os.Geteuid() != 0 }

// hostFacts are the facts that change what is compiled for this config.
func hostFacts(s *specs.Spec, rootless bool) plan.Host {
	h := plan.Host{Rootless: rootless, InUserNamespace: !rootless && InUserNamespace(), CloneDetached: kernelAtLeast(6, 15), Withheld: withheld(s)}
	securityModules(&h, s)
	h.SetgroupsDenied = h.Rootless && singleMap(s.Linux.UIDMappings, os.Geteuid()) && singleMap(s.Linux.GIDMappings, os.Getegid()) ||
		joinsDenied(s)
	if s.Process != nil && len(s.Process.Rlimits) > 0 {
		h.HardLimits = make(map[int]uint64, len(s.Process.Rlimits))
		for _, r := range s.Process.Rlimits {
			if n, ok := spec.RlimitNumber(r.Type); ok {
				var lim unix.Rlimit
				if unix.Prlimit(0, n, nil, &lim) == nil {
					h.HardLimits[n] = lim.Max
				}
			}
		}
	}
	return h
}

// joinsDenied says that a user namespace is joined in which nobody may set groups, as in
// one that an ordinary user made without newgidmap. Only of a process's own namespace is
// there somebody to tell.
func joinsDenied(s *specs.Spec) bool {
	for _, ns := range s.Linux.Namespaces {
		if process, ok := strings.CutSuffix(ns.Path, "/ns/user"); ok && ns.Type == specs.UserNamespace && strings.HasPrefix(process, "/proc/") {
			raw, err := os.ReadFile(process + "/setgroups")
			return err == nil && strings.TrimSpace(string(raw)) == "deny"
		}
	}
	return false
}

// perspective is for whom a program is compiled.
type perspective struct {
	rootless bool // the program of an ordinary user
	cache    bool // filters may come from the cache, and go there
	handed   bool // fds are handed over
}

// Plan compiles the bundle as create would, or run, and runs nothing: it leaves no
// trace. With asRoot it is the program of root, whoever asks.
func (r *Runtime) Plan(o *CreateOptions, run, asRoot bool) (*nsenter.Program, *CgroupPlan, error) {
	in, l, err := r.compileInput(o, perspective{rootless: rootless() && !asRoot})
	if err != nil {
		return nil, nil, err
	}
	in.Run = run
	p, err := plan.Create(in)
	return p, &CgroupPlan{Path: l.path, Scope: l.scope.plan(), Writes: l.writes, DeviceInstructions: len(l.devices) / 8, Owner: l.owner}, err
}

// ScopePlan is the unit that brig asks systemd for.
type ScopePlan struct {
	Name       string   `json:"name"`
	User       bool     `json:"user"` // of the user's own systemd
	Properties []string `json:"properties"`
}

// CgroupPlan is what brig does to the container's cgroup before the program runs.
type CgroupPlan struct {
	Path               string          `json:"path"`            // "" when systemd makes it
	Scope              *ScopePlan      `json:"scope,omitempty"` // what systemd is asked for, nil without --systemd-cgroup
	Writes             []cgroups.Write `json:"writes"`
	DeviceInstructions int             `json:"deviceInstructions"`
	Owner              *plan.Owner     `json:"owner,omitempty"` // who gets it, nil when it stays brig's
}

// None says that the container stays in brig's cgroup.
func (p *CgroupPlan) None() bool { return p.Path == "" && p.Scope == nil }
