package nsenter

import (
	"errors"
	"strings"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// Each case makes one thing wrong in a sound program; Encode refuses it.
func TestEncodeRefuses(t *testing.T) {
	// Instructions of small: 0 store, 1 call, 2 fail, 3 exit.
	for _, c := range []struct {
		name  string
		spoil func(p *Program)
		want  string
	}{
		{"no instructions", func(p *Program) { p.Instructions = nil }, "without instructions"},
		{"op", func(p *Program) { p.Instructions[0].Op = opLast }, "instruction 0: op 6"},
		{"system call", func(p *Program) { p.Instructions[1].Sys = sysLast }, "instruction 1: op 0, system call"},
		{"slot out of bounds", func(p *Program) { p.Instructions[1].Args[5] = Val(9) }, "operand of kind 1 out of bounds: 9"},
		{"scratch out of bounds", func(p *Program) { p.Instructions[1].Args[0] = Addr(16) }, "operand of kind 3 out of bounds: 16"},
		{"data out of bounds", func(p *Program) { p.Instructions[1].Args[0] = Arg{DataAddr, uint64(len(p.Data))} }, "operand of kind 2 out of bounds"},
		{"kind", func(p *Program) { p.Instructions[1].Args[0].Kind = 4 }, "operand of kind 4"},
		{"result out of bounds", func(p *Program) { p.Instructions[1].Dst = 9 }, "result to 9"},
		{"result before the scratch area", func(p *Program) { p.Instructions[1].Dst = -2 }, "result to -2"},
		{"result of no call", func(p *Program) { p.Instructions[0].Dst = 0 }, "result to 0"},
		{"target of no jump", func(p *Program) { p.Instructions[0].Target = 1 }, "jumps to 1"},
		{"fork to itself", func(p *Program) { p.Instructions[1] = Instruction{Op: OpFork, Sys: Clone3, Dst: NoSlot, Target: 1} }, "jumps to 1"},
		{"fork out of the program", func(p *Program) { p.Instructions[1] = Instruction{Op: OpFork, Sys: Clone3, Dst: NoSlot, Target: 4} }, "jumps to 4"},
		{"branches of no call", func(p *Program) { p.Instructions[0].On = []Branch{{1, 2}} }, "1 branches"},
		{"too many branches", func(p *Program) { p.Instructions[1].On = make([]Branch, 1<<16) }, "65536 branches"},
		{"branch backwards", func(p *Program) { p.Instructions[1].On[0].Target = 0 }, "branches on 2 to 0"},
		{"branch out of the program", func(p *Program) { p.Instructions[1].On[0].Target = 4 }, "branches on 2 to 4"},
		{"branch on success", func(p *Program) { p.Instructions[1].On[0].Errno = 0 }, "branches on 0 to 3"},
		{"branch on what is no errno", func(p *Program) { p.Instructions[1].On[0].Errno = 4096 }, "branches on 4096 to 3"},
		{"store of three bytes", func(p *Program) { p.Instructions[0].Width = 3 }, "stores 3 bytes at 0"},
		{"store to data", func(p *Program) { p.Instructions[0].Args[0] = Arg{DataAddr, 0} }, "stores 8 bytes at 0"},
		{"store over the end", func(p *Program) { p.Instructions[0].Args[0] = Addr(9) }, "stores 8 bytes at 9"},
		{"jump with a third comparison", func(p *Program) { p.Instructions[0] = jumpAt(0, 2) }, "jumps on the word at 0"},
		{"jump on a word over the end", func(p *Program) { p.Instructions[0] = jumpAt(9, 0) }, "jumps on the word at 9"},
		{"jump with a mask in a slot", func(p *Program) {
			p.Instructions[0] = jumpAt(0, 0)
			p.Instructions[0].Args[1] = Val(0)
		}, "jumps on the word at 0"},
		{"jump to a value in a slot", func(p *Program) {
			p.Instructions[0] = jumpAt(0, 0)
			p.Instructions[0].Args[2] = Val(0)
		}, "jumps on the word at 0"},
		{"jump on an immediate", func(p *Program) {
			p.Instructions[0] = jumpAt(0, 0)
			p.Instructions[0].Args[0] = Imm(0)
		}, "jumps on the word at 0"},
		{"width of a call", func(p *Program) { p.Instructions[1].Width = 1 }, "width 1"},
		{"runs off its end", func(p *Program) { p.Instructions[3] = Instruction{Sys: Setsid, Dst: NoSlot} }, "run off its end"},
		{"data elsewhere", func(p *Program) { p.DataBase++ }, "data section at"},
		{"report nowhere", func(p *Program) { p.Report = p.ScratchSize }, "no slot for the report fd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := build(t, small)
			c.spoil(p)
			_, err := p.Encode("amd64")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if fault.ClassOf(err) != fault.Bug {
				t.Errorf("%v is not said to be a bug", err)
			}
		})
	}
}

