package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// terminals is rule 4 for terminals: the peer of a ptmx is taken only from a file
// that was opened without following links and then proved to be the ptmx of a devpts.
func (v *verifier) terminals(i int, in *nsenter.Instruction) error {
	if in.Sys != nsenter.Ioctl || in.Args[1].Value != unix.TIOCGPTPEER {
		return nil
	}
	ptmx := in.Args[0]
	opened := v.before(i, func(in *nsenter.Instruction) bool {
		return in.Sys == nsenter.Openat2 && ptmx == nsenter.Val(in.Dst) && v.how(in, 2)&unix.RESOLVE_NO_SYMLINKS != 0
	})
	fs := v.before(i, func(in *nsenter.Instruction) bool { return in.Sys == nsenter.Fstatfs && in.Args[0] == ptmx })
	st := v.before(i, func(in *nsenter.Instruction) bool { return in.Sys == nsenter.Statx && in.Args[0] == ptmx })
	if opened < 0 || fs < opened || st < opened || !v.tested(fs, i, 0, unix.DEVPTS_SUPER_MAGIC) ||
		!v.tested(st, i, statxMode, unix.S_IFCHR) || !v.tested(st, i, statxIno, ptmxIno) || !v.tested(st, i, statxRdevMajor, ptmxMinor<<32|ptmxMajor) {
		return v.broken(i, "rule 4: a terminal of a file that is not proved to be the ptmx of a devpts")
	}
	v.musts = append(v.musts, fs, st)
	return nil
}

// before is the last call before an instruction that matches.
func (v *verifier) before(i int, match func(*nsenter.Instruction) bool) int {
	for i--; i > v.fork; i-- {
		if in := &v.p.Instructions[i]; in.Op == nsenter.OpCall && match(in) {
			return i
		}
	}
	return -1
}

// tested says that a jump after the call, and before another one, looks at a word of
// what the call filled in.
func (v *verifier) tested(call, until, offset int, value uint64) bool {
	in := &v.p.Instructions[call]
	buffer := in.Args[1]
	if in.Sys == nsenter.Statx {
		buffer = in.Args[4]
	}
	for k := call + 1; k < until; k++ {
		if j := &v.p.Instructions[k]; j.Op == nsenter.OpJump && j.Args[0] == nsenter.Addr(int(buffer.Value)+offset) && j.Args[2] == nsenter.Imm(value) {
			return true
		}
	}
	return false
}
