// Package spec reads config.json and decides whether brig can do what it says.
//
// There are two halves. [Load] and [Parse] turn bytes into the types of the
// runtime-spec, strictly: what two programs could read in two ways is refused.
// [Validate] runs a table of rules over the result and reports all faults at once,
// each with the JSON pointer of the field it is about. Nothing is silently
// ignored: a field is checked, or refused as not supported yet, and a key that
// nobody knows is a warning.
//
// # Why a decoder of its own
//
// encoding/json matches keys whatever their case, keeps the last of two equal
// keys, takes null for the number 0 and turns broken Unicode into other text, so
// that an engine and a runtime can read two different configs from one file. A
// second pass to refuse all that costs as much as the first. The decoder here
// does both in one pass over the types of specs-go, and, since every start of a
// container is a fresh process that reads one config, it builds no tables of
// types that pay off only at the second document.
package spec
