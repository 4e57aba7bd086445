package root_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sets are the capability sets of a process as the kernel prints them.
type sets struct{ inh, prm, eff, bnd, amb uint64 }

func (s sets) String() string {
	return fmt.Sprintf("CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x", s.inh, s.prm, s.eff, s.bnd, s.amb)
}

// The sets of the matrix.
const (
	chown   = 1 << unix.CAP_CHOWN
	kill    = 1 << unix.CAP_KILL
	netBind = 1 << unix.CAP_NET_BIND_SERVICE
	netRaw  = 1 << unix.CAP_NET_RAW
)

const (
	three      = `["CAP_CHOWN","CAP_KILL","CAP_NET_BIND_SERVICE"]`
	threeCaps  = chown | kill | netBind
	plain      = `{"bounding":` + three + `,"effective":` + three + `,"permitted":` + three + `}`
	ambient    = `{"bounding":` + three + `,"effective":` + three + `,"permitted":` + three + `,"inheritable":["CAP_KILL","CAP_CHOWN"],"ambient":["CAP_KILL"]}`
	inherit    = `{"bounding":` + three + `,"effective":["CAP_KILL"],"permitted":` + three + `,"inheritable":["CAP_KILL"]}`
	noBounding = `{"bounding":[],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}`
	onlyKill   = `{"bounding":` + three + `,"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}`
)

// filterAll is a profile that allows everything: what is held back for loading it
// must not show in the payload.
const filterAll = `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["personality"],"action":"SCMP_ACT_ERRNO"}]}}}`

// TestCapabilities is the matrix of design.md section 3: user, ambient, user
// namespace, no_new_privs, filter.
func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		name   string
		config string
		root   sets // of uid 0
		other  sets // of uid 1000
	}{
		// execve gives root what the bounding set allows.
		{"plain", plain, sets{0, threeCaps, threeCaps, threeCaps, 0}, sets{0, 0, 0, threeCaps, 0}},
		{"ambient", ambient, sets{kill | chown, threeCaps, threeCaps, threeCaps, kill}, sets{kill | chown, kill, kill, threeCaps, kill}},
		{"inheritable", inherit, sets{kill, threeCaps, threeCaps, threeCaps, 0}, sets{kill, 0, 0, threeCaps, 0}},
		{"empty bounding", noBounding, sets{}, sets{}},
		{"none", `{"bounding":null,"effective":null,"permitted":null}`, sets{}, sets{}},
		{"absent", `null`, sets{}, sets{}},
	} {
		for _, uid := range []int{0, 1000} {
			for _, nnp := range []bool{true, false} {
				for _, userns := range []bool{false, true} {
					for _, filter := range []bool{false, true} {
						want := c.root
						if uid != 0 {
							want = c.other
						}
						name := fmt.Sprintf("%s/uid %d nnp %v userns %v filter %v", c.name, uid, nnp, userns, filter)
						t.Run(name, func(t *testing.T) {
							t.Parallel()
							checkSets(t, c.config, uid, nnp, userns, filter, want)
						})
					}
				}
			}
		}
	}
}

func checkSets(t *testing.T, config string, uid int, nnp, userns, filter bool, want sets) {
	t.Helper()
	b := newBox(t, fmt.Sprintf(`{"process":{"capabilities":%s,"user":{"uid":%d,"gid":%d},"noNewPrivileges":%v}}`, config, uid, uid, nnp))
	mode := "0"
	if userns {
		b.patch(withUserNamespace)
	}
	if filter {
		b.patch(filterAll)
		mode = "2"
	}
	b.args("/bin/grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status")
	r := b.start()
	equal(t, r.out+r.err, fmt.Sprintf("%s\nNoNewPrivs:\t%d\nSeccomp:\t%s\n", want, map[bool]int{true: 1}[nnp], mode))
}

// setcap gives a file capabilities, as setcap does: version 2 of the attribute.
func setcap(t *testing.T, name string, permitted, inheritable uint32, effective bool) {
	t.Helper()
	magic := uint32(0x02000000)
	if effective {
		magic |= 1
	}
	raw := binary.LittleEndian.AppendUint32(nil, magic)
	for _, word := range []uint32{permitted, inheritable, 0, 0} {
		raw = binary.LittleEndian.AppendUint32(raw, word)
	}
	must(t, unix.Setxattr(name, "security.capability", raw, 0))
}

// fileBox has a copy of busybox with capabilities of its own, or another mode.
func fileBox(t *testing.T, uid int, nnp bool, config string) (b *box, tool string) {
	t.Helper()
	b = newBox(t, fmt.Sprintf(`{"process":{"capabilities":%s,"user":{"uid":%d,"gid":%d},"noNewPrivileges":%v}}`, config, uid, uid, nnp))
	raw, err := os.ReadFile(busybox)
	must(t, err)
	tool = b.rootfs + "/tool/grep"
	mkdir(t, b.rootfs+"/tool", 0o755)
	must(t, os.WriteFile(tool, raw, 0o755))
	b.args("/tool/grep", "-E", "^Cap", "/proc/self/status")
	return b, tool
}

