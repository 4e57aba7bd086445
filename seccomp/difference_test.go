package seccomp

import (
	"errors"
	"math/bits"
	"testing"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Whatever is wrong with a shortened program, it is not used.
func TestConfirmRefuses(t *testing.T) {
	if nativeABI().arch != "amd64" {
		t.Skip("of other filters some damage may be without consequence")
	}
	for name, profile := range map[string]*specs.LinuxSeccomp{"docker": docker(t), "default": Default("amd64")} {
		p := pairOf(t, profile)
		c, ok := constantsOf(p.long.instructions())
		if !ok {
			t.Fatal("the analysis does not know the program")
		}
		if err := confirm(p.long, p.short, c); err != nil {
			t.Error(err)
		}
		if err := confirm(p.long, program(insn{code: opJa}), c); err == nil {
			t.Error("a jump to nowhere was taken")
		}
		for pc, in := range p.short.instructions() {
			for _, wrong := range in.damaged() {
				list := p.short.instructions()
				list[pc] = wrong
				err := confirm(p.long, program(list...), c)
				var f *fault.Error
				if !errors.As(err, &f) || f.Class != fault.Bug {
					t.Errorf("%s: %d: %s instead of %s: %v", name, pc, wrong.text(pc), in.text(pc), err)
				}
			}
		}
	}
}

// damaged are instructions with one thing wrong.
func (in insn) damaged() []insn {
	other, more, swapped := in, in, in
	other.k ^= 1
	more.k++
	swapped.jt, swapped.jf = in.jf, in.jt
	switch in.code {
	case opRet:
		return []insn{other}
	case opLoad:
		more.k = (in.k + 4) % dataSize
		return []insn{more}
	case opJset: // a bit of which the program knows already would not matter
		other.k = bits.RotateLeft32(in.k, 1)
		return []insn{other, swapped}
	}
	return []insn{other, more, swapped}
}
