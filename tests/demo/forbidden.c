/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries, from inside the container, what a container must not do, and prints
 * what the kernel said to each. Raw system calls, so that nothing decides before
 * the kernel does. The exit status is the number of attempts that succeeded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static int escaped;

/* One attempt: a refusal is any error, or a result that holds nothing. */
static void attempt(const char *what, long result, int error)
{
	if (result > 0 || (result == 0 && !error)) {
		printf("  %-36s SUCCEEDED\n", what);
		escaped++;
	} else {
		printf("  %-36s %s\n", what, error ? strerrorname_np(error) : "empty");
	}
}

/* Not every kernel has each of these files; an empty one is a masked one. */
static void masked(const char *path)
{
	char what[64], buffer[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

	snprintf(what, sizeof(what), "read the masked %s", path);
	attempt(what, n == 0 ? -1 : n, n < 0 ? errno : 0);
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	long n;

	n = open("/written-by-the-demo", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	attempt("write to /", n, errno * (n < 0));
	n = syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, "");
	attempt("mount a tmpfs", n, errno * (n < 0));
	n = syscall(SYS_ptrace, PTRACE_SEIZE, getppid(), 0, 0);
	attempt("ptrace another process", n, errno * (n < 0));
	n = syscall(SYS_unshare, CLONE_NEWUSER);
	attempt("unshare a user namespace", n, errno * (n < 0));
	masked("/proc/kcore");
	masked("/proc/keys");
	masked("/proc/timer_list");
	return escaped;
}
