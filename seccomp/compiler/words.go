package main

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// eperm is the errno where the profile names none.
const eperm = 1

func action(a specs.LinuxSeccompAction, errno *uint) (libseccomp.ScmpAction, error) {
	data := int16(eperm)
	if errno != nil {
		data = int16(*errno)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return libseccomp.ActKillThread, nil
	case specs.ActKillProcess:
		return libseccomp.ActKillProcess, nil
	case specs.ActTrap:
		return libseccomp.ActTrap, nil
	case specs.ActErrno:
		return libseccomp.ActErrno.SetReturnCode(data), nil
	case specs.ActTrace:
		return libseccomp.ActTrace.SetReturnCode(data), nil
	case specs.ActAllow:
		return libseccomp.ActAllow, nil
	case specs.ActLog:
		return libseccomp.ActLog, nil
	case specs.ActNotify:
		return libseccomp.ActNotify, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("unknown action %q", a)
}

func architecture(a specs.Arch) (libseccomp.ScmpArch, error) {
	switch a {
	case specs.ArchX86:
		return libseccomp.ArchX86, nil
	case specs.ArchX86_64:
		return libseccomp.ArchAMD64, nil
	case specs.ArchX32:
		return libseccomp.ArchX32, nil
	case specs.ArchARM:
		return libseccomp.ArchARM, nil
	case specs.ArchAARCH64:
		return libseccomp.ArchARM64, nil
	case specs.ArchMIPS:
		return libseccomp.ArchMIPS, nil
	case specs.ArchMIPS64:
		return libseccomp.ArchMIPS64, nil
	case specs.ArchMIPS64N32:
		return libseccomp.ArchMIPS64N32, nil
	case specs.ArchMIPSEL:
		return libseccomp.ArchMIPSEL, nil
	case specs.ArchMIPSEL64:
		return libseccomp.ArchMIPSEL64, nil
	case specs.ArchMIPSEL64N32:
		return libseccomp.ArchMIPSEL64N32, nil
	case specs.ArchPPC:
		return libseccomp.ArchPPC, nil
	case specs.ArchPPC64:
		return libseccomp.ArchPPC64, nil
	case specs.ArchPPC64LE:
		return libseccomp.ArchPPC64LE, nil
	case specs.ArchS390:
		return libseccomp.ArchS390, nil
	case specs.ArchS390X:
		return libseccomp.ArchS390X, nil
	case specs.ArchRISCV64:
		return libseccomp.ArchRISCV64, nil
	case specs.ArchPARISC:
		return libseccomp.ArchPARISC, nil
	case specs.ArchPARISC64:
		return libseccomp.ArchPARISC64, nil
	case specs.ArchLOONGARCH64:
		return libseccomp.ArchLOONGARCH64, nil
	case specs.ArchM68K:
		return libseccomp.ArchM68K, nil
	case specs.ArchSH:
		return libseccomp.ArchSH, nil
	case specs.ArchSHEB:
		return libseccomp.ArchSHEB, nil
	}
	return libseccomp.ArchInvalid, fmt.Errorf("unknown architecture %q", a)
}
