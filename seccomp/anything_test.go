package seccomp

import (
	"math/rand/v2"
	"testing"
)

// programOf makes a valid program of any bytes, four an instruction. There is little
// in it that the analysis refuses: bits are tested where an argument was loaded.
func programOf(raw []byte) *Filter {
	codes := []uint16{
		opLoad, opLoad, opLoad, opLoad, opLoad, opAnd, opAnd, opJset, opJset, opJeq, opJeq, opJeq, opJeq, opJeq, opJgt, opJgt, opJge, opJge, opJa, opRet,
	}
	words := []uint32{dataNr, dataNr, dataArch, dataIP, dataArgs, dataArgs, dataArgs + 4, dataArgs + 8}
	n := min(len(raw)/4, maxProgram/insnSize-1)
	list := make([]insn, n, n+1)
	for i := range list {
		b := raw[4*i:]
		left := min(n-i, 0x100) // with the return at the end
		code := codes[int(b[0])%len(codes)]
		argument := i > 0 && list[i-1].code == opLoad && list[i-1].k >= dataIP
		if (code == opAnd || code == opJset) && !argument && b[0] < 250 {
			code = opJeq
		}
		list[i] = insn{code, skipped(b[1], left), skipped(b[2], left), someConstants[int(b[3])%len(someConstants)]}
		switch code {
		case opLoad:
			list[i].k = words[int(b[3])%len(words)]
		case opJa:
			list[i].k = uint32(skipped(b[3], left))
		}
	}
	return program(append(list, insn{code: opRet, k: 1 << 16})...)
}

// skipped is a short jump more often than not.
func skipped(b byte, left int) uint8 {
	if b < 200 {
		left = min(left, 4)
	}
	return uint8(int(b) % left)
}

var someConstants = []uint32{0, 1, 2, 3, 4, 5, 7, 8, 0xf0, 0x3c, x32Bit, x32Bit + 1, 0x7fffffff, 1 << 31, ^uint32(0), ^uint32(0) - 1}

// checkProgram compares a program with what becomes of it.
func checkProgram(t *testing.T, r *rand.Rand, raw []byte) {
	t.Helper()
	var numbers []uint32
	var values []uint64
	for _, k := range someConstants {
		numbers = append(numbers, k-1, k, k+1)
		values = append(values, uint64(k), uint64(k)<<32, uint64(k)<<32|uint64(k))
	}
	shortened(t, programOf(raw).Program).alike(t, r, numbers, someConstants[:5], values)
}

func TestShortenAnything(t *testing.T) {
	n := uint64(400)
	if testing.Short() {
		n = 100
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(seed, 3))
		checkProgram(t, r, randomBytes(r, r.IntN(200)))
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return raw
}

func FuzzShorten(f *testing.F) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		f.Add(randomBytes(r, 40*int(seed)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkProgram(t, rand.New(rand.NewPCG(1, 1)), raw)
	})
}
