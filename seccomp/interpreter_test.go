package seccomp

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Short forms of the codes.
const (
	ld, ldx, st, stx, alu, jmp, ret, misc = unix.BPF_LD, unix.BPF_LDX, unix.BPF_ST, unix.BPF_STX, unix.BPF_ALU, unix.BPF_JMP, unix.BPF_RET, unix.BPF_MISC

	imm, mem, length = unix.BPF_IMM, unix.BPF_MEM, unix.BPF_LEN
)

func program(list ...insn) *Filter {
	f := &Filter{}
	for _, in := range list {
		f.Program = binary.NativeEndian.AppendUint16(f.Program, in.code)
		f.Program = binary.NativeEndian.AppendUint32(append(f.Program, in.jt, in.jf), in.k)
	}
	return f
}

func TestEvaluate(t *testing.T) {
	d := Data{Nr: 7, Arch: 0x11223344, IP: 0x1111111122222222, Args: [6]uint64{0x3333333344444444, 1, 2, 3, 4, 0x5555555566666666}}
	retA := insn{code: opRetA}
	a := func(k uint32) insn { return insn{code: ld | imm, k: k} }
	x := func(k uint32) insn { return insn{code: ldx | imm, k: k} }
	for _, c := range []struct {
		name string
		list []insn
		want uint32
	}{
		{"constant", []insn{{code: ret, k: 5}}, 5},
		{"nr", []insn{{code: opLoad, k: 0}, retA}, 7},
		{"arch", []insn{{code: opLoad, k: 4}, retA}, 0x11223344},
		{"ip, lower", []insn{{code: opLoad, k: 8}, retA}, 0x22222222},
		{"arg 0, upper", []insn{{code: opLoad, k: 20}, retA}, 0x33333333},
		{"arg 5, lower", []insn{{code: opLoad, k: 56}, retA}, 0x66666666},
		{"length", []insn{{code: ld | length}, retA}, 64},
		{"length in X", []insn{{code: ldx | length}, {code: misc | unix.BPF_TXA}, retA}, 64},
		{"memory", []insn{a(9), {code: st, k: 15}, a(0), {code: ld | mem, k: 15}, retA}, 9},
		{"memory of X", []insn{x(9), {code: stx, k: 3}, {code: ldx | mem, k: 3}, {code: misc | unix.BPF_TXA}, retA}, 9},
		{"tax", []insn{a(9), {code: misc | unix.BPF_TAX}, a(1), {code: alu | unix.BPF_ADD | unix.BPF_X}, retA}, 10},
		{"add", []insn{a(0xffffffff), {code: alu | unix.BPF_ADD, k: 3}, retA}, 2},
		{"sub", []insn{a(1), {code: alu | unix.BPF_SUB, k: 3}, retA}, 0xfffffffe},
		{"mul", []insn{a(1 << 31), {code: alu | unix.BPF_MUL, k: 3}, retA}, 1 << 31},
		{"div", []insn{a(17), {code: alu | unix.BPF_DIV, k: 5}, retA}, 3},
		{"div by X", []insn{a(17), x(4), {code: alu | unix.BPF_DIV | unix.BPF_X}, retA}, 4},
		{"div by zero", []insn{a(17), x(0), {code: alu | unix.BPF_DIV | unix.BPF_X}, {code: ret, k: 5}}, 0},
		{"and", []insn{a(0xff), {code: alu | unix.BPF_AND, k: 0x18}, retA}, 0x18},
		{"or", []insn{a(0xf0), {code: alu | unix.BPF_OR, k: 0x1}, retA}, 0xf1},
		{"xor", []insn{a(0xff), {code: alu | unix.BPF_XOR, k: 0xf}, retA}, 0xf0},
		{"lsh", []insn{a(3), {code: alu | unix.BPF_LSH, k: 31}, retA}, 1 << 31},
		{"rsh", []insn{a(1 << 31), {code: alu | unix.BPF_RSH, k: 30}, retA}, 2},
		{"lsh by X", []insn{a(3), x(33), {code: alu | unix.BPF_LSH | unix.BPF_X}, retA}, 6},
		{"neg", []insn{a(1), {code: alu | unix.BPF_NEG}, retA}, 0xffffffff},
		{"ja", []insn{{code: opJa, k: 1}, {code: ret, k: 1}, {code: ret, k: 2}}, 2},
		{"jeq", []insn{a(4), {opJeq, 0, 1, 4}, {code: ret, k: 1}, {code: ret, k: 2}}, 1},
		{"jeq not", []insn{a(4), {opJeq, 0, 1, 5}, {code: ret, k: 1}, {code: ret, k: 2}}, 2},
		{"jeq X", []insn{a(4), x(4), {opJeq | unix.BPF_X, 1, 0, 0}, {code: ret, k: 1}, {code: ret, k: 2}}, 2},
		{"jgt is unsigned", []insn{a(0x80000000), {opJgt, 1, 0, 1}, {code: ret, k: 1}, {code: ret, k: 2}}, 2},
		{"jgt not", []insn{a(4), {opJgt, 1, 0, 4}, {code: ret, k: 1}, {code: ret, k: 2}}, 1},
		{"jge", []insn{a(4), {opJge, 1, 0, 4}, {code: ret, k: 1}, {code: ret, k: 2}}, 2},
		{"jset", []insn{a(6), {jmp | unix.BPF_JSET, 1, 0, 2}, {code: ret, k: 1}, {code: ret, k: 2}}, 2},
		{"jset not", []insn{a(6), {jmp | unix.BPF_JSET, 1, 0, 1}, {code: ret, k: 1}, {code: ret, k: 2}}, 1},
	} {
		if got, err := program(c.list...).Evaluate(d); err != nil || got != c.want {
			t.Errorf("%s: got %#x %v, want %#x", c.name, got, err, c.want)
		}
	}
}

