package seccomp

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// text spells a filter, one instruction a line; jumps name their targets.
func text(f *Filter) string {
	var b strings.Builder
	for pc := range len(f.Program) / insnSize {
		in := f.at(pc)
		fmt.Fprintf(&b, "%4d  %s\n", pc, in.text(pc))
	}
	return b.String()
}

func (in insn) text(pc int) string {
	switch in.code {
	case opLoad:
		switch {
		case in.k == dataNr:
			return "load nr"
		case in.k == dataArch:
			return "load arch"
		case in.k >= dataArgs && in.k%8 == 4:
			return fmt.Sprintf("load arg %d, upper half", (in.k-dataArgs)/8)
		case in.k >= dataArgs:
			return fmt.Sprintf("load arg %d, lower half", (in.k-dataArgs)/8)
		}
	case opAnd:
		return fmt.Sprintf("and %#x", in.k)
	case opJa:
		return fmt.Sprintf("goto %d", pc+1+int(in.k))
	case opJeq, opJgt, opJge, opJset:
		sign := map[uint16]string{unix.BPF_JEQ: "==", unix.BPF_JGT: ">", unix.BPF_JGE: ">=", unix.BPF_JSET: "&"}[in.code&opMask]
		return fmt.Sprintf("if %s %#x goto %d else %d", sign, in.k, pc+1+int(in.jt), pc+1+int(in.jf))
	case opRet:
		return "return " + returned(in.k)
	}
	return fmt.Sprintf("%+v", in)
}

func returned(ret uint32) string {
	data := ret & retData
	switch ret &^ retData {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return "KILL_PROCESS"
	case unix.SECCOMP_RET_KILL_THREAD:
		return "KILL_THREAD"
	case unix.SECCOMP_RET_TRAP:
		return "TRAP"
	case unix.SECCOMP_RET_ERRNO:
		return fmt.Sprintf("ERRNO %d", data)
	case unix.SECCOMP_RET_TRACE:
		return fmt.Sprintf("TRACE %d", data)
	case unix.SECCOMP_RET_LOG:
		return "LOG"
	case unix.SECCOMP_RET_USER_NOTIF:
		return "USER_NOTIF"
	case unix.SECCOMP_RET_ALLOW:
		return "ALLOW"
	}
	return fmt.Sprintf("%#x", ret)
}
