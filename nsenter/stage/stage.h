/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire format of a program: what nsenter/encode.go writes and the stage
 * runs. Both sides are little endian; every address is absolute, because the
 * segments of the stage are mapped at fixed addresses (stage.lds).
 */
#ifndef BRIG_STAGE_H
#define BRIG_STAGE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int s32;

#define PROGRAM_BASE 0x10000000UL
#define SCRATCH_BASE 0x20000000UL
#define SCRATCH_MAX 0x10000UL
#define PROGRAM_MAX 0x1000000UL

#define MAGIC 0x47495242U /* "BRIG" */
#define VERSION 1U
#define FRAME_ERROR 0x52524542U /* "BERR" */

enum op { OP_CALL, OP_FORK, OP_STORE, OP_JUMP, OP_FAIL, OP_EXIT, OP_LAST };
enum kind { KIND_IMMEDIATE, KIND_SLOT, KIND_DATA, KIND_SCRATCH };
enum cond { COND_EQUAL, COND_NOT_EQUAL };

#define NO_SLOT 0xffffffffU
#define MAX_ARGS 6

struct header {
	u32 magic;
	u32 version;
	u32 instructions; /* how many follow this header */
	u32 branches;     /* how many follow the instructions */
	u32 data;         /* bytes of data that follow the branches */
	u32 scratch;      /* bytes of scratch in use, at most SCRATCH_MAX */
	u32 report;       /* scratch offset of the slot with the report fd */
	u32 reserved;
};

struct instruction {
	u8 op;
	u8 width; /* OP_STORE: bytes to store; OP_JUMP: enum cond */
	u16 nr;
	u16 kinds;    /* two bits an argument, argument 0 lowest */
	u16 nbranches;
	u32 branch; /* index of the first branch of this instruction */
	u32 target; /* OP_JUMP, OP_FORK: index of an instruction further on */
	u64 args[MAX_ARGS];
	u32 dst; /* scratch offset of the result's slot, or NO_SLOT */
	u32 reserved;
};

struct branch {
	s32 error;
	u32 target;
};

struct frame {
	u32 type;
	u32 instruction;
	s32 error;
	u32 reserved;
};

long syscall6(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

#endif
