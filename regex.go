package main

import (
	"errors"

	"brig/libcontainer/fault"
)

// regexFlag takes the ID for a pattern, as crun does.
func regexFlag() option {
	return toggle("regex", "the ID is a regular expression (POSIX ERE): work on every container that it matches", "r")
}

// each works on the container of an ID, or with --regex on all that it matches. One
// that fails does not keep the others from their turn.
func each(c *call, id string, work func(id string) error) error {
	if !c.on("regex") {
		return work(id)
	}
	pattern, err := compile(id)
	if err != nil {
		return fault.Configf("", "--regex: %s", err)
	}
	states, err := runtime(c).List()
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range states {
		if pattern.matches(s.ID) {
			failed = append(failed, work(s.ID))
		}
	}
	return errors.Join(failed...)
}