func jumpAt(word int, width uint8) Instruction {
	in := Instruction{Op: OpJump, Width: width, Dst: NoSlot, Target: 1}
	in.Args[0] = Addr(word)
	return in
}

// A config can ask for more than a program holds: its fault, and no bug.
func TestEncodeRefusesWhatIsTooLarge(t *testing.T) {
	for _, c := range []struct {
		name, want string
		shape      func(b *Builder)
	}{
		{"data", "the program needs 16777", func(b *Builder) { b.Bytes(make([]byte, programMax)) }},
		{"scratch", "bytes of scratch space, more than 65536", func(b *Builder) { b.Scratch(scratchMax) }},
	} {
		b := NewBuilder()
		c.shape(b)
		b.Exit(0)
		_, err := b.Program()
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Config {
			t.Errorf("%s: got %v, want a fault of the config that says %q", c.name, err, c.want)
		}
	}
}

func TestBuilderRefusesLabelsThatDoNotLeadForward(t *testing.T) {
	for _, c := range []struct {
		name, want string
		shape      func(b *Builder)
	}{
		{"jump to an unbound label", "jumps to -1", func(b *Builder) { b.JumpIf(0, 1, 1, b.Label()) }},
		{"fork to an unbound label", "jumps to -1", func(b *Builder) { b.Fork(NoSlot, Null(), 0, b.Label()) }},
		{"branch to an unbound label", "branches on 2 to -1", func(b *Builder) {
			b.TryTo(NoSlot, []On{{unix.ENOENT, b.Label()}}, Setsid)
		}},
		{"backwards", "jumps to 0", func(b *Builder) {
			top := b.Label()
			b.Bind(top)
			b.Call(Setsid)
			b.Goto(top)
		}},
		{"to itself", "jumps to 0", func(b *Builder) {
			here := b.Label()
			b.Bind(here)
			b.JumpUnless(0, 1, 1, here)
		}},
		{"branch backwards", "branches on 2 to 0", func(b *Builder) {
			top := b.Label()
			b.Bind(top)
			b.Call(Setsid)
			b.TryTo(NoSlot, []On{{unix.ENOENT, top}}, Setsid)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder()
			c.shape(b)
			b.Exit(0)
			_, err := b.Program()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	b := NewBuilder()
	end := b.Label()
	b.Goto(end)
	b.Exit(0)
	b.Bind(end)
	if _, err := b.Program(); err == nil || !strings.Contains(err.Error(), "jumps to 2") {
		t.Errorf("jump behind the end: got %v", err)
	}
}

func TestBuilderLaysOutData(t *testing.T) {
	var same, aligned, list, empty Arg
	p := build(t, func(b *Builder) {
		same = b.Str("equal")
		if again := b.Str("equal"); again != same {
			t.Errorf("equal strings at %v and %v", same, again)
		}
		aligned = b.Bytes([]byte{1, 2, 3})
		empty = b.Bytes(nil)
		list = b.Strings([]string{"equal", "other"})
		b.Exit(0)
	})
	for _, a := range []Arg{aligned, list, empty} {
		if a.Value%8 != 0 {
			t.Errorf("%v is not aligned", a)
		}
	}
	if p.Pointed(list, 0) != p.DataBase+same.Value || p.text(p.Pointed(list, 1)-p.DataBase) != "other" || p.Pointed(list, 2) != 0 {
		t.Errorf("array of strings: %#x %#x %#x", p.Pointed(list, 0), p.Pointed(list, 1), p.Pointed(list, 2))
	}
	if got := p.Pointed(Imm(7), 0); got != 0 {
		t.Errorf("an immediate points to %d", got)
	}
}

// A step without instructions gives way to the next one, and every instruction
// has the step that it was made in.
func TestSteps(t *testing.T) {
	b := NewBuilder()
	b.Section("one")
	b.Step("/a", "empty")
	b.Step("/b", "first")
	b.Call(Setsid)
	b.Call(Setsid)
	b.Section("two")
	b.Step("/c", "second")
	b.Exit(0)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Step{{"one", "/b", "first", 0}, {"one", "/b", "first", 0}, {"two", "/c", "second", 2}} {
		if got := p.StepOf(i); got != want {
			t.Errorf("step of %d: %+v", i, got)
		}
	}
	if got := (&Program{}).StepOf(3); got != (Step{}) {
		t.Errorf("no steps: %+v", got)
	}
}

func TestFault(t *testing.T) {
	p := build(t, func(b *Builder) {
		b.Step("/mounts/3", `mount tmpfs on "/data"`)
		b.Call(Fsconfig, Imm(1), Imm(unix.FSCONFIG_SET_STRING), b.Str("size"), b.Str("x"), Imm(0))
		b.Call(MoveMount, Imm(1), b.Str(""), Imm(2), b.Str(""), Imm(0))
		b.Call(Openat2, Imm(1), b.Str("data"), Null(), Imm(24))
		b.Step("", "wait")
		b.Call(Read, Imm(0), Null(), Imm(0))
		b.Step("/process/args", "")
		b.Call(Execve, b.Str("/bin/sh"), Null(), Null())
		b.Call(Prlimit64)
		b.Call(Clone3)
		b.Call(Seccomp)
		b.Fail(unix.ESRCH, `"/bin/nope" is not in PATH`)
	})
	for _, c := range []struct {
		index int
		errno unix.Errno
		class fault.Class
		want  string
	}{
		{1, unix.EINVAL, fault.Config, `/mounts/3: mount tmpfs on "/data": fsconfig "size" "x": EINVAL: invalid argument`},
		{1, unix.EPERM, fault.Host, `/mounts/3: mount tmpfs on "/data": fsconfig "size" "x": EPERM: operation not permitted (in a user namespace the kernel mounts proc and sysfs only where the host's own are fully visible)`},
		{2, unix.ENOTDIR, fault.Config, `/mounts/3: mount tmpfs on "/data": move_mount: ENOTDIR: not a directory (a directory cannot be mounted on a file, nor a file on a directory)`},
		{3, unix.ELOOP, fault.Config, `/mounts/3: mount tmpfs on "/data": openat2 "data": ELOOP: too many levels of symbolic links (a symbolic link stands where brig follows none, or a chain of links has no end)`},
		{3, unix.ENOSYS, fault.Host, `/mounts/3: mount tmpfs on "/data": openat2 "data": ENOSYS: function not implemented (this kernel is too old: brig needs Linux 5.14)`},
		{4, unix.EINVAL, fault.Host, `wait: read: EINVAL: invalid argument`},
		{5, unix.ENOENT, fault.Config, `/process/args: execve "/bin/sh": ENOENT: no such file or directory`},
		{6, unix.EPERM, fault.Host, `/process/args: prlimit64: EPERM: operation not permitted (raising a hard limit needs CAP_SYS_RESOURCE)`},
		{7, unix.EAGAIN, fault.Host, `/process/args: clone3: EAGAIN: resource temporarily unavailable (pids.max of the cgroup, RLIMIT_NPROC or the number of namespaces is reached)`},
		{7, unix.ENOSPC, fault.Host, `/process/args: clone3: ENOSPC: no space left on device (a limit of user.max_*_namespaces is reached)`},
		{8, 524, fault.Host, `/process/args: seccomp: errno 524 (the memory for compiled filters is used up: see net.core.bpf_jit_limit)`},
		{9, unix.ESRCH, fault.Host, `/process/args: "/bin/nope" is not in PATH: ESRCH: no such process`},
		{10, unix.EPERM, fault.Bug, `BUG in brig: the stage reports errno 1 of instruction 10 of 10`},
		{-1, unix.EPERM, fault.Bug, `BUG in brig: the stage reports errno 1 of instruction -1 of 10`},
	} {
		err := p.Fault(Message{Index: c.index, Errno: c.errno})
		if err.Error() != c.want || err.Class != c.class {
			t.Errorf("got  %s (%s)\nwant %s (%s)", err, err.Class, c.want, c.class)
		}
		if c.class != fault.Bug && !errors.Is(err, c.errno) {
			t.Errorf("%s: the errno is out of reach", err)
		}
	}
}

func TestLinkRefuses(t *testing.T) {
	stage := stageELF()
	patched := func(at int, v byte) []byte {
		out := append([]byte(nil), stage...)
		out[at] = v
		return out
	}
	for _, c := range []struct {
		name  string
		stage []byte
		want  string
	}{
		{"nothing", nil, "not an ELF file"},
		{"short", stage[:63], "not an ELF file"},
		{"magic", patched(0, 'X'), "not an ELF file"},
		{"no program headers", patched(elfPhnum, 0), "no program or no scratch segment"},
		{"headers out of bounds", patched(elfPhoff+2, 0xff), "no program or no scratch segment"},
		{"headers far out of bounds", patched(elfPhoff+7, 0xff), "no program or no scratch segment"},
		{"alignment", patched(int(stage[elfPhoff])+phSize+phAlign, 3), "no program or no scratch segment"},
		{"no alignment", patched(int(stage[elfPhoff])+phSize+phAlign+1, 0), "no program or no scratch segment"},
	} {
		_, err := Link(c.stage, []byte("program"), 8)
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Bug {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
