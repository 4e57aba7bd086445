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
	out, err := linkFor(stage, len(program), scratch)
	return append(out, program...), err
}

// linkFor is Link for a program of a size that the caller appends itself: there is
// room for it.
func linkFor(stage []byte, size, scratch int) ([]byte, error) {
	le := binary.LittleEndian
	if len(stage) < elfMinHeader || string(stage[:4]) != "\x7fELF" {
		return nil, fault.Bugf("link: the stage is not an ELF file")
	}
	programHeader, scratchHeader := -1, -1
	align := uint64(0)
	phoff := int(le.Uint64(stage[elfPhoff:]))
	for i := range int(le.Uint16(stage[elfPhnum:])) {
		at := phoff + i*phSize
		if at < 0 || at > len(stage)-phSize || le.Uint32(stage[at:]) != ptLoad {
			continue
		}
		switch le.Uint64(stage[at+phVaddr:]) {
		case ProgramBase:
			programHeader, align = at, le.Uint64(stage[at+phAlign:])
		case ScratchBase:
			scratchHeader = at
		}
	}
	if programHeader < 0 || scratchHeader < 0 || align == 0 || align&(align-1) != 0 {
		return nil, fault.Bugf("link: the stage has no program or no scratch segment")
	}
	offset := (uint64(len(stage)) + align - 1) &^ (align - 1)
	out := make([]byte, offset, offset+uint64(size))
	copy(out, stage)
	le.PutUint64(out[programHeader+phOffset:], offset)
	le.PutUint64(out[programHeader+phFilesz:], uint64(size))
	le.PutUint64(out[programHeader+phMemsz:], uint64(size))
	le.PutUint64(out[scratchHeader+phMemsz:], uint64(scratch))
	return out, nil
}