func TestFileCapabilities(t *testing.T) {
	for _, c := range []struct {
		name                   string
		uid                    int
		nnp                    bool
		config                 string
		permitted, inheritable uint32
		effective              bool
		want                   sets
	}{
		{"of a user", 1000, false, plain, kill, 0, true, sets{0, kill, kill, threeCaps, 0}},
		{"of a user, permitted only", 1000, false, plain, kill, 0, false, sets{0, kill, 0, threeCaps, 0}},
		// What the process holds already is no new privilege.
		{"held, under no_new_privs", 1000, true, onlyKill, kill, 0, true, sets{0, kill, kill, threeCaps, 0}},
		{"new, under no_new_privs", 1000, true, onlyKill, netBind, 0, true, sets{0, 0, 0, threeCaps, 0}},
		{"beyond the bounding set", 1000, false, plain, kill | netRaw, 0, false, sets{0, kill, 0, threeCaps, 0}},
		{"inheritable", 1000, false, inherit, 0, kill | chown, true, sets{kill, kill, kill, threeCaps, 0}},
		{"in place of ambient", 1000, false, ambient, netBind, 0, true, sets{kill | chown, netBind, netBind, threeCaps, 0}},
		{"of root", 0, false, plain, kill, 0, true, sets{0, threeCaps, threeCaps, threeCaps, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, tool := fileBox(t, c.uid, c.nnp, c.config)
			setcap(t, tool, c.permitted, c.inheritable, c.effective)
			r := b.start()
			equal(t, strings.TrimSuffix(r.out+r.err, "\n"), c.want.String())
		})
	}
	t.Run("effective beyond the bounding set does not run", func(t *testing.T) {
		t.Parallel()
		b, tool := fileBox(t, 1000, false, plain)
		setcap(t, tool, netRaw, 0, true)
		r := b.start()
		if r.code == 0 || !strings.Contains(r.err, "/process/args/0: ") || !strings.Contains(r.err, "EPERM") {
			t.Errorf("exit %d, stderr %q", r.code, r.err)
		}
	})
	for _, nnp := range []bool{false, true} {
		t.Run(fmt.Sprintf("set-user-ID nnp %v", nnp), func(t *testing.T) {
			t.Parallel()
			b, tool := fileBox(t, 1000, nnp, plain)
			must(t, os.Chmod(tool, 0o755|os.ModeSetuid))
			// Busybox itself gives up the user, and the effective set with it.
			want := sets{0, threeCaps, 0, threeCaps, 0}
			if nnp {
				want = sets{0, 0, 0, threeCaps, 0}
			}
			r := b.start()
			equal(t, strings.TrimSuffix(r.out+r.err, "\n"), want.String())
		})
	}
}

func TestCapabilitiesRefused(t *testing.T) {
	refuse(t, []refusal{{
		name: "inheritable beyond the bounding set", want: []string{"/process/capabilities", "EPERM"},
		patch: `{"process":{"capabilities":{"bounding":[],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],"inheritable":["CAP_KILL"]}}}`,
	}})
}

// A brig that lacks a capability cannot grant it: the spec wants a warning, and the
// container without it. In a user namespace the container has all it asks for.
func TestCapabilitiesWithheld(t *testing.T) {
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv: " + err.Error())
	}
	const caps = `{"process":{"capabilities":{"bounding":["CAP_KILL","CAP_AUDIT_WRITE"],"effective":["CAP_KILL","CAP_AUDIT_WRITE"],"permitted":["CAP_KILL","CAP_AUDIT_WRITE"]}}}`
	const audit = 1 << unix.CAP_AUDIT_WRITE
	for _, c := range []struct {
		name    string
		patches []string
		want    sets
		warned  bool
	}{
		{"no user namespace", []string{caps}, sets{0, kill, kill, kill, 0}, true},
		{"user namespace", []string{caps, withUserNamespace}, sets{0, kill | audit, kill | audit, kill | audit, 0}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, c.patches...)
			b.args("/bin/grep", "^Cap", "/proc/self/status")
			b.save()
			cmd := b.command("run", "--bundle", b.bundle, b.id)
			cmd.Args = append([]string{"setpriv", "--bounding-set", "-audit_write", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = setpriv
			r := finish(t, cmd)
			if r.code != 0 || strings.TrimSpace(r.out) != c.want.String() {
				t.Errorf("exit %d, stderr %q:\n%s\nwant\n%s", r.code, r.err, r.out, c.want)
			}
			warning := "/process/capabilities/bounding/1: brig does not hold CAP_AUDIT_WRITE itself, so it is not granted"
			if strings.Contains(r.err, warning) != c.warned {
				t.Errorf("stderr %q", r.err)
			}
		})
	}
}
