package errors_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
)

// trueProgram exits with 0.
func trueProgram() []byte {
	if runtime.GOARCH == "arm64" {
		// mov x0, #0; mov x8, #93; svc #0
		return executable(elf.EM_AARCH64, []byte{0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4})
	}
	// xor edi, edi; mov eax, 60; syscall
	return executable(elf.EM_X86_64, []byte{0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05})
}

// waitProgram waits for a signal that ends it: a loop of ppoll(0, 0, 0, 0).
func waitProgram() []byte {
	if runtime.GOARCH == "arm64" {
		// mov x0..x3, #0; mov x8, #73; svc #0; b -24
		return executable(elf.EM_AARCH64, []byte{
			0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2,
			0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xfa, 0xff, 0xff, 0x17,
		})
	}
	// mov eax, 34 (pause); syscall; jmp -9
	return executable(elf.EM_X86_64, []byte{0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7})
}

// executable is two headers and a few instructions, so that a root file system
// needs no program of the host.
func executable(machine elf.Machine, code []byte) []byte {
	const base, headers = 0x400000, 64 + 56
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
