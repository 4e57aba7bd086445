package plan

import (
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// cloexec is rule 5, for single calls: every fd closes itself on execve.
func (v *verifier) cloexec(i int, in *nsenter.Instruction) error {
	flags, want := uint64(0), uint64(unix.O_CLOEXEC)
	switch in.Sys {
	case nsenter.Openat2:
		flags = v.how(in, 0)
	case nsenter.Dup3:
		if to := in.Args[1]; to.Kind == nsenter.Immediate && to.Value <= 2 && v.section(i) == "console" {
			return nil // stdio
		}
		flags = in.Args[2].Value
	case nsenter.Openat:
		flags = in.Args[2].Value
	case nsenter.OpenTree:
		flags, want = in.Args[2].Value, unix.OPEN_TREE_CLOEXEC
	case nsenter.Fsopen:
		flags, want = in.Args[1].Value, unix.FSOPEN_CLOEXEC
	case nsenter.Fsmount:
		flags, want = in.Args[1].Value, unix.FSMOUNT_CLOEXEC
	case nsenter.Pipe2:
		flags = in.Args[1].Value
	case nsenter.Accept4:
		flags, want = in.Args[3].Value, unix.SOCK_CLOEXEC
	case nsenter.Recvmsg:
		flags, want = in.Args[2].Value, unix.MSG_CMSG_CLOEXEC
	default:
		return nil
	}
	if flags&want == 0 {
		return v.broken(i, "rule 5: an fd that stays open across execve")
	}
	return nil
}

// creation is rule 8: O_CREAT only with O_EXCL and O_NOFOLLOW.
func (v *verifier) creation(i int, in *nsenter.Instruction) error {
	flags := uint64(0)
	switch in.Sys {
	case nsenter.Openat2:
		flags = v.how(in, 0)
	case nsenter.Openat:
		flags = in.Args[2].Value
	}
	if flags&unix.O_CREAT != 0 && flags&(unix.O_EXCL|unix.O_NOFOLLOW) != unix.O_EXCL|unix.O_NOFOLLOW {
		return v.broken(i, "rule 8: O_CREAT without O_EXCL and O_NOFOLLOW")
	}
	if flags&unix.O_TRUNC != 0 {
		return v.broken(i, "rule 8: O_TRUNC")
	}
	return nil
}
