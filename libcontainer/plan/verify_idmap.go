package plan

import (
	"brig/libcontainer/spec"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// mapping is the mapping of ids of one mount, as the config wants it.
type mapping struct {
	region    int // before the fork, in the container, or after the fork
	fd        int // of the user namespace that is handed over, 0 without
	recursive bool
}

// Where the ids of a mount are mapped.
const (
	beforeFork = iota
	inContainer
	afterFork
)

// mappingsOf lists the mappings in the order in which the program has to make them,
// region by region.
func mappingsOf(in *Input) [3][]mapping {
	var list [3][]mapping
	if in.Join != nil {
		return list
	}
	var maps []IDMap
	eachMapped(in.Spec, func(i int, from idSource, ids IDMap) {
		m := mount{Mount: in.Spec.Mounts[i]}
		m.MountOptions, _ = spec.ParseMountOptions(&m.Mount)
		want := mapping{region: beforeFork, recursive: m.IDMapRecursive}
		switch {
		case from == newUserNS:
			want.region = afterFork
		case from == handedUserNS:
			at := 0
			for at < len(maps) && !maps[at].is(&ids) {
				at++
			}
			if at == len(maps) {
				maps = append(maps, ids)
			}
			want.fd = in.idMapFD(at)
		}
		if !m.Bind {
			want.region = inContainer
		}
		if m.isRoot() {
			list[want.region] = append([]mapping{want}, list[want.region]...)
			return
		}
		list[want.region] = append(list[want.region], want)
	})
	return list
}

// idMaps is rule 3 for the ids of mounts: all that the config wants mapped are, with
// the user namespace that is meant, and nothing else is. A tree is detached then.
func (v *verifier) idMaps() error {
	var next [3]int
	for i := range v.p.Instructions {
		in := &v.p.Instructions[i]
		if in.Op != nsenter.OpCall || in.Sys != nsenter.MountSetattr || in.Args[3].Kind != nsenter.Scratch {
			continue
		}
		region := inContainer
		switch {
		case i < v.fork:
			region = beforeFork
		case i >= v.parent:
			region = afterFork
		}
		if next[region] == len(v.r.mappings[region]) {
			return v.broken(i, "rule 3: ids are mapped that the config does not want mapped")
		}
		want := v.r.mappings[region][next[region]]
		next[region]++
		if got, ok := v.idMap(i); !ok || want.fd != 0 && got != nsenter.Imm(uint64(want.fd)) || want.fd == 0 && got.Kind != nsenter.SlotValue {
			return v.broken(i, "rule 3: ids are not mapped as the config says")
		}
		if flags := in.Args[2].Value; (flags&unix.AT_RECURSIVE != 0) != want.recursive || len(in.On) > 0 {
			return v.broken(i, "rule 3: ids are mapped with flags %#x", flags)
		}
	}
	for region, list := range v.r.mappings {
		if next[region] != len(list) {
			return v.broken(v.fork, "rule 3: the ids of a mount are not mapped")
		}
	}
	return nil
}

// idMap reads the struct mount_attr of call i from the stores before it, and returns
// the user namespace in it.
func (v *verifier) idMap(i int) (userns nsenter.Arg, ok bool) {
	at := v.p.Instructions[i].Args[3].Value
	what, from := false, nsenter.Arg{}
	for j := range v.p.Instructions {
		in := &v.p.Instructions[j]
		if in.Op != nsenter.OpStore || in.Args[0].Value < at || in.Args[0].Value >= at+mountAttrSize {
			continue
		}
		switch {
		case j < i && j >= i-2 && in.Args[0].Value == at && in.Width == 8 && in.Args[1] == nsenter.Imm(unix.MOUNT_ATTR_IDMAP):
			what = true
		case j < i && j >= i-2 && in.Args[0].Value == at+24 && in.Width == 8:
			from = in.Args[1]
		default:
			return from, false
		}
	}
	return from, what
}
