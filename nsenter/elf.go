package nsenter

import (
	"encoding/binary"

	"brig/libcontainer/fault"
)

// Offsets in a 64-bit ELF file and in its program headers.
const (
	elfPhoff     = 32
	elfPhnum     = 56
	phSize       = 56
	phFlags      = 4
	phOffset     = 8
	phVaddr      = 16
	phFilesz     = 32
	phMemsz      = 40
	phAlign      = 48
	ptLoad       = 1
	elfMinHeader = 64
)

// Link appends an encoded program to the stage as its program segment: one file
// that the kernel maps whole, so that the stage reads no file and no fd.
func Link(stage, program []byte, scratch int) ([]byte, error) {
	l, err := newLinker(stage)
	if err != nil {
		return nil, err
	}
	out := make([]byte, l.size(len(program)))
	copy(l.link(out, len(program), scratch), program)
	return out, nil
}

// linker knows where the program goes in a stage.
type linker struct {
	stage                        []byte
	programHeader, scratchHeader int
	offset                       int // of the program in the file
}

func newLinker(stage []byte) (*linker, error) {
	le := binary.LittleEndian
	if len(stage) < elfMinHeader || string(stage[:4]) != "\x7fELF" {
		return nil, fault.Bugf("link: the stage is not an ELF file")
	}
	l := &linker{stage: stage, programHeader: -1, scratchHeader: -1}
	align := uint64(0)
	phoff := int(le.Uint64(stage[elfPhoff:]))
	for i := range int(le.Uint16(stage[elfPhnum:])) {
		at := phoff + i*phSize
		if at < 0 || at > len(stage)-phSize || le.Uint32(stage[at:]) != ptLoad {
			continue
		}
		switch le.Uint64(stage[at+phVaddr:]) {
		case ProgramBase:
			l.programHeader, align = at, le.Uint64(stage[at+phAlign:])
		case ScratchBase:
			l.scratchHeader = at
		}
	}
	if l.programHeader < 0 || l.scratchHeader < 0 || align == 0 || align&(align-1) != 0 {
		return nil, fault.Bugf("link: the stage has no program or no scratch segment")
	}
	l.offset = int((uint64(len(stage)) + align - 1) &^ (align - 1))
	return l, nil
}

// size is that of the file with a program of a size.
func (l *linker) size(program int) int { return l.offset + program }

// link writes the stage to the file out, which is zero, and returns the place of
// the program in it.
func (l *linker) link(out []byte, program, scratch int) []byte {
	le := binary.LittleEndian
	copy(out, l.stage)
	le.PutUint64(out[l.programHeader+phOffset:], uint64(l.offset))
	le.PutUint64(out[l.programHeader+phFilesz:], uint64(program))
	le.PutUint64(out[l.programHeader+phMemsz:], uint64(program))
	le.PutUint64(out[l.scratchHeader+phMemsz:], uint64(scratch))
	return out[l.offset : l.offset+program]
}
