// SPDX-License-Identifier: Apache-2.0
/*
 * The stage: runs a program of system calls, blindly, inside the namespaces of
 * a container. It knows nothing of OCI, formats no text, allocates nothing, and
 * reads nothing but the program that is mapped beside it from the same sealed
 * memfd. What it runs was compiled and verified in Go; the checks here are the
 * second opinion that keeps a damaged program from running at all.
 */
#include <linux/errno.h>
#include <asm/unistd.h>
#include "stage.h"

/* EAGAIN of openat2 means that a rename raced with ".." or a link; upstream
 * saw 3 % failures under rename load before retrying this often. */
#define OPENAT2_RETRIES 128

static const struct header *const header = (const struct header *)PROGRAM_BASE;

static const struct instruction *instruction_at(u32 i)
{
	return (const struct instruction *)(PROGRAM_BASE + sizeof(*header)) + i;
}

static const struct branch *branch_at(u32 i)
{
	return (const struct branch *)instruction_at(header->instructions) + i;
}

static u64 *slot_at(u32 offset)
{
	return (u64 *)(SCRATCH_BASE + offset);
}

/* A filter may forbid to exit. No filter forbids an instruction that the processor
 * does not know, and the signal for that ends even the init of a PID namespace. */
static __attribute__((noreturn)) void leave(int status)
{
	syscall6(__NR_exit_group, (u64)status, 0, 0, 0, 0, 0);
	__builtin_trap();
}

/* The report fd is the control socket, and after start the connection of the
 * one who starts: whoever waits gets the frame; EOF there means exec happened. */
static __attribute__((noreturn)) void report(u32 at, long error)
{
	struct frame frame;

	frame.type = FRAME_ERROR;
	frame.instruction = at;
	frame.error = (s32)error;
	frame.reserved = 0;
	syscall6(__NR_write, *slot_at(header->report), (u64)&frame, sizeof(frame), 0, 0, 0);
	leave(1);
}

static u64 operand(const struct instruction *in, int i)
{
	if (((in->kinds >> (2 * i)) & 3) == KIND_SLOT)
		return *(const u64 *)in->args[i];
	return in->args[i];
}

static long call(const struct instruction *in)
{
	int tries = 0;
	long ret;

	do {
		ret = syscall6(in->nr, operand(in, 0), operand(in, 1), operand(in, 2),
			       operand(in, 3), operand(in, 4), operand(in, 5));
		/* An interrupted close has closed: another one would hit nothing, or an fd
		 * that is somebody's by then. */
		if (ret == -EINTR && in->nr == __NR_close)
			return 0;
	} while (ret == -EINTR ||
		 (ret == -EAGAIN && in->nr == __NR_openat2 && ++tries < OPENAT2_RETRIES));
	return ret;
}

/* Where to go on after a failed call: a branch for this errno, or a report. */
static u32 failed(u32 at, const struct instruction *in, long error)
{
	u32 i;

	for (i = 0; i < in->nbranches; i++) {
		const struct branch *b = branch_at(in->branch + i);

		if (b->error == (s32)error)
			return b->target;
	}
	report(at, error);
}

static u32 run_call(u32 at, const struct instruction *in)
{
	long ret = call(in);

	if (ret < 0 && ret >= -4095)
		return failed(at, in, -ret);
	if (in->dst != NO_SLOT)
		*slot_at(in->dst) = (u64)ret;
	/* The child of a fork goes on; the parent continues at the target. */
	if (in->op == OP_FORK && ret > 0)
		return in->target;
	return at + 1;
}

static void store(const struct instruction *in)
{
	u64 value = operand(in, 1);
	u8 *to = (u8 *)in->args[0];
	u32 i;

	for (i = 0; i < in->width; i++)
		to[i] = (u8)(value >> (8 * i));
}

static u32 jump(u32 at, const struct instruction *in)
{
	const u8 *from = (const u8 *)in->args[0];
	u64 word = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		word |= (u64)from[i] << (8 * i);
	if (((word & in->args[1]) == in->args[2]) == (in->width == COND_EQUAL))
		return in->target;
	return at + 1;
}

static int in_scratch(u64 address, u64 size)
{
	return address >= SCRATCH_BASE && size <= header->scratch &&
	       address - SCRATCH_BASE <= header->scratch - size;
}

static int valid_target(u32 at, u32 target)
{
	return target > at && target < header->instructions;
}

static int valid_operands(const struct instruction *in, u64 data)
{
	int i;

	for (i = 0; i < MAX_ARGS; i++) {
		int kind = (in->kinds >> (2 * i)) & 3;

		if (kind == KIND_SLOT && !in_scratch(in->args[i], 8))
			return 0;
		if (kind == KIND_SCRATCH && !in_scratch(in->args[i], 1))
			return 0;
		if (kind == KIND_DATA && (in->args[i] < data || in->args[i] - data >= header->data))
			return 0;
	}
	return 1;
}

static int valid_instruction(u32 at, const struct instruction *in, u64 data)
{
	u32 i;

	if (in->op >= OP_LAST || !valid_operands(in, data))
		return 0;
	if (in->dst != NO_SLOT && !in_scratch(SCRATCH_BASE + in->dst, 8))
		return 0;
	if ((in->op == OP_JUMP || in->op == OP_FORK) && !valid_target(at, in->target))
		return 0;
	if (in->op == OP_JUMP && !in_scratch(in->args[0], 8))
		return 0;
	if (in->op == OP_STORE && (in->width > 8 || !in_scratch(in->args[0], in->width)))
		return 0;
	if (in->branch > header->branches || in->nbranches > header->branches - in->branch)
		return 0;
	for (i = 0; i < in->nbranches; i++)
		if (!valid_target(at, branch_at(in->branch + i)->target))
			return 0;
	return 1;
}

/* All offsets are checked before the first call runs, and the last instruction
 * ends the process, so that a program can neither loop nor run off its end. */
static int valid(void)
{
	const struct instruction *last;
	u64 data;
	u32 i;

	if (header->magic != MAGIC || header->version != VERSION || header->instructions == 0 ||
	    header->instructions > PROGRAM_MAX / sizeof(*last) ||
	    header->branches > PROGRAM_MAX / sizeof(struct branch) ||
	    header->data > PROGRAM_MAX || header->scratch > SCRATCH_MAX ||
	    !in_scratch(SCRATCH_BASE + header->report, 8))
		return 0;
	data = (u64)branch_at(header->branches);
	for (i = 0; i < header->instructions; i++)
		if (!valid_instruction(i, instruction_at(i), data))
			return 0;
	last = instruction_at(header->instructions - 1);
	return last->op == OP_FAIL || last->op == OP_EXIT;
}

__attribute__((noreturn)) void stage(void);

void stage(void)
{
	u32 at = 0;

	if (!valid())
		leave(125);
	for (;;) {
		const struct instruction *in = instruction_at(at);

		switch (in->op) {
		case OP_CALL:
		case OP_FORK:
			at = run_call(at, in);
			break;
		case OP_STORE:
			store(in);
			at++;
			break;
		case OP_JUMP:
			at = jump(at, in);
			break;
		case OP_FAIL:
			report(at, (long)operand(in, 0));
		default:
			leave((int)operand(in, 0));
		}
	}
}
