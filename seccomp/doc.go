// Package seccomp turns the seccomp profile of a config into the bytes of a BPF
// filter.
//
// libseccomp compiles the rules. It lives in a program of its own (compiler/),
// which brig embeds and runs only when the filter is not in the cache: a cache hit
// pays nothing for it, not even the start-up cost of cgo.
//
// In front of libseccomp's filter brig puts a stub of its own. It decides on system
// calls that libseccomp has no name for, or of which it gets the rules wrong
// (overlap.go): a rule without conditions goes before the others, and those before
// one another as in the profile. And it answers ENOSYS to system calls above the
// highest number that the profile names for an architecture, so that a C library
// falls back instead of failing; unless the default action runs them, has a tracer
// decide, or is ENOSYS itself. To know of a system call and deny it, name it.
//
// The two together are then shortened (shorten.go): the numbers of system calls that
// are treated alike become ranges, which are found by halving; what depends on
// arguments stays as it was, each piece once. The kernel compiles a filter, and runs
// it for each number to see which calls are always allowed (5.11), while a container
// starts; so what it finds quickly, and as a constant, is what the result is made of.
//
// A small interpreter of the same instructions is the oracle of the tests, and
// compares a shortened filter with the long one before it is used.
package seccomp
