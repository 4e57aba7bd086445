package plan

import (
	"bytes"
	"encoding/binary"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// identity is whom the payload runs as: what rule 6 compares the operands of the
// tail with.
type identity struct {
	uid, gid uint32
	groups   []uint32
	sets     capSets // at execve; without no_new_privs execve computes them anew
}

func identityOf(in *Input) identity {
	p := in.Spec.Process
	id := identity{uid: p.User.UID, gid: p.User.GID, groups: p.User.AdditionalGids, sets: capabilitySets(p.Capabilities, in.Host.Withheld)}
	if in.Filter != nil && !p.NoNewPrivileges {
		id.sets.effective |= 1 << unix.CAP_SYS_ADMIN
		id.sets.permitted |= 1 << unix.CAP_SYS_ADMIN
	}
	return id
}

// setsID matches the call that sets all three ids to one.
func setsID(sys nsenter.Sys, id uint32) func(*nsenter.Instruction) bool {
	return func(in *nsenter.Instruction) bool {
		want := nsenter.Imm(uint64(id))
		return in.Sys == sys && in.Args[0] == want && in.Args[1] == want && in.Args[2] == want
	}
}

func (v *verifier) setsGroups(in *nsenter.Instruction) bool {
	groups := v.r.identity.groups
	if in.Sys != nsenter.Setgroups || in.Args[0] != nsenter.Imm(uint64(len(groups))) {
		return false
	}
	raw := make([]byte, 0, 4*len(groups))
	for _, g := range groups {
		raw = binary.LittleEndian.AppendUint32(raw, g)
	}
	return len(groups) == 0 || v.holds(in.Args[1], raw)
}

func (v *verifier) setsCaps(in *nsenter.Instruction) bool {
	return in.Sys == nsenter.Capset && v.holds(in.Args[1], capData(v.r.identity.sets))
}

// holds says that an operand is the address of these bytes.
func (v *verifier) holds(a nsenter.Arg, raw []byte) bool {
	return a.Kind == nsenter.DataAddr && a.Value <= uint64(len(v.p.Data)) && bytes.HasPrefix(v.p.Data[a.Value:], raw)
}

// credentials is rule 6 for what the order does not show: each of the calls that
// change credentials is there once after the fds are closed, and the ambient
// capabilities raised are those of the config.
func (v *verifier) credentials() error {
	seen := [...]struct {
		sys nsenter.Sys
		at  int
	}{{nsenter.Setgroups, -1}, {nsenter.Setresgid, -1}, {nsenter.Setresuid, -1}, {nsenter.Capset, -1}}
	if v.r.KeepsGroups {
		if at := v.find(0, is(nsenter.Setgroups)); at >= 0 {
			return v.broken(at, "rule 6: the groups of the caller are to stay")
		}
	}
	raised := uint64(0)
	for i := v.find(v.fork+1, v.closesAll); i < v.parent; i++ {
		in := &v.p.Instructions[i]
		if in.Op != nsenter.OpCall {
			continue
		}
		for k := range seen {
			if seen[k].sys == in.Sys && seen[k].at >= 0 {
				return v.broken(i, "rule 6: the credentials change a second time")
			}
			if seen[k].sys == in.Sys {
				seen[k].at = i
			}
		}
		if isPrctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE)(in) {
			raised |= 1 << (in.Args[2].Value & 63)
		}
	}
	if raised != v.r.identity.sets.ambient {
		return v.broken(v.parent-1, "rule 6: the ambient set becomes %#x and not %#x", raised, v.r.identity.sets.ambient)
	}
	return nil
}
