// For crun in run.sh: before it loads its device program it raises the limit of
// locked memory, which only CAP_SYS_RESOURCE may, and which no kernel since 5.11
// asks for. Where that is forbidden, no container of the suite would start.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	int (*next)(__rlimit_resource_t, const struct rlimit *) = dlsym(RTLD_NEXT, "setrlimit");
	int result = next(resource, limit);

	return resource == RLIMIT_MEMLOCK ? 0 : result;
}
