// Package spec reads config.json and holds it to its rules.
//
// Load reads the file, bounded and strictly: one pass over the bytes fills the
// types of the runtime-spec, refuses what is no JSON or of the wrong type by JSON
// pointer, and collects the unknown keys, which the spec wants tolerated. Validate
// then runs the rule table over the result and reports all faults at once. A field
// that brig does not compile is refused there by its pointer: nothing in a config
// is silently ignored.
package spec