// refused are programs that neither the interpreter nor the kernel takes.
func refused() map[string]*Filter {
	end := insn{code: ret}
	long := make([]insn, 4097)
	for i := range long {
		long[i] = end
	}
	return map[string]*Filter{
		"nothing":                   {},
		"too long":                  program(long...),
		"no return":                 program(insn{code: ld | imm}),
		"runs off by a jump":        program(insn{code: opJa}),
		"return of X":               program(insn{code: ret | unix.BPF_X}, end),
		"load past the end":         program(insn{code: opLoad, k: 64}, end),
		"load far past the end":     program(insn{code: opLoad, k: 0xfffffffc}, end),
		"load between words":        program(insn{code: opLoad, k: 2}, end),
		"load of a byte":            program(insn{code: ld | unix.BPF_B | unix.BPF_ABS}, end),
		"indirect load":             program(insn{code: ld | unix.BPF_W | unix.BPF_IND}, end),
		"load of X from the data":   program(insn{code: ldx | unix.BPF_B | unix.BPF_MSH}, end),
		"memory word 16":            program(insn{code: st, k: 16}, end),
		"read of memory word 16":    program(insn{code: ld | mem, k: 16}, end),
		"memory that is not set":    program(insn{code: ld | mem}, end),
		"memory set on one way":     program(insn{opJeq, 0, 1, 0}, insn{code: st, k: 1}, insn{code: ld | mem, k: 1}, end),
		"modulo":                    program(insn{code: alu | 0x90, k: 3}, end),
		"division by zero":          program(insn{code: alu | unix.BPF_DIV}, end),
		"shift by 32":               program(insn{code: alu | unix.BPF_LSH, k: 32}, end),
		"jump past the end":         program(insn{code: opJa, k: 1}, end),
		"jump around the end":       program(insn{code: opJa, k: 0xffffffff}, end),
		"true jump past the end":    program(insn{opJeq, 1, 0, 0}, end),
		"false jump past the end":   program(insn{opJeq, 0, 255, 0}, end),
		"unknown jump":              program(insn{code: jmp | 0x50}, end),
		"unknown miscellany":        program(insn{code: misc | 0x10}, end),
		"garbage in the upper half": program(insn{code: 0x100 | alu | unix.BPF_ADD}, end),
	}
}

func TestEvaluateRefuses(t *testing.T) {
	for name, f := range refused() {
		if ret, err := f.Evaluate(Data{}); err == nil {
			t.Errorf("%s: %#x", name, ret)
		}
	}
	if _, err := (&Filter{Program: make([]byte, 9)}).Evaluate(Data{}); err == nil {
		t.Error("a program of 9 bytes was taken")
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, p := range refused() {
		f.Add(p.Program)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		filter := Filter{Program: p}
		_, err := filter.Evaluate(Data{Nr: 1})
		if (err == nil) != (filter.check() == nil) {
			t.Error(err)
		}
	})
}

// install loads a filter for the calling thread. It is for a process of its own.
func install(f *Filter) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := struct {
		length uint16
		filter unsafe.Pointer
	}{uint16(len(f.Program) / insnSize), unsafe.Pointer(unsafe.SliceData(f.Program))}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(f.Flags), uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	return nil
}

// role runs a test again in a process of its own, where it does what cannot be undone.
func role(t *testing.T, name string, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(append(os.Environ(), "SECCOMP_ROLE="+name), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, env, err, out)
	}
	return string(out)
}

func TestKernelRefusesTheSame(t *testing.T) {
	if os.Getenv("SECCOMP_ROLE") == "" {
		role(t, "refuse")
		return
	}
	for name, f := range refused() {
		if err := install(f); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status, err := os.ReadFile("/proc/thread-self/status"); err != nil || !strings.Contains(string(status), "Seccomp:\t0\n") {
		t.Errorf("a filter was loaded: %v", err)
	}
}
