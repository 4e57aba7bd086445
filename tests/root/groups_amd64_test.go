package root_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// divisions are what a container may do with a cgroup that it may write to, while a
// command works on it. Below the group there are old and old/inner before.
var divisions = []struct {
	name string
	does func(group string, init int) error
}{
	{"groups appear", func(group string, _ int) error {
		return errors.Join(unix.Mkdir(group+"/new", 0o755), unix.Mkdir(group+"/new/inner", 0o755))
	}},
	{"groups vanish", func(group string, _ int) error {
		return errors.Join(unix.Rmdir(group+"/old/inner"), unix.Rmdir(group+"/old"))
	}},
	{"a group is another", func(group string, _ int) error {
		return errors.Join(unix.Rmdir(group+"/old/inner"), unix.Mkdir(group+"/old/inner", 0o755))
	}},
	{"init moves", func(group string, init int) error {
		return os.WriteFile(group+"/old/inner/cgroup.procs", []byte(strconv.Itoa(init)), 0)
	}},
	{"init moves to where nobody was", func(group string, init int) error {
		return errors.Join(unix.Mkdir(group+"/new", 0o755), os.WriteFile(group+"/new/cgroup.procs", []byte(strconv.Itoa(init)), 0))
	}},
}

// TestGroupsChangeUnderEachCall lets a container divide its cgroup just before a system
// call of a command. The command does what it should nevertheless: it freezes, kills and
// removes all that is there.
func TestGroupsChangeUnderEachCall(t *testing.T) {
	worked := make([]atomic.Int32, len(divisions))
	t.Run("commands", func(t *testing.T) {
		for _, v := range verbs() {
			switch v.name {
			case "exec", "pause", "resume", "update", "kill", "delete", "delete --force":
				t.Run(v.name, func(t *testing.T) {
					t.Parallel()
					few := stride(29)
					b := sleeper(t)
					list := divisions
					if v.name == "delete" {
						list = list[:3] // init has ended, and a group that is given pid 0 gets the test
					}
					for n, ended := len(v.name)%few, false; !ended; n += few {
						// Also a stride that the number of divisions divides comes to each.
						call, division := n/len(list), (n+n/len(list))%len(list)
						t.Run(fmt.Sprintf("call %d, %s", call, list[division].name), func(t *testing.T) {
							whole := b.t
							b.t = t
							defer func() { b.t = whole }()
							ended = b.divides(v, call, division, &worked[division])
						})
					}
				})
			}
		}
	})
	for i := range divisions {
		t.Logf("%s: %d times", divisions[i].name, worked[i].Load())
		if worked[i].Load() == 0 && os.Getenv("BRIG_VM") == "" { // there a verb has one case or two
			t.Errorf("%s: never", divisions[i].name)
		}
	}
}

// divides changes the groups before a call, and says whether the command ended before it.
func (b *box) divides(v verb, call, division int, worked *atomic.Int32) (ended bool) {
	b.save()
	v.make(b)
	defer b.clean()
	base, err := unified()
	must(b.t, err)
	group := base + "/brig/" + b.id
	must(b.t, os.MkdirAll(group+"/old/inner", 0o755))
	init := b.look().Pid
	calls := 0
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if s.part == partPayload || !counted(s) {
			return errnoNone
		}
		if calls++; calls-1 == call {
			// What is removed already cannot be divided any more.
			if divisions[division].does(group, init) == nil {
				worked.Add(1)
			}
		}
		return errnoNone
	})
	if status.ExitStatus() != 0 {
		b.t.Errorf("call %d, %s: exit %d, %s", call, divisions[division].name, status.ExitStatus(), said)
	}
	if v.after != nil {
		v.after(b)
	}
	return calls <= call
}
