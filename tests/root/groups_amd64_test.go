package root_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	var all atomic.Int32
	t.Run("commands", func(t *testing.T) {
		for _, v := range verbs() {
			switch v.name {
			case "exec", "pause", "resume", "update", "kill", "delete", "delete --force":
				t.Run(v.name, func(t *testing.T) {
					t.Parallel()
					few := stride(29)
					b := sleeper(t)
					for n, ended := len(v.name)%few, false; !ended; n += few {
						if n/len(divisions) > 1000 {
							t.Fatal("the command does not end")
						}
						t.Run(fmt.Sprintf("call %d, %s", n/len(divisions), divisions[n%len(divisions)].name), func(t *testing.T) {
							whole := b.t
							b.t = t
							defer func() { b.t = whole }()
							ended = b.divides(v, n/len(divisions), n%len(divisions))
							all.Add(1)
						})
					}
				})
			}
		}
	})
	t.Logf("%d changes", all.Load())
}

// divides changes the groups before a call, and says whether the command ended before it.
func (b *box) divides(v verb, call, division int) (ended bool) {
	b.save()
	v.make(b)
	defer b.clean()
	base, err := unified()
	must(b.t, err)
	group := base + "/brig/" + b.id
	must(b.t, os.MkdirAll(group+"/old/inner", 0o755))
	init := b.look().Pid
	// It has ended before delete; and pid 0 would be the test.
	if init == 0 && strings.HasPrefix(divisions[division].name, "init ") {
		return false
	}
	calls := 0
	status, said := b.stepped(v, func(s stop) unix.Errno {
		if s.part == partPayload || !counted(s) {
			return errnoNone
		}
		if calls++; calls-1 == call {
			// What is removed already cannot be divided any more.
			_ = divisions[division].does(group, init)
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
