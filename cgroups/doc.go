// Package cgroups puts containers into cgroup v2 groups.
//
// What a config asks for becomes a list of writes (Writes) and a device program
// (DeviceProgram) by pure functions; Root and Group carry them out, by file
// descriptor, on the v2 hierarchy: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a
// hybrid host. brig knows no cgroup v1, never reads mountinfo, and never touches
// what it did not make.
package cgroups
