package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// compiler makes one filter for each architecture.
type compiler struct {
	profile      *specs.LinuxSeccomp
	byDefault    libseccomp.ScmpAction
	result       *Result
	most, fewest int // system calls with a rule, over the architectures
}

// filter makes the filter of one architecture, which may be merged with those of
// others. Each gets only the system calls that it has: libseccomp 2.5 leaves out
// the load of the number where the first rule of an architecture is for a system
// call that is missing there, and the filter then compares something else.
func (c *compiler) filter(at string, arch libseccomp.ScmpArch) (*libseccomp.ScmpFilter, *Result) {
	f, err := libseccomp.NewFilter(c.byDefault)
	if err != nil {
		return nil, failed("/defaultAction", err)
	}
	if at != "" {
		if err = f.AddArch(arch); err == nil {
			err = f.RemoveArch(libseccomp.ArchNative)
		}
		if errors.Is(err, syscall.EDOM) {
			err = errors.New("no architecture of this machine's byte order")
		}
		if err != nil {
			return nil, failed(at, err)
		}
	}
	added := 0
	for i := range c.profile.Syscalls {
		n, fault := c.addRule(f, arch, i)
		if fault != nil {
			return nil, fault
		}
		added += n
	}
	if at == "" {
		c.fewest = math.MaxInt
	}
	c.most, c.fewest = max(c.most, added), min(c.fewest, added)
	return f, nil
}

// addRule adds a rule for all its names, and returns how many of them. A rule whose
// action is the default's says nothing new, and libseccomp refuses it.
func (c *compiler) addRule(f *libseccomp.ScmpFilter, arch libseccomp.ScmpArch, i int) (added int, fault *Result) {
	r := &c.profile.Syscalls[i]
	at := fmt.Sprintf("/syscalls/%d", i)
	do, err := action(r.Action, r.ErrnoRet)
	if err != nil {
		return 0, failed(at+"/action", err)
	}
	conditions, err := conditionsOf(r.Args)
	if err != nil {
		return 0, failed(at+"/args", err)
	}
	for _, name := range r.Names {
		// libseccomp takes the native number, or a negative one that it makes up
		// for a name of other architectures.
		call, err := libseccomp.GetSyscallFromName(name)
		if err != nil {
			if !slices.Contains(c.result.Unknown, name) {
				c.result.Unknown = append(c.result.Unknown, name)
			}
			continue
		}
		if !has(arch, name) || do == c.byDefault {
			continue
		}
		if err := addCall(f, call, do, conditions); err != nil {
			return 0, failed(at, fmt.Errorf("%s: %w", name, err))
		}
		added++
	}
	return added, nil
}

// has says that a system call is one of an architecture. On i386 those of sockets
// and of System V IPC have made-up numbers, since there are two ways to them;
// libseccomp makes rules for both.
func has(arch libseccomp.ScmpArch, name string) bool {
	const lowestMultiplexed = -300
	nr, err := libseccomp.GetSyscallFromNameByArch(name, arch)
	return err == nil && (nr >= 0 || arch == libseccomp.ArchX86 && nr > lowestMultiplexed)
}

// addCall adds a rule for each list of conditions. libseccomp refuses a rule that
// contradicts an earlier one (EEXIST); on such system calls brig decides itself, in
// the order of the profile.
func addCall(f *libseccomp.ScmpFilter, call libseccomp.ScmpSyscall, do libseccomp.ScmpAction, conditions [][]libseccomp.ScmpCondition) error {
	if len(conditions) == 0 {
		return but(syscall.EEXIST, f.AddRule(call, do))
	}
	for _, c := range conditions {
		if err := but(syscall.EEXIST, f.AddRuleConditional(call, do, c)); err != nil {
			return err
		}
	}
	return nil
}

func but(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// conditionsOf gives the lists of conditions that have to hold together. libseccomp
// cannot compare one argument twice in a rule: then each condition is a rule of its
// own, as under runc.
func conditionsOf(args []specs.LinuxSeccompArg) ([][]libseccomp.ScmpCondition, error) {
	var all []libseccomp.ScmpCondition
	seen := [6]int{}
	twice := false
	for _, a := range args {
		c, err := condition(a)
		if err != nil {
			return nil, err
		}
		seen[a.Index]++
		twice = twice || seen[a.Index] > 1
		all = append(all, c)
	}
	if !twice {
		if len(all) == 0 {
			return nil, nil
		}
		return [][]libseccomp.ScmpCondition{all}, nil
	}
	var each [][]libseccomp.ScmpCondition
	for _, c := range all {
		each = append(each, []libseccomp.ScmpCondition{c})
	}
	return each, nil
}

func condition(a specs.LinuxSeccompArg) (libseccomp.ScmpCondition, error) {
	if a.Index > 5 {
		return libseccomp.ScmpCondition{}, fmt.Errorf("a system call has no argument %d", a.Index)
	}
	var op libseccomp.ScmpCompareOp
	switch a.Op {
	case specs.OpNotEqual:
		op = libseccomp.CompareNotEqual
	case specs.OpLessThan:
		op = libseccomp.CompareLess
	case specs.OpLessEqual:
		op = libseccomp.CompareLessOrEqual
	case specs.OpEqualTo:
		op = libseccomp.CompareEqual
	case specs.OpGreaterEqual:
		op = libseccomp.CompareGreaterEqual
	case specs.OpGreaterThan:
		op = libseccomp.CompareGreater
	case specs.OpMaskedEqual:
		return libseccomp.MakeCondition(a.Index, libseccomp.CompareMaskedEqual, a.Value, a.ValueTwo)
	default:
		return libseccomp.ScmpCondition{}, fmt.Errorf("unknown operator %q", a.Op)
	}
	return libseccomp.MakeCondition(a.Index, op, a.Value)
}
