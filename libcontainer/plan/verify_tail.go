package plan

import (
	"strconv"
	"syscall"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

func itoa(i int) string { return strconv.Itoa(i) }

// branches is rule 7: an error ends the start, but for the errors of this table.
// None of them skips a restriction that the config asks for.
func (v *verifier) branches(i int, in *nsenter.Instruction) error {
	for _, b := range in.On {
		if !tolerated(v.section(i), in, b.Errno) {
			return v.broken(i, "rule 7: an error is not the end of the start")
		}
	}
	return nil
}

func tolerated(section string, in *nsenter.Instruction, errno syscall.Errno) bool {
	switch in.Sys {
	case nsenter.Openat2:
		return toleratedOpen(section, errno)
	case nsenter.Mkdirat, nsenter.Mknodat, nsenter.Symlinkat:
		// What is there already is opened and checked like what is made.
		return errno == unix.EEXIST
	case nsenter.Fchdir:
		return section == "cwd" && (errno == unix.EACCES || errno == unix.EPERM)
	case nsenter.Readlinkat:
		// It is no link, and the start fails in words.
		return section == "mounts" && errno == unix.EINVAL
	case nsenter.Keyctl:
		return errno == unix.ENOSYS
	case nsenter.Prctl:
		// There is no capability of this number.
		return section == "bounding" && errno == unix.EINVAL && in.Args[1].Value > lastCap
	case nsenter.Statx, nsenter.Fchownat:
		// A convenience: the payload's user owns the pipes of its stdio.
		return section == "stdio" && (errno == unix.EBADF || errno == unix.EPERM || errno == unix.EROFS || errno == unix.EINVAL)
	}
	return false
}

func toleratedOpen(section string, errno syscall.Errno) bool {
	switch section {
	case "mounts", "devices":
		// ENOENT: it is made; the others lead to a failure in words.
		return errno == unix.ENOENT || errno == unix.ELOOP || errno == unix.ENOTDIR
	case "maskedPaths", "readonlyPaths":
		// There is nothing to cover.
		return errno == unix.ENOENT || errno == unix.ENOTDIR
	case "makecwd":
		return errno == unix.ENOENT || errno == unix.EACCES
	case "cwd":
		// Tried once more as the payload's user, where it is final.
		return errno == unix.EACCES || errno == unix.EPERM
	case "lookup":
		return errno == unix.ENOENT || errno == unix.ENOTDIR || errno == unix.EACCES
	}
	return false
}

// tailCall is a call that has to be there, after the one before it.
type tailCall struct {
	what  string
	skip  bool
	match func(in *nsenter.Instruction) bool
}

func is(sys nsenter.Sys) func(*nsenter.Instruction) bool {
	return func(in *nsenter.Instruction) bool { return in.Sys == sys }
}

func isPrctl(option, arg uint64) func(*nsenter.Instruction) bool {
	return func(in *nsenter.Instruction) bool {
		return in.Sys == nsenter.Prctl && in.Args[0].Value == option && in.Args[1].Value == arg
	}
}

// tail is rules 5 and 6: the order from the closing of fds to execve, complete,
// with nothing between the filter and execve.
func (v *verifier) tail() error {
	calls := []tailCall{
		{"enter the root", v.r.Join != nil && !v.r.Join.Root, func(in *nsenter.Instruction) bool {
			if v.r.Detached || v.r.Join != nil {
				return in.Sys == nsenter.Chroot
			}
			return in.Sys == nsenter.PivotRoot || v.r.NoPivot && in.Sys == nsenter.Setns
		}},
		{"drop the host's tree", v.r.NoPivot || v.r.Join != nil || v.r.Detached, is(nsenter.Umount2)},
		{"proof that nothing covers the root", v.r.Join != nil, func(in *nsenter.Instruction) bool {
			return in.Sys == nsenter.Openat2 && v.text(in.Args[1]) == ".." && v.how(in, 2)&unix.RESOLVE_NO_XDEV != 0
		}},
		{"close_range of all other fds", false, v.closesAll},
		{"enter the working directory", false, is(nsenter.Fchdir)},
		{"getcwd", false, is(nsenter.Getcwd)},
		{"setgroups to those of the config", v.r.SetgroupsDenied || v.r.KeepsGroups, v.setsGroups},
		{"getgroups", v.r.SetgroupsDenied && !v.r.KeepsGroups, is(nsenter.Getgroups)},
		{"setresgid to that of the config", false, setsID(nsenter.Setresgid, v.r.identity.gid)},
		{"getresgid", false, is(nsenter.Getresgid)},
		{"setresuid to that of the config", false, setsID(nsenter.Setresuid, v.r.identity.uid)},
		{"getresuid", false, is(nsenter.Getresuid)},
		{"capset to those of the config", false, v.setsCaps},
		{"clear the ambient capabilities", false, isPrctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)},
		{"capget", false, is(nsenter.Capget)},
		{"no_new_privs", !v.r.NoNewPrivileges, isPrctl(unix.PR_SET_NO_NEW_PRIVS, 1)},
		{"seccomp", !v.r.Seccomp, is(nsenter.Seccomp)},
		{"execve", false, is(nsenter.Execve)},
	}
	// Nobody may look into a process that holds fds of the host (CVE-2016-9962).
	if hide := v.find(0, isPrctl(unix.PR_SET_DUMPABLE, 0)); hide < 0 || v.r.Join != nil && hide > v.fork || v.moved && hide > v.find(0, is(nsenter.MoveMount)) {
		return v.broken(v.fork, "rule 6: the stage is dumpable")
	}
	at := v.fork
	for _, want := range calls {
		if want.skip {
			continue
		}
		found := v.find(at+1, want.match)
		if found < 0 {
			return v.broken(at, "rule 6: no %s after this", want.what)
		}
		at = found
		v.musts = append(v.musts, found)
	}
	if err := v.labels(v.find(v.fork+1, v.closesAll)); err != nil {
		return err
	}
	if err := v.credentials(); err != nil {
		return err
	}
	return v.last(at)
}

