// Package systemd has systemd make a container's cgroup, as a transient scope.
//
// It speaks D-Bus itself, as much of it as three calls and one signal take: the
// libraries for it import package net, which every start of brig would pay for
// (docs/dependencies.md). Every call has a time limit, and its error says which call
// it was. Without --systemd-cgroup nothing here runs.
package systemd
