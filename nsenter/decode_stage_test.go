package nsenter

import (
	"bytes"
	"encoding/binary"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"testing"
)

// stageOpinion is the stage's own check of programs, as a process that runs none.
type stageOpinion struct {
	mu  sync.Mutex
	in  io.Writer
	out io.Reader
}

// newStageOpinion compiles it.
func newStageOpinion(t testing.TB) *stageOpinion {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler: " + err.Error())
	}
	program := t.TempDir() + "/valid"
	if out, err := exec.Command(cc, "-std=gnu11", "-O1", "-D_GNU_SOURCE", "-Wno-unused-function", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error",
		"-no-pie", "-o", program, "testdata/valid.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &stageOpinion{in: in, out: out}
}

// of says whether the stage would run a program.
func (s *stageOpinion) of(t *testing.T, raw []byte) bool {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := make([]byte, 1)
	_, err := s.in.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(raw))), raw...))
	if err == nil {
		_, err = io.ReadFull(s.out, answer)
	}
	if err != nil {
		t.Fatalf("the check of the stage has ended: %v", err)
	}
	return answer[0] == 1
}

// seeds are programs of many shapes.
func seeds(t testing.TB) (list [][]byte) {
	for _, shape := range []func(*Builder){every, generate(nil), generate(bytes.Repeat([]byte{5, 3, 1, 0}, 9))} {
		b := NewBuilder()
		shape(b)
		p, err := b.Program()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := p.Encode(runtime.GOARCH)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

// FuzzStageAgrees gives damaged programs to both decoders: what that of Go takes, the
// stage runs, and what the stage would run has nothing out of bounds.
func FuzzStageAgrees(f *testing.F) {
	for _, raw := range seeds(f) {
		f.Add(raw)
	}
	stage := newStageOpinion(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := Decode(raw, runtime.GOARCH)
		runs := stage.of(t, raw)
		if err == nil && !runs {
			t.Error("Go takes what the stage does not run")
		}
		if runs {
			inBounds(t, raw)
		}
	})
}

// TestStageRefusesEachDamage turns each word of a program into others, and finds the
// stage as strict as it has to be.
func TestStageRefusesEachDamage(t *testing.T) {
	stage := newStageOpinion(t)
	accepted, refused := 0, 0
	for _, raw := range seeds(t) {
		if !stage.of(t, raw) {
			t.Fatal("the stage does not run a whole program")
		}
		for at := 0; at+4 <= len(raw); at += 4 {
			for _, word := range []uint32{0, 1, 0x7f, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff} {
				damaged := bytes.Clone(raw)
				binary.LittleEndian.PutUint32(damaged[at:], word)
				if stage.of(t, damaged) {
					accepted++
					inBounds(t, damaged)
				} else if refused++; bytes.Equal(damaged, raw) {
					t.Errorf("the word at %d is as it was, and refused", at)
				} else if _, err := Decode(damaged, runtime.GOARCH); err == nil {
					t.Errorf("Go takes %#x at %d, and the stage does not run it", word, at)
				}
			}
		}
	}
	t.Logf("%d programs run, %d refused", accepted, refused)
	if accepted == 0 || refused == 0 {
		t.Error("one of the two never happened")
	}
}

// inBounds looks itself whether each target, branch, slot and address lies where it may.
func inBounds(t *testing.T, raw []byte) {
	t.Helper()
	le := binary.LittleEndian
	raw = append(bytes.Clone(raw), make([]byte, 1<<16)...) // the memory behind it is zero
	n, branches, data, scratch := uint64(le.Uint32(raw[8:])), uint64(le.Uint32(raw[12:])), uint64(le.Uint32(raw[16:])), uint64(le.Uint32(raw[20:]))
	branchAt := headerSize + n*instructionSize
	dataAt := branchAt + branches*branchSize
	if dataAt > uint64(len(raw)) {
		return // the header claims memory that is not there: all of it is zero
	}
	slot := func(offset, size uint64) bool {
		return offset <= scratch && size <= scratch-offset && scratch <= scratchMax
	}
	target := func(i uint64, to uint32) bool { return uint64(to) > i && uint64(to) < n }
	for i := range n {
		wire := raw[headerSize+i*instructionSize:][:instructionSize]
		op, width, kinds := Op(wire[0]), uint64(wire[1]), le.Uint16(wire[4:])
		for k := range MaxArgs {
			v := le.Uint64(wire[16+8*k:])
			switch Kind(kinds >> (2 * k) & 3) {
			case SlotValue:
				if !slot(v-ScratchBase, 8) {
					t.Errorf("instruction %d: argument %d is slot %#x", i, k, v)
				}
			case DataAddr:
				if from := ProgramBase + dataAt; v < from || v-from >= data {
					t.Errorf("instruction %d: argument %d is data %#x", i, k, v)
				}
			}
		}
		if op == OpStore && (width > 8 || !slot(le.Uint64(wire[16:])-ScratchBase, width)) {
			t.Errorf("instruction %d stores %d bytes at %#x", i, width, le.Uint64(wire[16:]))
		}
		if (op == OpJump || op == OpFork) && !target(i, le.Uint32(wire[12:])) {
			t.Errorf("instruction %d goes to %d of %d", i, le.Uint32(wire[12:]), n)
		}
		for k := range uint64(le.Uint16(wire[6:])) {
			at := branchAt + (uint64(le.Uint32(wire[8:]))+k)*branchSize
			if at+branchSize > dataAt || !target(i, le.Uint32(raw[at+4:])) {
				t.Errorf("instruction %d has a branch out of bounds", i)
			}
		}
	}
}
