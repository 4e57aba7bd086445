package systemd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Devices is the device policy as systemd has it. It knows no order and no denial,
// and so may allow more than the config: what brig attaches itself to the cgroup
// allows no more than the config, and both have to. drivers is /proc/devices.
func Devices(rules []specs.LinuxDeviceCgroup, drivers string) []Property {
	var names []string
	access := map[string]string{}
	for i := range rules {
		r := &rules[i]
		if !r.Allow {
			continue
		}
		if r.Type == "a" || r.Type == "" {
			return []Property{property("DevicePolicy", "s", "auto")}
		}
		for _, name := range deviceNames(r, drivers) {
			if _, known := access[name]; !known {
				names = append(names, name)
			}
			access[name] += r.Access
		}
	}
	// Of two entries of one name systemd keeps the second alone: each gets all that
	// any rule allows.
	var allowed []any
	for _, name := range names {
		allowed = append(allowed, []any{name, modes(access[name])})
	}
	return []Property{property("DevicePolicy", "s", "strict"), property("DeviceAllow", "a(ss)", allowed)}
}

// modes are the letters of a permission, each once.
func modes(access string) string {
	letters := ""
	for _, letter := range "rwm" {
		if strings.ContainsRune(access, letter) {
			letters += string(letter)
		}
	}
	return letters
}

// deviceNames are the names of systemd for the devices of a rule.
func deviceNames(r *specs.LinuxDeviceCgroup, drivers string) []string {
	kind := "char"
	if r.Type == "b" {
		kind = "block"
	}
	wild := func(n *int64) bool { return n == nil || *n < 0 }
	switch {
	case wild(r.Major):
		return []string{kind + "-*"}
	case !wild(r.Minor):
		return []string{fmt.Sprintf("/dev/%s/%d:%d", kind, *r.Major, *r.Minor)}
	}
	// All devices of a driver: systemd knows it by its name.
	var names []string
	section := ""
	for line := range strings.Lines(drivers) {
		line = strings.TrimSpace(line)
		switch {
		case line == "Character devices:":
			section = "char"
		case line == "Block devices:":
			section = "block"
		case section == kind:
			number, name, _ := strings.Cut(line, " ")
			if number == strconv.FormatInt(*r.Major, 10) {
				names = append(names, kind+"-"+name)
			}
		}
	}
	return names
}
