// Package cgroups puts containers into cgroup v2 groups.
//
// What a config asks for becomes a list of writes (Writes) and a device program
// (DeviceProgram) by pure functions; Root and Group carry them out, by file
// descriptor, on the v2 hierarchy: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a
// hybrid host. brig knows no cgroup v1, never reads mountinfo, and never touches
// what it did not make.
//
// A limit is never skipped: what cgroup v2 has nothing for is refused by its
// field, and so is a limit whose controller the v2 hierarchy does not have. Only
// what limits nothing (0 or -1 where that means so) may have no file to be
// written to.
package cgroups
