package errors_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
)

// truth is exit(0) in machine code.
func truth() (machine elf.Machine, code []byte) {
	if runtime.GOARCH == "arm64" {
		// mov x0, #0; mov x8, #93; svc #0
		return elf.EM_AARCH64, []byte{0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}
	}
	// xor edi, edi; mov eax, 60; syscall
	return elf.EM_X86_64, []byte{0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}
}

// trueProgram is an executable that exits with 0: two headers and a few
// instructions, so that a root file system needs no program of the host.
func trueProgram() []byte {
	const base, headers = 0x400000, 64 + 56
	machine, code := truth()
	size := uint64(headers + len(code))
	header := elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:    uint16(elf.ET_EXEC),
		Machine: uint16(machine),
		Version: uint32(elf.EV_CURRENT),
		Entry:   base + headers,
		Phoff:   64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000,
	}
	var out bytes.Buffer
	for _, part := range [...]any{header, segment, code} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	return out.Bytes()
}
