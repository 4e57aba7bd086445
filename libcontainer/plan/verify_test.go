package plan

import (
	"strings"
	"testing"

	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// A call of the container's part that stands in none of the rules' patterns: a
// place to insert others before.
func (b *broken) middle() int { return b.call("hostname", nsenter.Sethostname, 0) }

func (b *broken) how(section string, nth int, flags, resolve uint64) {
	b.arg(b.call(section, nsenter.Openat2, nth), 2, b.words(flags, 0, resolve))
}

// slot is one that the nth call of sys in a section fills.
func (b *broken) slot(section string, sys nsenter.Sys, nth int) nsenter.Arg {
	return nsenter.Val(b.Instructions[b.call(section, sys, nth)].Dst)
}

const opath = unix.O_PATH | unix.O_CLOEXEC

// Each way to break a rule, and the rule that has to see it.
var violations = [...]struct {
	name, rule string
	change     func(*broken)
}{
	{"no fork", "there is no fork", func(b *broken) { b.Instructions[b.call("fork", nsenter.Clone3, 0)].Op = nsenter.OpCall }},

	{"open that may leave the root", "rule 1", func(b *broken) { b.how("mounts", 0, opath, 0) }},
	{"open with only magic links forbidden", "rule 1", func(b *broken) { b.how("mounts", 0, opath, unix.RESOLVE_NO_MAGICLINKS) }},
	{"open with magic links", "rule 1", func(b *broken) { b.how("mounts", 0, opath, unix.RESOLVE_IN_ROOT) }},
	{"open with flags that only the stage knows", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Openat2, 0), 2, nsenter.Addr(8)) }},
	{"open of an absolute path", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Openat2, 0), 1, b.str("/proc")) }},
	{"directory of two components", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Mkdirat, 0), 1, b.str("a/b")) }},
	{"directory above", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Mkdirat, 0), 1, b.str("..")) }},
	{"directory without a name", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Mkdirat, 0), 1, b.str("")) }},
	{"directory in the working directory", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Mkdirat, 0), 0, nsenter.Int(unix.AT_FDCWD)) }},
	{"directory in an unknown one", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Mkdirat, 0), 0, nsenter.Val(b.Report)) }},
	{"node of two components", "rule 1", func(b *broken) { b.arg(b.call("devices", nsenter.Mknodat, 0), 1, b.str("../null")) }},
	{"link of two components", "rule 1", func(b *broken) { b.arg(b.call("devices", nsenter.Symlinkat, 0), 2, b.str("a/b")) }},
	{"link in the working directory", "rule 1", func(b *broken) { b.arg(b.call("devices", nsenter.Symlinkat, 0), 1, nsenter.Int(unix.AT_FDCWD)) }},
	{"clone of a path", "rule 1", func(b *broken) { b.arg(b.call("readonlyPaths", nsenter.OpenTree, 0), 1, b.str("a/b")) }},
	{"owner of a path", "rule 1", func(b *broken) { b.arg(b.call("devices", nsenter.Fchownat, 0), 1, b.str("../x")) }},
	{"owner of what a link leads to", "rule 1", func(b *broken) { b.arg(b.call("devices", nsenter.Fchownat, 0), 4, nsenter.Imm(0)) }},
	{"clone of what a link leads to", "rule 1", func(b *broken) {
		b.insert(b.middle(), nsenter.OpenTree, b.slot("devices", nsenter.Openat2, 0), b.str("x"), nsenter.Imm(unix.OPEN_TREE_CLOEXEC))
	}},
	{"mode of a path", "rule 1", func(b *broken) {
		b.insert(b.middle(), nsenter.Fchmodat2, b.slot("devices", nsenter.Openat2, 0), b.str("a/b"), nsenter.Imm(0), nsenter.Imm(unix.AT_SYMLINK_NOFOLLOW))
	}},
	{"mode of what a link leads to", "rule 1", func(b *broken) {
		b.insert(b.middle(), nsenter.Fchmodat2, b.slot("devices", nsenter.Openat2, 0), b.str("x"), nsenter.Imm(0), nsenter.Imm(0))
	}},
	{"access to a path", "rule 1", func(b *broken) {
		b.insert(b.middle(), nsenter.Faccessat2, b.slot("devices", nsenter.Openat2, 0), b.str(".."), nsenter.Imm(0), nsenter.Imm(unix.AT_SYMLINK_NOFOLLOW))
	}},
	{"link of a path", "rule 1", func(b *broken) {
		b.insert(b.middle(), nsenter.Readlinkat, nsenter.Int(unix.AT_FDCWD), b.str("x"), nsenter.Addr(8), nsenter.Imm(8))
	}},
	{"open from the host's root", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.Openat2, 0), 0, nsenter.Int(unix.AT_FDCWD)) }},
	{"look at a path", "rule 1", func(b *broken) { b.arg(b.call("maskedPaths", nsenter.Statx, 0), 1, b.str("x")) }},
	{"attributes of a path", "rule 1", func(b *broken) { b.arg(b.call("readonly", nsenter.MountSetattr, 0), 1, b.str("x")) }},
	{"mount from a path", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.MoveMount, 0), 1, b.str("x")) }},
	{"mount on a path", "rule 1", func(b *broken) { b.arg(b.call("mounts", nsenter.MoveMount, 0), 3, b.str("x")) }},
	{"pivot to a path", "rule 1", func(b *broken) { b.arg(b.call("pivot", nsenter.PivotRoot, 0), 0, b.str("x")) }},
	{"pivot with the old root elsewhere", "rule 1", func(b *broken) { b.arg(b.call("pivot", nsenter.PivotRoot, 0), 1, b.str("old")) }},
	{"pivot without a change of directory", "rule 1", func(b *broken) { b.drop(b.call("pivot", nsenter.Fchdir, 0)) }},
	{"unmount of a path", "rule 1", func(b *broken) { b.arg(b.call("pivot", nsenter.Umount2, 0), 0, b.str("x")) }},
	{"unmount that waits", "rule 1", func(b *broken) { b.arg(b.call("pivot", nsenter.Umount2, 0), 1, nsenter.Imm(0)) }},
	{"unmount somewhere else", "rule 1", func(b *broken) {
		b.insert(b.middle(), nsenter.Umount2, b.str("."), nsenter.Imm(unix.MNT_DETACH))
	}},

	{"host's path after a join", "rule 2", func(b *broken) {
		b.insert(b.call("fork", nsenter.Clone3, 0), nsenter.Openat, nsenter.Int(unix.AT_FDCWD), b.str("/etc"), nsenter.Imm(unix.O_CLOEXEC))
	}},
	{"host's tree after a join", "rule 2", func(b *broken) {
		b.insert(b.call("fork", nsenter.Clone3, 0), nsenter.OpenTree, nsenter.Int(unix.AT_FDCWD), b.str("/etc"), nsenter.Imm(unix.OPEN_TREE_CLOEXEC))
	}},
	{"host's path in the container", "rule 2", func(b *broken) {
		b.insert(b.middle(), nsenter.Openat, nsenter.Int(unix.AT_FDCWD), b.str("etc"), nsenter.Imm(unix.O_CLOEXEC))
	}},
	{"host's tree in the container", "rule 2", func(b *broken) {
		b.insert(b.call("propagation", nsenter.MountSetattr, 0), nsenter.OpenTree, nsenter.Int(unix.AT_FDCWD), b.str(""), nsenter.Imm(unix.OPEN_TREE_CLOEXEC))
	}},

	{"no mount namespace", "rule 3: init is not born", func(b *broken) {
		k := b.call("fork", nsenter.Clone3, 0)
		b.arg(k, 0, b.words(unix.CLONE_NEWPID, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	}},
	{"a source that is no clone", "rule 3: a tree is opened", func(b *broken) {
		b.arg(b.call("sources", nsenter.OpenTree, 0), 2, nsenter.Imm(unix.OPEN_TREE_CLOEXEC))
	}},
	{"the host's own mounts cut off", "rule 3: the mounts of the host", func(b *broken) {
		b.insert(b.call("sources", nsenter.OpenTree, 0), nsenter.MountSetattr, nsenter.Int(unix.AT_FDCWD), b.str(""),
			nsenter.Imm(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), b.words(0, 0, unix.MS_SLAVE, 0), nsenter.Imm(32))
	}},
	{"mounts that the host sees", "rule 3: something is mounted", func(b *broken) { b.drop(b.call("propagation", nsenter.MountSetattr, 0)) }},
	{"mounts that lead the host", "rule 3: something is mounted", func(b *broken) {
		b.arg(b.call("propagation", nsenter.MountSetattr, 0), 3, b.words(0, 0, unix.MS_SHARED, 0))
	}},
	{"the top mount alone cut off", "rule 3: something is mounted", func(b *broken) {
		b.arg(b.call("propagation", nsenter.MountSetattr, 0), 2, nsenter.Imm(unix.AT_EMPTY_PATH))
	}},
	{"a mount before there is init", "rule 3: something is mounted", func(b *broken) {
		b.insert(b.call("fork", nsenter.Clone3, 0), nsenter.MoveMount, b.slot("sources", nsenter.OpenTree, 0), b.str(""),
			nsenter.Int(unix.AT_FDCWD), b.str(""), nsenter.Imm(0))
	}},
	{"one directory cut off", "rule 1", func(b *broken) { b.arg(b.call("propagation", nsenter.MountSetattr, 0), 1, b.str("tmp")) }},
	{"source after the first target", "rule 3", func(b *broken) {
		b.insert(b.middle(), nsenter.OpenTree, nsenter.Val(b.Report), b.str(""), nsenter.Imm(unix.OPEN_TREE_CLOEXEC))
	}},
	{"attached tree that becomes writable", "rule 3", func(b *broken) {
		b.arg(b.call("readonly", nsenter.MountSetattr, 0), 3, b.words(0, unix.MOUNT_ATTR_RDONLY, 0, 0))
	}},
	{"attached tree that becomes nosuid", "rule 3", func(b *broken) {
		b.arg(b.call("readonly", nsenter.MountSetattr, 0), 3, b.words(unix.MOUNT_ATTR_NOSUID, 0, 0, 0))
	}},
	{"attached tree that becomes shared", "rule 3", func(b *broken) {
		b.arg(b.call("readonly", nsenter.MountSetattr, 0), 3, b.words(0, 0, unix.MS_SHARED, 0))
	}},

	{"mount of a number", "rule 4", func(b *broken) { b.arg(b.call("mounts", nsenter.MoveMount, 0), 0, nsenter.Imm(9)) }},
	{"mount of something unknown", "rule 4", func(b *broken) { b.arg(b.call("mounts", nsenter.MoveMount, 0), 0, nsenter.Val(b.Report)) }},
	{"mount of a file of the container", "rule 4", func(b *broken) {
		b.arg(b.call("mounts", nsenter.MoveMount, 1), 0, b.slot("mounts", nsenter.Openat2, 0))
	}},
	{"read-only clone on another path", "rule 4", func(b *broken) {
		b.arg(b.call("readonlyPaths", nsenter.MoveMount, 0), 2, b.slot("devices", nsenter.Openat2, 0))
	}},
	{"clone of a clone of a file of the container on another path", "rule 4", func(b *broken) {
		b.insert(b.call("readonlyPaths", nsenter.MoveMount, 0), nsenter.OpenTree, b.slot("readonlyPaths", nsenter.OpenTree, 0), b.str(""),
			nsenter.Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH))
		again := b.call("readonlyPaths", nsenter.OpenTree, 1)
		b.Instructions[again].Dst = b.Instructions[b.call("maskedPaths", nsenter.OpenTree, 0)].Dst
		move := b.call("readonlyPaths", nsenter.MoveMount, 0)
		b.arg(move, 0, nsenter.Val(b.Instructions[again].Dst))
		b.arg(move, 2, b.slot("devices", nsenter.Openat2, 0))
	}},
	{"clone of a clone of another file in the place of the clone", "rule 4", func(b *broken) {
		first := b.call("readonlyPaths", nsenter.OpenTree, 0)
		mine, other := b.Instructions[first].Dst, b.Instructions[b.call("maskedPaths", nsenter.OpenTree, 0)].Dst
		clone := nsenter.Imm(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
		b.insert(first, nsenter.OpenTree, b.slot("mounts", nsenter.Openat2, 0), b.str(""), clone)
		b.Instructions[first].Dst = other
		move := b.call("readonlyPaths", nsenter.MoveMount, 0)
		b.insert(move, nsenter.OpenTree, nsenter.Val(other), b.str(""), clone)
		b.Instructions[move].Dst = mine
	}},
	{"another file in the place of the one that was cloned", "rule 4", func(b *broken) {
		move := b.call("readonlyPaths", nsenter.MoveMount, 0)
		open := b.Instructions[b.call("devices", nsenter.Openat2, 0)]
		b.insert(move, nsenter.Openat2, open.Args[0], open.Args[1], open.Args[2], open.Args[3])
		b.Instructions[move].Dst = int(b.Instructions[move+1].Args[2].Value)
	}},
	{"clone of a file of the container as a mask", "rule 4", func(b *broken) {
		k := b.call("maskedPaths", nsenter.OpenTree, 0)
		b.arg(k, 0, b.slot("devices", nsenter.Openat2, 0))
		b.arg(k, 1, b.str(""))
		b.arg(k, 2, nsenter.Imm(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH))
		b.drop(b.call("maskedPaths", nsenter.OpenTree, 1))
	}},

	{"open without O_CLOEXEC", "rule 5", func(b *broken) { b.how("mounts", 0, unix.O_PATH, inRoot) }},
	{"namespace without O_CLOEXEC", "rule 5", func(b *broken) { b.arg(b.call("namespaces", nsenter.Openat, 0), 2, nsenter.Imm(0)) }},
	{"clone without close-on-exec", "rule 5", func(b *broken) {
		b.arg(b.call("sources", nsenter.OpenTree, 0), 2, nsenter.Imm(unix.OPEN_TREE_CLONE))
	}},
	{"file system without close-on-exec", "rule 5", func(b *broken) { b.arg(b.call("mounts", nsenter.Fsopen, 0), 1, nsenter.Imm(0)) }},
	{"mount without close-on-exec", "rule 5", func(b *broken) { b.arg(b.call("mounts", nsenter.Fsmount, 0), 1, nsenter.Imm(0)) }},
	{"duplicate without close-on-exec", "rule 5", func(b *broken) { b.arg(b.call("start", nsenter.Dup3, 0), 2, nsenter.Imm(0)) }},
	{"message without close-on-exec", "rule 5", func(b *broken) { b.arg(b.call("start", nsenter.Recvmsg, 0), 2, nsenter.Imm(0)) }},
	{"pipe without close-on-exec", "rule 5", func(b *broken) { b.insert(b.middle(), nsenter.Pipe2, nsenter.Addr(8), nsenter.Imm(0)) }},
	{"connection without close-on-exec", "rule 5", func(b *broken) {
		b.insert(b.middle(), nsenter.Accept4, nsenter.Imm(3), nsenter.Null(), nsenter.Null(), nsenter.Imm(0))
	}},

	{"another user", "rule 6", func(b *broken) { b.arg(b.call("uid", nsenter.Setresuid, 0), 1, nsenter.Imm(0x7fff)) }},
	{"another group", "rule 6", func(b *broken) { b.arg(b.call("gid", nsenter.Setresgid, 0), 2, nsenter.Imm(0x7fff)) }},
	{"another number of groups", "rule 6", func(b *broken) { b.arg(b.call("groups", nsenter.Setgroups, 0), 0, nsenter.Imm(99)) }},
	{"other capabilities", "rule 6", func(b *broken) {
		b.arg(b.call("capabilities", nsenter.Capset, 0), 1, b.words(^uint64(0), ^uint64(0), ^uint64(0)))
	}},
	{"a second change of user", "rule 6", func(b *broken) {
		b.insert(b.call("capabilities", nsenter.Capget, 0), nsenter.Setresuid, nsenter.Imm(0), nsenter.Imm(0), nsenter.Imm(0))
	}},
	{"a second capset", "rule 6", func(b *broken) {
		b.insert(b.call("capabilities", nsenter.Capget, 0), nsenter.Capset, nsenter.Addr(0), nsenter.Addr(8))
	}},
	{"an ambient capability more", "rule 6", func(b *broken) {
		b.insert(b.call("capabilities", nsenter.Capget, 0), nsenter.Prctl, nsenter.Imm(unix.PR_CAP_AMBIENT), nsenter.Imm(unix.PR_CAP_AMBIENT_RAISE), nsenter.Imm(21))
	}},
	{"call between the filter and execve", "rule 6", func(b *broken) { b.insert(b.call("exec", nsenter.Execve, 0), nsenter.Setsid) }},
	{"call after execve", "rule 6", func(b *broken) { b.insert(b.call("exec", nsenter.Execve, 0)+1, nsenter.Setsid) }},
	{"execve that goes on", "rule 6", func(b *broken) { b.Instructions[b.call("exec", nsenter.Execve, 0)+1].Op = nsenter.OpExit }},
	{"filter before no_new_privs", "rule 6", func(b *broken) {
		b.swap(b.call("noNewPrivileges", nsenter.Prctl, 0), b.call("seccomp", nsenter.Seccomp, 0))
	}},
	{"group after user", "rule 6", func(b *broken) { b.swap(b.call("gid", nsenter.Setresgid, 0), b.call("uid", nsenter.Setresuid, 0)) }},
	{"fds that stay open", "rule 6", func(b *broken) { b.arg(b.call("fds", nsenter.CloseRange, 0), 0, nsenter.Imm(5)) }},
	{"fds that stay open at the end", "rule 6", func(b *broken) { b.arg(b.call("fds", nsenter.CloseRange, 0), 1, nsenter.Imm(1023)) }},
	{"fds that others share", "rule 6", func(b *broken) { b.arg(b.call("fds", nsenter.CloseRange, 0), 2, nsenter.Imm(0)) }},
	{"capability that is not dropped", "rule 6", func(b *broken) { b.drop(b.call("bounding", nsenter.Prctl, 20)) }},
	{"capability that is dropped and should not", "rule 6", func(b *broken) {
		b.insert(b.call("bounding", nsenter.Prctl, 0), nsenter.Prctl, nsenter.Imm(unix.PR_CAPBSET_DROP), nsenter.Imm(unix.CAP_KILL))
	}},
	{"another capability dropped", "rule 6", func(b *broken) { b.arg(b.call("bounding", nsenter.Prctl, 3), 1, nsenter.Imm(63)) }},

	{"mount that may fail", "rule 7", func(b *broken) {
		i := b.call("mounts", nsenter.MoveMount, 0)
		b.on(i, nsenter.Branch{Errno: unix.EPERM, Target: i + 1})
	}},
	{"mask that may be denied", "rule 7", func(b *broken) {
		i := b.call("maskedPaths", nsenter.Openat2, 0)
		b.on(i, nsenter.Branch{Errno: unix.EACCES, Target: i + 1})
	}},
	{"file system that may be missing", "rule 7", func(b *broken) {
		i := b.call("mounts", nsenter.Fsopen, 0)
		b.on(i, nsenter.Branch{Errno: unix.ENODEV, Target: i + 1})
	}},
	{"directory that may be read-only", "rule 7", func(b *broken) {
		i := b.call("mounts", nsenter.Mkdirat, 0)
		b.on(i, nsenter.Branch{Errno: unix.EROFS, Target: i + 1})
	}},
	{"capability that may stay", "rule 7", func(b *broken) {
		i := b.call("bounding", nsenter.Prctl, 0)
		b.on(i, nsenter.Branch{Errno: unix.EINVAL, Target: i + 1})
	}},
	{"working directory that may be denied to the user", "rule 7", func(b *broken) {
		i := b.call("latecwd", nsenter.Fchdir, 0)
		b.on(i, nsenter.Branch{Errno: unix.EACCES, Target: i + 1})
	}},
	{"keyring that may be denied", "rule 7", func(b *broken) {
		i := b.call("keyring", nsenter.Keyctl, 0)
		b.on(i, nsenter.Branch{Errno: unix.EPERM, Target: i + 1})
	}},
	{"device that cannot be looked at", "rule 7", func(b *broken) {
		i := b.call("devices", nsenter.Statx, 0)
		b.on(i, nsenter.Branch{Errno: unix.EBADF, Target: i + 1})
	}},
	{"root that stays writable", "rule 7", func(b *broken) { b.drop(b.call("readonly", nsenter.MountSetattr, 0)) }},
	{"another tree that becomes read-only", "rule 7", func(b *broken) {
		b.arg(b.call("readonly", nsenter.MountSetattr, 0), 0, b.slot("mounts", nsenter.Fsmount, 0))
	}},
	{"jump over a mount", "rule 7", func(b *broken) {
		i := b.call("mounts", nsenter.MoveMount, 1)
		b.insert(i, nsenter.Setsid)
		b.Instructions[i] = nsenter.Instruction{Op: nsenter.OpJump, Dst: nsenter.NoSlot, Target: i + 2}
	}},
	{"jump over the change of user", "rule 7", func(b *broken) {
		i := b.call("uid", nsenter.Setresuid, 0)
		b.insert(i, nsenter.Setsid)
		b.Instructions[i] = nsenter.Instruction{Op: nsenter.OpJump, Dst: nsenter.NoSlot, Target: i + 2}
	}},
	{"error that skips a mount", "rule 7", func(b *broken) {
		i := b.call("mounts", nsenter.Openat2, 0)
		b.on(i, nsenter.Branch{Errno: unix.ENOENT, Target: b.call("mounts", nsenter.MoveMount, 0) + 1})
	}},
	{"error of a mask that skips the next mask", "rule 7", func(b *broken) {
		b.on(b.call("readonlyPaths", nsenter.Openat2, 0), nsenter.Branch{Errno: unix.ENOENT, Target: b.call("maskedPaths", nsenter.MoveMount, 0) + 1})
	}},
	{"error of a mask that skips the next section", "rule 7", func(b *broken) {
		i := b.call("maskedPaths", nsenter.Openat2, 0)
		b.on(i, nsenter.Branch{Errno: unix.ENOENT, Target: b.call("readonly", nsenter.MountSetattr, 0) + 1})
	}},

	{"file made where one may be", "rule 8", func(b *broken) { b.how("mounts", 0, unix.O_CREAT|unix.O_CLOEXEC, noLinks) }},
	{"file made through a link", "rule 8", func(b *broken) { b.how("mounts", 0, unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, noLinks) }},
	{"file made by another call", "rule 8", func(b *broken) {
		b.arg(b.call("namespaces", nsenter.Openat, 0), 2, nsenter.Imm(unix.O_CREAT|unix.O_CLOEXEC))
	}},
	{"file cut off", "rule 8", func(b *broken) { b.how("sysctl", 0, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, beneath) }},
}

func TestVerifyRefuses(t *testing.T) {
	p, r := compile(t, nil)
	for _, v := range violations {
		t.Run(v.name, func(t *testing.T) {
			b := breakable(t, p)
			v.change(b)
			err := Verify(b.Program, r)
			if err == nil {
				t.Fatalf("a program that breaks %s passes", v.rule)
			}
			if !strings.Contains(err.Error(), v.rule) || !strings.HasPrefix(err.Error(), "BUG in brig: verify: instruction ") {
				t.Errorf("want %s: %s", v.rule, err)
			}
		})
	}
	if err := Verify(p, r); err != nil {
		t.Errorf("the program itself has changed: %s", err)
	}
}
