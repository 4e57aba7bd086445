package libcontainer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mapIDs writes the id maps of init's new user namespace, and tells the stage so,
// handing it the namespace to map mounts with.
func (m *made) mapIDs(proc procfs, in *plan.Input, pid int) error {
	linux := in.Spec.Linux
	if !newUserNamespace(linux) {
		return nil
	}
	if err := writeMaps(proc, in, pid); err != nil {
		return err
	}
	if !in.MapsOwnIDs() {
		return m.release(-1)
	}
	fd, err := unix.Openat(proc.fd, strconv.Itoa(pid)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fault.Hostf("/linux/uidMappings", err, "open the user namespace of init")
	}
	defer unix.Close(fd)
	return m.release(fd)
}

func newUserNamespace(linux *specs.Linux) bool {
	for _, n := range linux.Namespaces {
		if n.Type == specs.UserNamespace {
			return n.Path == ""
		}
	}
	return false
}

// writeMaps writes the maps itself where the kernel lets it: with the host's
// privileges, or the caller's own id alone. Otherwise newuidmap and newgidmap,
// which know what the caller was given, do it.
func writeMaps(proc procfs, in *plan.Input, pid int) error {
	linux := in.Spec.Linux
	if in.Host.Rootless && !in.Host.SetgroupsDenied {
		if err := runMapper("newuidmap", "/linux/uidMappings", pid, linux.UIDMappings); err != nil {
			return err
		}
		return runMapper("newgidmap", "/linux/gidMappings", pid, linux.GIDMappings)
	}
	if err := proc.write(pid, "uid_map", mapText(linux.UIDMappings)); err != nil {
		e := fault.Hostf("/linux/uidMappings", err, "write uid_map")
		if in.Host.InUserNamespace {
			return e.WithHint("brig is in a user namespace itself, and can hand on only the ids that it has there")
		}
		return e
	}
	if in.Host.SetgroupsDenied {
		// Since CVE-2014-8989 the price of a group map of one's own.
		if err := proc.write(pid, "setgroups", "deny"); err != nil {
			return fault.Hostf("/linux/gidMappings", err, "write setgroups")
		}
	}
	if err := proc.write(pid, "gid_map", mapText(linux.GIDMappings)); err != nil {
		return fault.Hostf("/linux/gidMappings", err, "write gid_map")
	}
	return nil
}

func mapText(maps []specs.LinuxIDMapping) string {
	var b strings.Builder
	for _, m := range maps {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.String()
}

// singleMap says that a map maps one id to the caller's own.
func singleMap(maps []specs.LinuxIDMapping, own int) bool {
	return len(maps) == 1 && maps[0].Size == 1 && int(maps[0].HostID) == own
}

// Where distributions install the two programs. They are looked for here and
// nowhere else: PATH belongs to the caller, and they are setuid root.
var mapperDirs = [...]string{"/usr/bin/", "/bin/", "/usr/local/bin/", "/usr/sbin/"}

// runMapper runs newuidmap or newgidmap with an empty environment.
func runMapper(name, pointer string, pid int, maps []specs.LinuxIDMapping) error {
	program := ""
	for _, dir := range mapperDirs {
		if unix.Access(dir+name, unix.X_OK) == nil {
			program = dir + name
			break
		}
	}
	if program == "" {
		return fault.Hostf(pointer, unix.ENOENT, "find %s", name).
			WithHint("an ordinary user can map more than his own id only with %s; Debian has it in the package uidmap", name)
	}
	args := []string{name, strconv.Itoa(pid)}
	for _, m := range maps {
		args = append(args, strconv.Itoa(int(m.ContainerID)), strconv.Itoa(int(m.HostID)), strconv.Itoa(int(m.Size)))
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fault.Hostf(pointer, err, "pipe for %s", name)
	}
	defer r.Close()
	child, err := syscall.ForkExec(program, args, &syscall.ProcAttr{Dir: "/", Env: []string{}, Files: []uintptr{0, w.Fd(), w.Fd()}})
	w.Close()
	if err != nil {
		return fault.Hostf(pointer, err, "execute %s", program)
	}
	said := make([]byte, 512)
	n, _ := r.Read(said)
	var status unix.WaitStatus
	if _, err := unix.Wait4(child, &status, 0, nil); err != nil {
		return fault.Hostf(pointer, err, "wait for %s", name)
	}
	if status.ExitStatus() != 0 {
		return fault.Hostf(pointer, unix.EPERM, "%s: %s", name, strings.TrimSpace(string(said[:n]))).
			WithHint("the ranges in /etc/subuid and /etc/subgid have to cover the mapping")
	}
	return nil
}
