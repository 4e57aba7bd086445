package seccomp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// meaning decides on a system call by the words of the spec, rule by rule, and
// knows neither libseccomp nor BPF.
func meaning(p *specs.LinuxSeccomp, d Data) uint32 {
	nr := uint32(d.Nr)
	i := slices.IndexFunc(abis(p), func(k abi) bool {
		return k.audit == d.Arch && k.x32 == (k.arch == "amd64" && nr >= x32Bit && nr != ^uint32(0))
	})
	if i < 0 {
		return unix.SECCOMP_RET_KILL_THREAD // of an architecture that the profile does not have
	}
	k := abis(p)[i]
	if k.x32 {
		nr -= x32Bit
	}
	highest := -1
	for _, r := range p.Syscalls {
		for _, name := range r.Names {
			if n, ok := SyscallNumber(k.arch, name); ok {
				highest = max(highest, n)
			}
		}
	}
	own := k.x32 && nr >= 512 && nr <= 547 || k.arch == "arm" && nr >= 0xf0000 || k.arch == "amd64" && !k.x32 && nr >= x32Bit
	if highest >= 0 && int64(nr) > int64(highest) && !own && !permissive(p) {
		return retENOSYS
	}
	return ruled(p, k, SyscallName(k.arch, int(nr)), d)
}

// ruled goes by the rules: those for all arguments before the others.
func ruled(p *specs.LinuxSeccomp, k abi, name string, d Data) uint32 {
	byDefault := actionCode(p.DefaultAction, p.DefaultErrnoRet)
	for _, conditional := range []bool{false, true} {
		for _, r := range p.Syscalls {
			do := actionCode(r.Action, r.ErrnoRet)
			if do != byDefault && (len(r.Args) > 0) == conditional && slices.Contains(r.Names, name) && holds(r.Args, k, d) {
				return do
			}
		}
	}
	return byDefault
}

func holds(args []specs.LinuxSeccompArg, k abi, d Data) bool {
	count := [6]int{}
	held, twice := 0, false
	for _, a := range args {
		count[a.Index]++
		twice = twice || count[a.Index] > 1
		if compares(a, k, d.Args[a.Index]) {
			held++
		}
	}
	return held == len(args) || twice && held > 0
}

func compares(a specs.LinuxSeccompArg, k abi, arg uint64) bool {
	value, two := a.Value, a.ValueTwo
	if k.narrow() {
		arg, value, two = uint64(uint32(arg)), uint64(uint32(value)), uint64(uint32(two))
	}
	switch a.Op {
	case specs.OpNotEqual:
		return arg != value
	case specs.OpLessThan:
		return arg < value
	case specs.OpLessEqual:
		return arg <= value
	case specs.OpEqualTo:
		return arg == value
	case specs.OpGreaterEqual:
		return arg >= value
	case specs.OpGreaterThan:
		return arg > value
	}
	return arg&value == two&value // libseccomp ignores bits outside of the mask
}

// Names for random profiles: the last ones are those that libseccomp 2.5 has no
// name for; there is none of which x32 or i386 has a number of its own or a way
// through socketcall and ipc.
var someNames = []string{"read", "open", "openat", "clone", "personality", "prctl", "unshare", "faccessat2", "clone3", "no_such_call", "mseal", "statmount", "listns"}

var someValues = []uint64{0, 1, 2, 0x5412, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<32 | 1, 0x5412 | 1<<32, 1 << 63, ^uint64(0)}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func someErrno(r *rand.Rand, a specs.LinuxSeccompAction) *uint {
	if a != specs.ActErrno && a != specs.ActTrace || r.IntN(2) == 0 {
		return nil
	}
	errno := pick(r, []uint{0, 1, 38, 4094})
	return &errno
}

