// Package seccomp turns the seccomp profile of a config into the bytes of a BPF
// filter.
//
// libseccomp compiles the rules. It lives in a program of its own (compiler/),
// which brig embeds and runs only when the filter is not in the cache: a cache hit
// pays nothing for it, not even the start-up cost of cgo. In front of libseccomp's
// filter brig puts a stub of its own that decides on system calls which libseccomp
// has no name for, and answers ENOSYS to those that are newer than the profile, so
// that a C library falls back instead of failing.
//
// A small interpreter of the same instructions is the oracle of the tests.
package seccomp
