package root_test

import (
	"strings"
	"testing"
)

func TestRegex(t *testing.T) {
	b := newBox(t)
	b.args("/bin/sleep", "1000")
	id := b.id
	for _, suffix := range []string{"-a", "-b", "-other"} {
		b.id = id + suffix
		b.create()
		b.ok("start", b.id)
	}
	b.id = id
	b.ok("kill", "--regex", id+"-(a|b)$", "KILL")
	for _, suffix := range []string{"-a", "-b"} {
		b.id = id + suffix
		b.wait()
	}
	b.id = id
	equal(t, strings.Join(strings.Fields(b.ok("list", "--quiet")), " "), id+"-a "+id+"-b "+id+"-other")
	// The one that runs is refused, the others are deleted all the same.
	b.refused("cannot delete container "+id+"-other that is not stopped: running", "delete", "-r", "^"+id)
	equal(t, b.ok("list", "--quiet"), id+"-other\n")
	b.ok("delete", "--regex", "nosuch")
	b.ok("delete", "--force", "--regex", "other")
	equal(t, b.ok("list", "--quiet"), "")
	b.refused("--regex: at character 2: there is a ( without a )", "delete", "--regex", "(")
	b.refused("--regex: at character 2: there is a ( without a )", "kill", "--regex", "(")
}