func randomProfile(r *rand.Rand) *specs.LinuxSeccomp {
	actions := []specs.LinuxSeccompAction{
		specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActErrno, specs.ActTrace, specs.ActAllow, specs.ActLog,
	}
	operators := []specs.LinuxSeccompOperator{
		specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
	}
	archs := []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM}
	p := &specs.LinuxSeccomp{DefaultAction: pick(r, actions)}
	p.DefaultErrnoRet = someErrno(r, p.DefaultAction)
	for range r.IntN(4) {
		p.Architectures = append(p.Architectures, pick(r, archs))
	}
	// What libseccomp makes of a value that is too wide for a table is not sound.
	values := someValues
	if slices.ContainsFunc(abis(p), abi.narrow) {
		values = slices.DeleteFunc(slices.Clone(values), func(v uint64) bool { return v > 0xffffffff })
	}
	for range r.IntN(8) {
		rule := specs.LinuxSyscall{Names: []string{pick(r, someNames)}, Action: pick(r, actions)}
		rule.ErrnoRet = someErrno(r, rule.Action)
		for range r.IntN(4) {
			rule.Args = append(rule.Args, specs.LinuxSeccompArg{Index: uint(r.IntN(3)), Op: pick(r, operators), Value: pick(r, values), ValueTwo: pick(r, values)})
		}
		p.Syscalls = append(p.Syscalls, rule)
	}
	if r.IntN(3) == 0 { // enough for a tree of comparisons
		rule := specs.LinuxSyscall{Action: pick(r, actions)}
		for _, e := range tableAMD64[r.IntN(300):][:60] {
			if !slices.Contains(someNames, e.name) {
				rule.Names = append(rule.Names, e.name)
			}
		}
		p.Syscalls = append(p.Syscalls, rule)
	}
	return p
}

// compare asks the filter and the spec for random and for interesting calls.
func compare(t *testing.T, r *rand.Rand, p *specs.LinuxSeccomp) {
	t.Helper()
	f, err := Cache{}.Load(p)
	if err != nil {
		t.Fatalf("%v\n%s", err, asJSON(p))
	}
	audits := []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM, 0}
	numbers := []int32{-1, 0, 59, 400, 471, 472, 600, 1 << 20, x32Bit, x32Bit + 1, x32Bit + 450, x32Bit + 471, x32Bit + 500, x32Bit + 600}
	for _, name := range someNames {
		for _, arch := range []string{"amd64", "arm64", "386", "arm"} {
			if nr, ok := SyscallNumber(arch, name); ok {
				numbers = append(numbers, int32(nr), int32(nr)+x32Bit)
			}
		}
	}
	for range 40 {
		numbers = append(numbers, r.Int32N(480))
	}
	for _, nr := range numbers {
		for _, audit := range audits {
			if unchecked(audit, nr) {
				continue
			}
			for range 6 {
				d := Data{Nr: nr, Arch: audit}
				for i := range d.Args {
					d.Args[i] = pick(r, someValues) + uint64(r.IntN(3)) - 1
				}
				got, err := f.Evaluate(d)
				if want := meaning(p, d); err != nil || got != want {
					t.Fatalf("%+v: got %#x %v, want %#x\n%s", d, got, err, want, asJSON(p))
				}
			}
		}
	}
}

// unchecked are the calls for which libseccomp has names of its own, or several.
func unchecked(audit uint32, nr int32) bool {
	switch audit {
	case unix.AUDIT_ARCH_I386:
		name := SyscallName("386", int(nr))
		return name == "socketcall" || name == "ipc"
	case unix.AUDIT_ARCH_X86_64:
		old := nr >= x32Bit && nr < x32Bit+424 // x32 may have another number for it
		return nr == -1 || old && !slices.Contains(someNames, SyscallName("amd64", int(nr)-x32Bit))
	}
	return false
}

func asJSON(p *specs.LinuxSeccomp) string {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}

func TestFiltersMeanTheirProfiles(t *testing.T) {
	n := uint64(100)
	if testing.Short() {
		n = 20
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(seed, 1))
		compare(t, r, randomProfile(r))
	}
}

// libseccomp refuses the second rule of each of these.
func TestContradictions(t *testing.T) {
	read := func(action, more string) string {
		return `{"names": ["read"], "action": "SCMP_ACT_` + action + `"` + more + `}`
	}
	equals := func(v string) string { return `, "args": [{"index": 0, "value": ` + v + `, "op": "SCMP_CMP_EQ"}]` }
	for _, list := range []string{
		read("KILL", "") + "," + read("TRAP", ""),
		read("KILL", equals("1")) + "," + read("TRAP", equals("1")),
		read("KILL", equals("1")) + "," + read("TRAP", equals("2")) + "," + read("LOG", equals("1")),
		read("KILL", equals("1")) + "," + read("LOG", ""),
	} {
		compare(t, rand.New(rand.NewPCG(1, 2)), profileOf(t, rules(list)))
	}
}

func FuzzFiltersMeanTheirProfiles(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		compare(t, r, randomProfile(r))
	})
}
