// compiler compiles a seccomp profile with libseccomp: a JSON profile on stdin
// becomes a JSON Result on stdout. brig embeds it and runs it when a filter is not
// in its cache.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Result is the answer. Pointer and Fault say what is wrong with the profile.
type Result struct {
	Program []byte    `json:"program,omitempty"`
	Unknown []unknown `json:"unknown,omitempty"`
	Pointer string    `json:"pointer,omitempty"`
	Fault   string    `json:"fault,omitempty"`
}

type unknown struct {
	Rule int    `json:"rule"`
	Name string `json:"name"`
}

func main() {
	var profile specs.LinuxSeccomp
	if err := json.NewDecoder(os.Stdin).Decode(&profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result := compile(&profile)
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func failed(pointer string, err error) *Result {
	return &Result{Pointer: pointer, Fault: err.Error()}
}

func compile(p *specs.LinuxSeccomp) *Result {
	// What libseccomp asks the running kernel would make the filter differ from host
	// to host. All of this level is older than the oldest kernel that brig runs on.
	if err := libseccomp.SetAPI(apiLevel); err != nil {
		return failed("", err)
	}
	byDefault, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return failed("/defaultAction", err)
	}
	f, err := libseccomp.NewFilter(byDefault)
	if err != nil {
		return failed("/defaultAction", err)
	}
	defer f.Release()
	for i, a := range p.Architectures {
		arch, err := architecture(a)
		if err == nil {
			err = f.AddArch(arch)
		}
		if err != nil {
			return failed(fmt.Sprintf("/architectures/%d", i), err)
		}
	}
	// brig sets no_new_privs itself, or holds CAP_SYS_ADMIN.
	if err := f.SetNoNewPrivsBit(false); err != nil {
		return failed("", err)
	}
	result := &Result{}
	added := 0
	for i := range p.Syscalls {
		n, fault := addRule(f, byDefault, i, &p.Syscalls[i], result)
		if fault != nil {
			return fault
		}
		added += n
	}
	if added > linearRules {
		if err := f.SetOptimize(binaryTree); err != nil {
			return failed("", err)
		}
	}
	if result.Program, err = export(f); err != nil {
		return failed("", err)
	}
	return result
}

// export reads the filter back through a pipe, which holds more than the largest
// one: libseccomp writes into memory only since 2.6.
func export(f *libseccomp.ScmpFilter) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	err = f.ExportBPF(w)
	w.Close()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

const (
	apiLevel    = 6  // user notification, of Linux 5.7 and libseccomp 2.5
	linearRules = 32 // up to here a list of comparisons is as fast as a tree
	binaryTree  = 2  // SCMP_FLTATR_CTL_OPTIMIZE
)

// addRule adds a rule for all its names, and returns how many of them. A rule whose
// action is the default's says nothing new, and libseccomp refuses it.
func addRule(f *libseccomp.ScmpFilter, byDefault libseccomp.ScmpAction, i int, r *specs.LinuxSyscall, result *Result) (added int, fault *Result) {
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
		call, err := libseccomp.GetSyscallFromName(name)
		if err != nil {
			result.Unknown = append(result.Unknown, unknown{i, name})
			continue
		}
		if do == byDefault {
			continue
		}
		if len(conditions) == 0 {
			err = f.AddRule(call, do)
		}
		for _, c := range conditions {
			if err == nil {
				err = f.AddRuleConditional(call, do, c)
			}
		}
		if err != nil {
			return 0, failed(at, fmt.Errorf("%s: %w", name, err))
		}
		added++
	}
	return added, nil
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

// eperm is the errno where the profile names none.
const eperm = 1

func action(a specs.LinuxSeccompAction, errno *uint) (libseccomp.ScmpAction, error) {
	data := int16(eperm)
	if errno != nil {
		data = int16(*errno)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return libseccomp.ActKillThread, nil
	case specs.ActKillProcess:
		return libseccomp.ActKillProcess, nil
	case specs.ActTrap:
		return libseccomp.ActTrap, nil
	case specs.ActErrno:
		return libseccomp.ActErrno.SetReturnCode(data), nil
	case specs.ActTrace:
		return libseccomp.ActTrace.SetReturnCode(data), nil
	case specs.ActAllow:
		return libseccomp.ActAllow, nil
	case specs.ActLog:
		return libseccomp.ActLog, nil
	case specs.ActNotify:
		return libseccomp.ActNotify, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("unknown action %q", a)
}

func architecture(a specs.Arch) (libseccomp.ScmpArch, error) {
	switch a {
	case specs.ArchX86:
		return libseccomp.ArchX86, nil
	case specs.ArchX86_64:
		return libseccomp.ArchAMD64, nil
	case specs.ArchX32:
		return libseccomp.ArchX32, nil
	case specs.ArchARM:
		return libseccomp.ArchARM, nil
	case specs.ArchAARCH64:
		return libseccomp.ArchARM64, nil
	case specs.ArchMIPS:
		return libseccomp.ArchMIPS, nil
	case specs.ArchMIPS64:
		return libseccomp.ArchMIPS64, nil
	case specs.ArchMIPS64N32:
		return libseccomp.ArchMIPS64N32, nil
	case specs.ArchMIPSEL:
		return libseccomp.ArchMIPSEL, nil
	case specs.ArchMIPSEL64:
		return libseccomp.ArchMIPSEL64, nil
	case specs.ArchMIPSEL64N32:
		return libseccomp.ArchMIPSEL64N32, nil
	case specs.ArchPPC:
		return libseccomp.ArchPPC, nil
	case specs.ArchPPC64:
		return libseccomp.ArchPPC64, nil
	case specs.ArchPPC64LE:
		return libseccomp.ArchPPC64LE, nil
	case specs.ArchS390:
		return libseccomp.ArchS390, nil
	case specs.ArchS390X:
		return libseccomp.ArchS390X, nil
	case specs.ArchRISCV64:
		return libseccomp.ArchRISCV64, nil
	case specs.ArchPARISC:
		return libseccomp.ArchPARISC, nil
	case specs.ArchPARISC64:
		return libseccomp.ArchPARISC64, nil
	case specs.ArchLOONGARCH64:
		return libseccomp.ArchLOONGARCH64, nil
	case specs.ArchM68K:
		return libseccomp.ArchM68K, nil
	case specs.ArchSH:
		return libseccomp.ArchSH, nil
	case specs.ArchSHEB:
		return libseccomp.ArchSHEB, nil
	}
	return libseccomp.ArchInvalid, fmt.Errorf("unknown architecture %q", a)
}
