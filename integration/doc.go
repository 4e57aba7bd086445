// Package integration runs brig under its users: podman, buildah, containerd, docker
// and the networks that they make, each with its own binaries, on the test machines of
// tests/vm, offline. Whatever they do is done once more with crun in the place of brig.
//
// The folder of a client has scenarios as shell scripts (see scenario_test.go), and
// `make integration` runs them all.
//
//	BRIG_CLIENTS          the clients, all without it
//	BRIG_CLIENT_RUN       the scenarios, as -test.run takes them
//	BRIG_CLIENT_MACHINES  the machines, e.g. "trixie sid"; none without it
//
// A client that passes writes its row of docs/compatibility.md, unless BRIG_CLIENT_RUN
// chose among its scenarios.
package integration
