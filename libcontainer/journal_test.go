package libcontainer

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseJournal(t *testing.T) {
	for _, c := range []struct {
		text string
		want intents
		bad  bool
	}{
		{"", intents{}, false},
		{"cgroup /brig/a\n", intents{cgroup: "/brig/a"}, false},
		{"cgroup /a b\nprocess 12 34 b-1\n", intents{cgroup: "/a b", init: identity{12, 34, "b-1"}}, false},
		{"cgroup /a\nprocess 12 3", intents{cgroup: "/a"}, false}, // cut off before its effect
		{"given-cgroup /a\nprocess 12 34 b\n", intents{given: "/a", init: identity{12, 34, "b"}}, false},
		{"rdt-class a\nrdt-monitor a/mon_groups/a\n", intents{rdt: rdtGroups{"a", true, "a/mon_groups/a"}}, false},
		{"rdt-monitor mon_groups/a\nrdt-cl", intents{rdt: rdtGroups{Monitor: "mon_groups/a"}}, false},
		{"cgroup", intents{}, false},
		{"process x 3\n", intents{}, true},
		{"process 0 3\n", intents{}, true},
		{"process -1 3\n", intents{}, true},
		{"process 1\n", intents{}, true},
		{"process 1 2\n", intents{}, true},
		{"other 1\n", intents{}, true},
		{"\n", intents{}, true},
	} {
		got, err := parseJournal(c.text)
		if (err != nil) != c.bad || err == nil && got != c.want {
			t.Errorf("%q: got %+v %v, want %+v", c.text, got, err, c.want)
		}
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add("cgroup /a\nprocess 12 34 b\n")
	f.Fuzz(func(t *testing.T, text string) {
		if in, err := parseJournal(text); err == nil && in.init.pid < 0 {
			t.Errorf("%q: pid %d", text, in.init.pid)
		}
	})
}

func TestJournalIsReadBackAsWritten(t *testing.T) {
	r := Runtime{Root: t.TempDir() + "/root"}
	d, err := r.claim("a")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if in, err := d.intended(); err != nil || in != (intents{}) {
		t.Errorf("no journal: %+v %v", in, err)
	}
	if err := d.intend(intentCgroup, "/x/y"); err != nil {
		t.Fatal(err)
	}
	if err := d.intend(intentProcess, identity{5, 6, "b"}.line()); err != nil {
		t.Fatal(err)
	}
	if err := d.intend(intentCgroup, "a\nprocess 1 1"); err == nil {
		t.Error("a line break was written")
	}
	if in, err := d.intended(); err != nil || in != (intents{cgroup: "/x/y", init: identity{5, 6, "b"}}) {
		t.Errorf("got %+v %v", in, err)
	}
	if err := d.remove(); err != nil {
		t.Error(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(r.Root+"/a", &st); err != unix.ENOENT {
		t.Errorf("the directory is still there: %v", err)
	}
}
