package nsenter

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A plan prints calls as strace does, so that the two can be compared line by
// line. Here every call of the program `every` runs under strace, which makes each
// fail without being made.
func TestLinesAreAsStracePrintsThem(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	const injected = unix.EXFULL
	source := build(t, every)
	b := NewBuilder()
	b.Step("", "every call")
	b.p.Data, b.p.ScratchSize = source.Data, source.ScratchSize
	for i := range source.Instructions {
		in := source.Instructions[i]
		if in.Op != OpCall && in.Op != OpFork {
			continue
		}
		if !straceKnows(in.Sys) {
			t.Logf("this strace does not know %s", in.Sys)
			continue
		}
		next := b.Label()
		b.TryTo(NoSlot, []On{{injected, next}}, in.Sys, in.Args[:]...)
		b.Bind(next)
	}
	b.Exit(0)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	// Where the data lies depends on the number of instructions.
	shift := p.DataBase - source.DataBase
	for at := range len(p.Data) / 8 {
		word := p.word(uint64(8 * at))
		if word >= source.DataBase && word < source.DataBase+uint64(len(source.Data)) {
			for k := range 8 {
				p.Data[8*at+k] = byte((word + shift) >> (8 * k))
			}
		}
	}
	var want []string
	for _, in := range p.Instructions[:len(p.Instructions)-1] {
		want = append(want, straceText(p, in))
	}
	got := strace(t, p, injected)
	if len(got) != len(want) {
		t.Fatalf("strace saw %d calls, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range got {
		// This strace has no name for the whole of the field.
		got := strings.ReplaceAll(got[i], "MOUNT_ATTR_NOATIME|MOUNT_ATTR_STRICTATIME|0x40", "MOUNT_ATTR__ATIME")
		if got != want[i] && !pointsToScratch(want[i]) {
			t.Errorf("strace %s\nplan   %s", got, want[i])
		}
	}
}

// straceKnows says whether this strace has a name for a system call; all have
// those of Linux 5.14.
func straceKnows(s Sys) bool {
	return s.number(runtime.GOARCH) <= 446 || exec.Command("strace", "-o", os.DevNull, "-e", "trace="+s.String(), "true").Run() == nil
}

// pointsToScratch says of a line that it has an address for what strace prints in
// full: what a program builds while it runs.
func pointsToScratch(line string) bool {
	return regexp.MustCompile(`^(sendmsg|recvmsg|write|mount_setattr)\(.*0x2000`).MatchString(line)
}

// straceText is the line of the plan with slots as what they hold at first, zero,
// and addresses of scratch space as numbers.
func straceText(p *Program, in Instruction) string {
	bare := *p
	bare.Slots = nil
	for i, a := range in.Args {
		if a.Kind == SlotValue {
			in.Args[i] = Imm(0)
		}
	}
	return regexp.MustCompile(`scratch(\+\d+)?`).ReplaceAllStringFunc(bare.CallText(&in), func(name string) string {
		offset := 0
		fmt.Sscanf(name, "scratch+%d", &offset)
		return fmt.Sprintf("%#x", ScratchBase+offset)
	})
}

// strace runs a program in the stage under strace and returns its calls.
func strace(t *testing.T, p *Program, injected unix.Errno) []string {
	t.Helper()
	dir := t.TempDir()
	image, err := imageOf(p)
	if err != nil {
		t.Fatal(err)
	}
	stage, log := filepath.Join(dir, "stage"), filepath.Join(dir, "log")
	linked := make([]byte, image.size)
	image.write(linked)
	if err := os.WriteFile(stage, linked, 0o700); err != nil {
		t.Fatal(err)
	}
	var others []string
	for s := Sys(0); s < sysLast; s++ {
		if s != Execve && straceKnows(s) {
			others = append(others, s.String())
		}
	}
	cmd := exec.Command("strace", "-o", log, "-e", "abbrev=seccomp", "-s", "4096", "-e", "signal=none",
		"-e", fmt.Sprintf("inject=%s:error=%s", strings.Join(others, ","), unix.ErrnoName(injected)),
		"-e", fmt.Sprintf("inject=execve:error=%s", unix.ErrnoName(injected)), stage)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, line := range strings.Split(string(raw), "\n") {
		if call, _, ok := strings.Cut(line, " = -1 "+unix.ErrnoName(injected)); ok {
			calls = append(calls, strings.TrimRight(call, " "))
		}
	}
	return calls
}
