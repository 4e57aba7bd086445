package seccomp

import "sort"

// tableOf is the table of an architecture (a GOARCH), sorted by name.
func tableOf(arch string) []entry {
	switch arch {
	case "amd64":
		return tableAMD64[:]
	case "arm64":
		return tableARM64[:]
	case "386":
		return table386[:]
	case "arm":
		return tableARM[:]
	}
	return nil
}

// SyscallNumber is the number of a system call on an architecture (a GOARCH). The
// tables reach beyond what any one version of libseccomp knows.
func SyscallNumber(arch, name string) (int, bool) {
	table := tableOf(arch)
	i := sort.Search(len(table), func(i int) bool { return table[i].name >= name })
	if i < len(table) && table[i].name == name {
		return int(table[i].nr), true
	}
	return 0, false
}

// SyscallName is the inverse, "" for a number without a name.
func SyscallName(arch string, nr int) string {
	for _, e := range tableOf(arch) {
		if int(e.nr) == nr {
			return e.name
		}
	}
	return ""
}
