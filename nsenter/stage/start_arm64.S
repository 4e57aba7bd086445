/* SPDX-License-Identifier: Apache-2.0 */
	.section .text.start, "ax"
	.globl _start
_start:
	mov x29, #0
	mov x30, #0
	bl stage

	.globl syscall6
syscall6:
	mov x8, x0
	mov x0, x1
	mov x1, x2
	mov x2, x3
	mov x3, x4
	mov x4, x5
	mov x5, x6
	svc #0
	ret
	.section .note.GNU-stack, "", %progbits
