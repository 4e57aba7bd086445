package seccomp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// pair is a program and what becomes of it.
type pair struct{ long, short *Filter }

func shortened(t testing.TB, long []byte) pair {
	t.Helper()
	short, err := shorten(long)
	if err != nil {
		t.Fatalf("%v\n%s", err, text(&Filter{Program: long}))
	}
	if len(short) > len(long) {
		t.Errorf("%d bytes became %d", len(long), len(short))
	}
	p := pair{&Filter{Program: long}, &Filter{Program: short}}
	if err := p.short.check(); err != nil {
		t.Fatal(err)
	}
	return p
}

func pairOf(t testing.TB, profile *specs.LinuxSeccomp) pair {
	t.Helper()
	long, err := generate(profile)
	if err != nil {
		t.Fatal(err)
	}
	return shortened(t, long)
}

// alike compares both with random arguments for every number and architecture.
func (p pair) alike(t testing.TB, r *rand.Rand, numbers, archs []uint32, values []uint64) {
	t.Helper()
	for _, arch := range archs {
		for _, nr := range numbers {
			p.constant(t, nr, arch)
			for range 8 {
				d := Data{Nr: int32(nr), Arch: arch, IP: pick(r, values)}
				for i := range d.Args {
					d.Args[i] = pick(r, values) + uint64(r.IntN(3)) - 1
				}
				long, short := machine{data: d.bytes()}, machine{data: d.bytes()}
				if want, got := long.run(p.long), short.run(p.short); got != want {
					t.Fatalf("%+v: got %#x, want %#x\nlong\n%sshort\n%s", d, got, want, text(p.long), text(p.short))
				}
			}
		}
	}
}

// constant holds that the kernel still finds every decision that it found before any
// argument was looked at.
func (p pair) constant(t testing.TB, nr, arch uint32) (steps int) {
	t.Helper()
	before, _ := p.long.emulate(nr, arch)
	after, steps := p.short.emulate(nr, arch)
	if before != unknown && after != before {
		t.Fatalf("call %#x of %#x: the kernel finds %#x instead of %#x\n%s", nr, arch, after, before, text(p.short))
	}
	return steps
}

// unknown is what no program of the tests returns.
const unknown = 0x12345678

// emulate is what the kernel (5.11) does for each number when a filter is loaded, up to
// the first thing that it does not know.
func (f *Filter) emulate(nr, arch uint32) (ret uint32, steps int) {
	a := uint32(0)
	for pc := 0; ; pc++ {
		in := f.at(pc)
		steps++
		switch in.code {
		case opLoad:
			switch in.k {
			case dataNr:
				a = nr
			case dataArch:
				a = arch
			default:
				return unknown, steps
			}
		case opAnd:
			a &= in.k
		case opRet:
			return in.k, steps
		case opJa, opJeq, opJge, opJgt, opJset:
			m := machine{a: a}
			pc += int(m.jump(in))
		default:
			return unknown, steps
		}
	}
}

var allArchs = []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_S390X, 0, ^uint32(0)}

// allNumbers are those that there are, and those that something could be special about.
func allNumbers() (list []uint32) {
	for nr := range uint32(1100) {
		list = append(list, nr, x32Bit+nr, armPrivate+nr%20, 1<<31+nr)
	}
	slices.Sort(list)
	return append(slices.Compact(list), x32Bit-1, 1<<31-1, 1<<20, ^uint32(0), ^uint32(0)-1)
}

func TestShortenedProfiles(t *testing.T) {
	values := append(slices.Clone(someValues), unix.CLONE_NEWUSER, 0x7e020000, unix.AF_VSOCK, 0x20000, 0x20008, 8, 0xffffffff, unix.TIOCSTI, 0x541c)
	for name, profile := range map[string]*specs.LinuxSeccomp{
		"docker": docker(t), "default of amd64": Default("amd64"), "default of arm64": Default("arm64"), "small": profileOf(t, small),
	} {
		t.Run(name, func(t *testing.T) {
			p := pairOf(t, profile)
			t.Logf("%d instructions became %d", len(p.long.Program)/insnSize, len(p.short.Program)/insnSize)
			p.alike(t, rand.New(rand.NewPCG(1, 1)), allNumbers(), allArchs, values)
		})
	}
	n := uint64(15)
	if testing.Short() {
		n = 5
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(seed, 2))
		pairOf(t, randomProfile(r)).alike(t, r, allNumbers(), allArchs, someValues)
	}
}

