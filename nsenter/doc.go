// Package nsenter holds brig's instruction set, and starts and drives the stage
// that executes it.
//
// A Program is a flat list of instructions with forward-only jumps. Each
// instruction is one raw system call, or one of five that make a list of calls a
// program: store, jump, fork, fail and exit. The instructions are grouped in
// steps; a step knows the JSON pointer of the config field that it came from, so
// that an error of the stage, which is only {instruction, errno}, becomes a
// sentence about the config.
//
//	Builder ──Program()──▶ Program ──Encode──▶ bytes ──Start──▶ stage
//	                          │  ▲               │
//	                        String └───Decode────┘
//
// An operand is an immediate, the value of a slot (the result of an earlier
// call), the address of something in the data section (a string, a struct), or
// an address in the scratch area, which is the only memory that a program
// writes. The data section is laid out once, with absolute addresses: the stage
// maps the program at ProgramBase and the scratch area at ScratchBase.
//
// The stage (stage/, in C) knows no OCI, parses nothing and formats nothing. It
// is a static ELF file; the program is appended to it as one more segment, in one
// sealed memfd, so that the kernel maps both and /proc/PID/exe of the stage never
// names a file of the host (CVE-2019-5736).
package nsenter
