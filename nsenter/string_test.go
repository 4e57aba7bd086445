package nsenter

import (
	flags "flag"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flags.Bool("update", false, "write the golden files")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(raw), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(want) {
			t.Fatalf("%s ends before line %d: %s", file, i+1, line)
		}
		if line != want[i] {
			t.Errorf("%s:%d:\ngot  %s\nwant %s", file, i+1, line, want[i])
		}
	}
	if n := strings.Count(got, "\n") + 1; n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
}

func TestString(t *testing.T) {
	golden(t, "every.txt", build(t, every).String())
}

func TestEveryCoversTheTable(t *testing.T) {
	var ops [opLast]bool
	var calls [sysLast]bool
	for _, in := range build(t, every).Instructions {
		ops[in.Op] = true
		if in.Op == OpCall || in.Op == OpFork {
			calls[in.Sys] = true
		}
	}
	for op, seen := range ops {
		if !seen {
			t.Errorf("no instruction of op %d", op)
		}
	}
	for sys, seen := range calls {
		if !seen {
			t.Errorf("no call of %s", Sys(sys))
		}
	}
}

// A decoded program has no names, and its addresses may be anything in bounds.
func TestStringOfADecodedProgram(t *testing.T) {
	raw, err := build(t, every).Encode("amd64")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode(raw, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`openat(scratch+8, "file", O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW, 000) = scratch+8`,
		`store32 scratch+44 = scratch+32`,
		`fail EINVAL ""`,
	} {
		if !strings.Contains(p.String(), line) {
			t.Errorf("no line %s in\n%s", line, p)
		}
	}
}

func TestSysString(t *testing.T) {
	if got := Sys(sysLast).String(); got != "invalid" {
		t.Errorf("got %q", got)
	}
}

// What no compiler emits still prints, as numbers, and reads nothing out of bounds.
func TestStringOfOddCalls(t *testing.T) {
	one := func(b *Builder) Arg { return b.Bytes([]byte{9, 0, 0, 0}) }
	for _, c := range []struct {
		want string
		call func(b *Builder)
	}{
		{"fsconfig(1, 99, NULL, NULL, 0)", func(b *Builder) { b.Call(Fsconfig, Imm(1), Imm(99), Null(), Null(), Imm(0)) }},
		{"setgroups(4611686018427387904, data+0x0)", func(b *Builder) { b.Call(Setgroups, Imm(1<<62), one(b)) }},
		{"setgroups(3, data+0x0)", func(b *Builder) { b.Call(Setgroups, Imm(3), one(b)) }},
		{"write(1, data+0x0, 9)", func(b *Builder) { b.Call(Write, Imm(1), one(b), Imm(9)) }},
		{"write(1, data+0x0, 18446744073709551615)", func(b *Builder) { b.Call(Write, Imm(1), one(b), Imm(1<<64-1)) }},
		{"prlimit64(0, 77, NULL, report)", func(b *Builder) { b.Call(Prlimit64, Imm(0), Imm(77), Null(), Addr(0)) }},
		{"prctl(9999, 7)", func(b *Builder) { b.Call(Prctl, Imm(9999), Imm(7)) }},
		{"prctl(PR_CAPBSET_DROP, 0x3f)", func(b *Builder) { b.Call(Prctl, Imm(unix.PR_CAPBSET_DROP), Imm(63)) }},
		{"keyctl(5, NULL, 0xff, 0, 0)", func(b *Builder) { b.Call(Keyctl, Imm(5), Imm(0), Imm(0xff)) }},
		{"seccomp(9, 0, NULL)", func(b *Builder) { b.Call(Seccomp, Imm(9)) }},
		{"clock_gettime(77, report)", func(b *Builder) { b.Call(ClockGettime, Imm(77), Addr(0)) }},
		{"ioctl(1, 21505, 0)", func(b *Builder) { b.Call(Ioctl, Imm(1), Imm(unix.TCGETS)) }},
		{"accept4(1, NULL, NULL, 1)", func(b *Builder) { b.Call(Accept4, Imm(1), Null(), Null(), Imm(1)) }},
		{`execve("", [NULL], [])`, func(b *Builder) { b.Call(Execve, b.Str(""), b.Words(1, 0), b.Words(0)) }},
		{`execve("", [""], [])`, func(b *Builder) { b.Call(Execve, b.Str(""), b.Words(ScratchBase, 0), b.Words(0)) }},
		{"prlimit64(0, RLIMIT_CPU, {rlim_cur=12849, rlim_max=0}, NULL)", func(b *Builder) { b.Call(Prlimit64, Imm(0), Imm(0), b.Str("12")) }},
	} {
		p := build(t, func(b *Builder) {
			c.call(b)
			b.Exit(0)
		})
		if got := p.Line(1); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
