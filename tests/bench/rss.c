/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command and prints the peak resident set, in KiB, of the largest of its
 * processes. It is C, static and calls vfork, because the kernel counts what a
 * process had mapped before its execve: measured from a larger program, nothing
 * is smaller than that program.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid;

	if (argc < 2)
		return 2;
	pid = vfork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		return 2;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return 1;
	printf("%ld\n", usage.ru_maxrss);
	return 0;
}
