/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says of programs whether the stage would run them, and runs none: the stage's own
 * source with another main. It reads a length of four bytes and as many bytes of
 * program, and answers with a byte, 1 for yes.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "../stage/stage.c"

/* The longest program that a header may claim: instructions, branches and data. */
#define ROOM (4 * PROGRAM_MAX)

long syscall6(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	(void)nr, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	__builtin_trap();
}

int main(void)
{
	unsigned char *program = mmap((void *)PROGRAM_BASE, ROOM, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
	u32 size;

	if (program != (void *)PROGRAM_BASE)
		return 2;
	while (fread(&size, sizeof(size), 1, stdin) == 1) {
		if (size > ROOM || fread(program, 1, size, stdin) != size)
			return 3;
		putchar(valid());
		fflush(stdout);
		memset(program, 0, size);
	}
	return 0;
}