// find is the first call from an index on, in the container part, that matches.
func (v *verifier) find(from int, match func(*nsenter.Instruction) bool) int {
	for i := from; i < v.parent; i++ {
		if in := &v.p.Instructions[i]; in.Op == nsenter.OpCall && match(in) {
			return i
		}
	}
	return -1
}

func (v *verifier) closesAll(in *nsenter.Instruction) bool {
	return in.Sys == nsenter.CloseRange && in.Args[0].Kind == nsenter.Immediate && in.Args[0].Value == uint64(v.r.Control)+1 &&
		in.Args[1].Value == allFDs && in.Args[2].Value == unix.CLOSE_RANGE_UNSHARE
}

// last checks what surrounds execve: the filter is the instruction before it,
// nothing but a failure follows, and no fd is opened after the closing of fds.
func (v *verifier) last(execve int) error {
	if n := v.find(execve+1, func(*nsenter.Instruction) bool { return true }); n >= 0 {
		return v.broken(n, "rule 6: a call after execve")
	}
	if op := v.p.Instructions[execve+1].Op; op != nsenter.OpFail {
		return v.broken(execve+1, "rule 6: execve is not followed by a failure")
	}
	if err := v.filter(execve); err != nil {
		return err
	}
	if err := v.bounding(); err != nil {
		return err
	}
	if v.r.ReadonlyRoot && v.r.Join == nil && v.find(v.fork+1, func(in *nsenter.Instruction) bool {
		return in.Sys == nsenter.MountSetattr && in.Args[0] == nsenter.Val(int(v.root)) && v.p.Pointed(in.Args[3], 0)&unix.MOUNT_ATTR_RDONLY != 0
	}) < 0 {
		return v.broken(execve, "rule 7: nothing makes the root file system read-only")
	}
	return nil
}

// bounding is rule 6 for the bounding set: each capability is dropped that the
// config does not list, before the change of user.
func (v *verifier) bounding() error {
	setuid := v.find(v.find(v.fork+1, v.closesAll), is(nsenter.Setresuid))
	dropped := uint64(0)
	for i := v.fork + 1; i < setuid; i++ {
		if in := &v.p.Instructions[i]; in.Op == nsenter.OpCall && in.Sys == nsenter.Prctl && in.Args[0].Value == unix.PR_CAPBSET_DROP {
			dropped |= 1 << in.Args[1].Value
			if in.Args[1].Value <= lastCap {
				v.musts = append(v.musts, i)
			}
		}
	}
	all := uint64(1)<<(lastCap+1) - 1
	if dropped&all != all&^v.r.Bounding {
		return v.broken(setuid, "rule 6: the bounding set becomes %#x and not %#x", all&^dropped, all&v.r.Bounding)
	}
	return nil
}

// dominance is the other half of rule 7: no jump skips a mount or a step of the
// tail, but for the tolerated errors of paths that do not exist.
func (v *verifier) dominance() error {
	next := v.nextMust()
	for i := range v.p.Instructions {
		in := &v.p.Instructions[i]
		if k := int(next[i+1]); in.Op == nsenter.OpJump && k < in.Target {
			return v.broken(k, "rule 7: instruction %d jumps over it", i)
		}
		for _, b := range in.On {
			k := int(next[i+1])
			if k >= b.Target {
				continue
			}
			// The step's own rest, and nothing of the next one.
			if s := v.section(i); s != "maskedPaths" && s != "readonlyPaths" && s != "cwd" || v.steps[b.Target-1] != v.steps[i] {
				return v.broken(k, "rule 7: an error at instruction %d skips it", i)
			}
		}
	}
	return nil
}

// nextMust has for each index the first instruction from there on that must run.
func (v *verifier) nextMust() []int32 {
	n := len(v.p.Instructions)
	next := make([]int32, n+1)
	for _, k := range v.musts {
		next[k] = 1
	}
	at := int32(n)
	for i := n; i >= 0; i-- {
		if next[i] != 0 {
			at = int32(i)
		}
		next[i] = at
	}
	return next
}
