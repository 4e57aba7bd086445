package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"

	"brig/cgroups"
	"brig/libcontainer/fault"
	"brig/libcontainer/spec"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func specCommand() *command {
	return &command{
		name:  "spec",
		usage: "write a hardened config.json",
		description: "The config closes all that can be closed: open what the program needs. The root\n" +
			"file system is the directory rootfs in the bundle.",
		flags: []option{
			text("bundle", ".", "`DIR` to write the config to", "b"),
			text("file", "config.json", "name of the `FILE`", "f"),
			toggle("rootless", "write a config for an ordinary user"),
		},
		action: func(c *call) error {
			if len(c.args) != 0 {
				return fault.Configf("", "brig spec takes no argument, and got %d", len(c.args))
			}
			s := exampleSpec(c)
			if c.on("rootless") {
				s = spec.ToRootless(s, os.Geteuid(), os.Getegid())
			}
			return writeSpec(filepath.Join(c.text("bundle"), c.text("file")), s)
		},
	}
}

// writeSpec writes a config, but never over one that is there.
func writeSpec(name string, s *specs.Spec) error {
	var raw bytes.Buffer
	out := json.NewEncoder(&raw)
	out.SetEscapeHTML(false)
	out.SetIndent("", "\t")
	if err := out.Encode(s); err != nil {
		return fault.Bugf("spec: %v", err)
	}
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	if errors.Is(err, unix.EEXIST) {
		return fault.Configf("", "File %s exists. Remove it first", name)
	}
	if err != nil {
		return fault.Hostf("", err, "create %s", name)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(raw.Bytes()); err != nil {
		f.Close()
		return fault.Hostf("", unwrapPath(err), "write %s", name)
	}
	return f.Close()
}

func unwrapPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// exampleSpec is the hardened config for this host; what the host cannot enforce
// is said on stderr.
func exampleSpec(c *call) *specs.Spec {
	controllers, err := availableControllers()
	if err != nil {
		warn(c, err.Error())
	}
	for _, limit := range [...]struct{ controller, what string }{{"pids", "processes"}, {"memory", "memory"}} {
		if !slices.Contains(controllers, limit.controller) {
			warn(c, "this host cannot limit "+limit.what+": its cgroup v2 has no "+limit.controller+" controller; the config has no such limit")
		}
	}
	return spec.Example(spec.ExampleHost{Controllers: controllers, Seccomp: seccomp.Default(goruntime.GOARCH)})
}

func availableControllers() ([]string, error) {
	root, err := cgroups.FindRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Controllers()
}

// rootfsSpec is the config of `brig run --rootfs`.
func rootfsSpec(c *call, dir string, args []string) (*specs.Spec, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Hostf("", err, "find the root file system %s", dir)
	}
	s := exampleSpec(c)
	s.Root.Path = abs
	s.Process.Args = args
	for i := range s.Mounts {
		if s.Mounts[i].Destination == "/" {
			s.Mounts[i].Source = abs
		}
	}
	if os.Geteuid() != 0 {
		s = spec.ToRootless(s, os.Geteuid(), os.Getegid())
	}
	return s, nil
}
