// Package libcontainer is the life of a container: one file for each verb, each
// reading from top to bottom as its stages.
//
// What a container is lies in a directory of its own below the runtime's root:
//
//	journal     what is about to be made on the host, written before it is made
//	state.json  the container, once it is made
//	start       the socket on which the stage waits for `brig start`
//
// The directory itself is the lock: creating it claims the ID, and flock(2) on it
// keeps two verbs apart. Whatever kills brig, the journal says what is left to
// remove.
package libcontainer