// What the kernel has to do for Docker's profile.
func TestDockerProfileIsShort(t *testing.T) {
	if nativeABI().arch != "amd64" {
		t.Skip("the expectations are those of amd64")
	}
	p := pairOf(t, docker(t))
	long, short := len(p.long.Program)/insnSize, len(p.short.Program)/insnSize
	if short > long/2 || short > 240 {
		t.Errorf("%d instructions became %d", long, short)
	}
	longest := 0
	for _, arch := range allArchs {
		for _, nr := range allNumbers() {
			longest = max(longest, p.constant(t, nr, arch))
			was, _ := p.long.emulate(nr, arch)
			if is, _ := p.short.emulate(nr, arch); is != was {
				t.Errorf("call %#x of %#x: the kernel found %#x, and now %#x", nr, arch, was, is)
			}
		}
	}
	t.Logf("%d instructions became %d, the longest way to a decision is %d", long, short, longest)
	if longest > 16 {
		t.Errorf("%d instructions to a decision", longest)
	}
}

// kept are programs that are left as they are: what the analysis does not know, and
// what is not to be made shorter.
func TestShortenKeeps(t *testing.T) {
	nr, arch, arg := insn{code: opLoad}, insn{code: opLoad, k: dataArch}, insn{code: opLoad, k: dataArgs}
	allow, deny := insn{code: opRet, k: unix.SECCOMP_RET_ALLOW}, insn{code: opRet, k: unix.SECCOMP_RET_ERRNO | 1}
	idle := insn{code: opJa} // a shorter program is always possible
	equal := insn{opJeq, 0, 1, 7}
	for name, list := range map[string][]insn{
		"number masked":                {idle, nr, {code: opAnd, k: 0xff}, equal, allow, deny},
		"number masked on one way":     {idle, arg, {opJeq, 0, 1, 1}, nr, {code: opAnd, k: 0xff}, equal, allow, deny},
		"bits of the number":           {idle, nr, {opJset, 0, 1, 1}, allow, deny},
		"number returned":              {idle, nr, {code: opRetA}},
		"architecture masked":          {idle, arch, {code: opAnd, k: 0xff}, equal, allow, deny},
		"bits of the architecture":     {idle, arch, {opJset, 0, 1, 1}, allow, deny},
		"order of architectures":       {idle, arch, {opJgt, 0, 1, 1}, allow, deny},
		"order of architectures, also": {idle, arch, {opJge, 0, 1, 1}, allow, deny},
		"sum":                          {idle, nr, {code: alu | unix.BPF_ADD, k: 1}, equal, allow, deny},
		"sum of an argument":           {idle, arg, {code: alu | unix.BPF_ADD, k: 1}, equal, allow, deny},
		"negation":                     {idle, nr, {code: alu | unix.BPF_NEG}, equal, allow, deny},
		"mask in X":                    {idle, {code: ldx | imm, k: 1}, arg, {code: alu | unix.BPF_AND | unix.BPF_X}, equal, allow, deny},
		"comparison with X":            {idle, {code: ldx | imm, k: 1}, nr, {opJeq | unix.BPF_X, 0, 1, 0}, allow, deny},
		"number in X":                  {idle, nr, {code: misc | unix.BPF_TAX}, equal, allow, deny},
		"number in memory":             {idle, nr, {code: st}, equal, allow, deny},
		"memory":                       {idle, {code: st}, {code: ld | mem}, equal, allow, deny},
		"constant":                     {idle, {code: ld | imm, k: 7}, equal, allow, deny},
		"length":                       {idle, {code: ld | length}, equal, allow, deny},
		"as short as it can be":        {arch, {opJeq, 0, 4, 5}, nr, {opJge, 0, 1, 7}, arg, {opJeq, 0, 1, 1}, allow, deny},
		"one return":                   {allow},
	} {
		long := program(list...).Program
		if err := (&Filter{Program: long}).check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p := shortened(t, long); !bytes.Equal(p.short.Program, long) {
			t.Errorf("%s became\n%s", name, text(p.short))
		}
	}
	for name, f := range refused() {
		if short, err := shorten(f.Program); err != nil || !bytes.Equal(short, f.Program) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A program for which the analysis would take too long: every number has all the
// comparisons of arguments before its own.
func TestShortenGivesUp(t *testing.T) {
	var list []insn
	for i := range uint32(300) {
		list = append(list, insn{code: opLoad, k: dataArgs + 4*(i%12)}, insn{opJeq, 0, 1, i}, insn{code: opRet, k: i})
	}
	list = append(list, insn{code: opLoad})
	for i := range uint32(1500) {
		list = append(list, insn{opJeq, 0, 1, 3 * i}, insn{code: opRet, k: i})
	}
	long := program(append(list, insn{code: opRet})...).Program
	if p := shortened(t, long); !bytes.Equal(p.short.Program, long) {
		t.Errorf("%d instructions became %d", len(long)/insnSize, len(p.short.Program)/insnSize)
	}
	// Wherever it ends, it ends well.
	f := Filter{Program: long}
	c, _ := constantsOf(f.instructions())
	for steps := 0; steps < 1<<18; steps += 1 + steps/8 {
		a := analysis{program: f.instructions(), left: steps}
		if a.filter(c); a.left >= 0 {
			t.Errorf("%d steps are enough", steps)
		}
	}
}

// What the shortened program is, word for word.
func TestShorten(t *testing.T) {
	nr, arch, arg := insn{code: opLoad}, insn{code: opLoad, k: dataArch}, insn{code: opLoad, k: dataArgs}
	allow, deny := insn{code: opRet, k: unix.SECCOMP_RET_ALLOW}, insn{code: opRet, k: unix.SECCOMP_RET_ERRNO | 1}
	for _, c := range []struct {
		name string
		list []insn
		want string
	}{
		{"all the same", []insn{arch, {opJeq, 0, 2, 5}, nr, {opJeq, 1, 0, 7}, allow, allow}, `
   0  return ALLOW
`},
		{"neighbours", []insn{nr, {opJeq, 5, 0, 3}, {opJeq, 4, 0, 4}, {opJeq, 3, 0, 5}, {opJgt, 0, 1, 5}, deny, deny, allow}, `
   0  load nr
   1  if >= 0x3 goto 2 else 4
   2  if >= 0x6 goto 4 else 3
   3  return ALLOW
   4  return ERRNO 1
`},
		{"single numbers", []insn{nr, {opJeq, 3, 0, 3}, {opJeq, 2, 0, 5}, {opJa, 0, 0, 0}, allow, deny}, `
   0  load nr
   1  if == 0x3 goto 3 else 2
   2  if == 0x5 goto 3 else 4
   3  return ERRNO 1
   4  return ALLOW
`},
		{"bits of one argument", []insn{
			arg, {opAnd, 0, 0, 1}, {opJeq, 6, 0, 1}, arg, {opAnd, 0, 0, 0}, {opJeq, 0, 3, 0}, arg, {opAnd, 0, 0, 6}, {opJeq, 1, 0, 0}, deny, arg, {opJeq, 0, 1, 9}, deny, allow,
		}, `
   0  load arg 0, lower half
   1  if & 0x7 goto 3 else 2
   2  if == 0x9 goto 3 else 4
   3  return ERRNO 1
   4  return ALLOW
`},
		{"masks that matter", []insn{arg, {opAnd, 0, 0, 0xf0}, {opAnd, 0, 0, 0x3c}, {opJeq, 4, 0, 0x10}, {opJeq, 3, 0, 0x20}, {opJeq, 2, 0, 0x40}, {opJset, 1, 0, 0xf}, allow, deny}, `
   0  load arg 0, lower half
   1  and 0x30
   2  if == 0x10 goto 4 else 3
   3  if == 0x20 goto 4 else 5
   4  return ERRNO 1
   5  return ALLOW
`},
	} {
		p := shortened(t, program(c.list...).Program)
		if got := "\n" + text(p.short); got != c.want {
			t.Errorf("%s: got%swant%s", c.name, got, c.want)
		}
		p.alike(t, rand.New(rand.NewPCG(1, 1)), []uint32{0, 2, 3, 4, 5, 6, 7, 8}, []uint32{4, 5}, []uint64{0, 1, 2, 4, 6, 9, 0x10, 0x20, 0x40, ^uint64(0)})
	}
}

// A program too long for the jumps of comparisons: returns are copied, and what is
// longer is reached by way of others.
func TestShortenedJumps(t *testing.T) {
	var list []insn
	for i := range uint32(500) {
		list = append(list, insn{code: opLoad}, insn{opJeq, 0, 4, 2 * i}, insn{code: opLoad, k: dataArgs + 4*(i%12)}, insn{opJgt, 0, 1, i / 40}, insn{code: opRet, k: i % 3})
		list = append(list, insn{code: opRet, k: 3})
	}
	list = append(list, insn{code: opLoad, k: dataArch}, insn{opJeq, 0, 1, 1}, insn{code: opRet, k: 7}, insn{code: opRet, k: 8})
	p := shortened(t, program(list...).Program)
	returns := map[uint32]int{}
	jumps := 0
	for _, in := range p.short.instructions() {
		if in.code == opRet {
			returns[in.k]++
		}
		if in.code == opJa {
			jumps++
		}
	}
	t.Logf("%d instructions became %d, with %d jumps and %v returns", len(list), len(p.short.Program)/insnSize, jumps, returns)
	if jumps == 0 || returns[3] < 2 {
		t.Error("no return is there twice, or nothing is reached by way of another jump")
	}
	p.alike(t, rand.New(rand.NewPCG(1, 1)), allNumbers(), []uint32{0, 1, 2}, []uint64{0, 1, 5, 10, 11 << 32, 12, ^uint64(0)})
}

func BenchmarkShorten(b *testing.B) {
	for name, profile := range map[string]*specs.LinuxSeccomp{"docker": docker(b), "default": Default(nativeABI().arch)} {
		long, err := generate(profile)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := shorten(long); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
