// Package plan compiles a checked config into a program for the stage.
//
// The compiler is pure: it looks at its Input and at nothing else, and returns an
// nsenter.Program or an error. It consists of emitters, one file per section of
// the config; create.go lists them in their order. The order is data: order.go
// holds the pairs that must not be swapped, each with its reason, and checks them
// on every program. verify.go then proves the hardening rules over the finished
// program, in production and not only in tests.
//
// A program has three parts. The host part runs in a process that has entered
// nothing: it opens what comes from the host. It ends with the fork. The child
// becomes the container's init and runs the container part: root file system,
// mounts, confinement, payload. The parent part reports the child and ends.
package plan
