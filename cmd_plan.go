package main

import (
	"encoding/json"
	"fmt"
	"io"

	"brig/libcontainer"
	"brig/libcontainer/fault"
	"brig/nsenter"
)

func planCommand() *command {
	return &command{
		name:  "plan",
		usage: "print every system call that creating the container would make",
		description: "Nothing is run and no privilege is needed. Calls are printed as strace prints\n" +
			"them, with names in place of fds; a number after an errno or goto is the line\n" +
			"at which the program goes on.",
		flags: []option{
			text("bundle", ".", "`DIR` with the config and the root file system", "b"),
			text("config", "", "config `FILE`, if not config.json in the bundle", "f"),
			text("format", "text", "text or json"),
			toggle("run", "the plan of run, which does not wait for a start"),
			toggle("as-root", "the plan of root, whoever asks"),
			toggle("no-pivot", "the plan with --no-pivot"),
			toggle("no-new-keyring", "the plan with --no-new-keyring"),
		},
		action: showPlan,
	}
}

func showPlan(c *call) error {
	if len(c.args) > 1 {
		return fault.Configf("", "brig plan takes at most one argument, the container's ID, and got %d", len(c.args))
	}
	id := c.arg(0)
	if id == "" {
		id = "ID"
	}
	o := &libcontainer.CreateOptions{
		ID:      id,
		Bundle:  libcontainer.Bundle{Dir: c.text("bundle"), Config: c.text("config")},
		NoPivot: c.on("no-pivot"), NoNewKeyring: c.on("no-new-keyring"),
	}
	p, group, err := runtime(c).Plan(o, c.on("run"), c.on("as-root"))
	if err != nil {
		return err
	}
	switch format := c.text("format"); format {
	case "text":
		printPlan(c, p, group)
		return nil
	case "json":
		out := json.NewEncoder(c.stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(planOf(p, group))
	default:
		return fault.Configf("", "invalid format option: %s", format)
	}
}

func printPlan(c *call, p *nsenter.Program, group *libcontainer.CgroupPlan) {
	if !group.None() {
		printCgroup(c.stdout, group)
	}
	fmt.Fprint(c.stdout, p)
}

func printCgroup(out io.Writer, group *libcontainer.CgroupPlan) {
	if s := group.Scope; s != nil {
		fmt.Fprintf(out, "scope %s\n", s.Name)
		for _, property := range s.Properties {
			fmt.Fprintf(out, "        /linux/cgroupsPath: ask systemd for %s\n", property)
		}
	} else {
		fmt.Fprintf(out, "cgroup %s\n", group.Path)
	}
	for _, w := range group.Writes {
		fmt.Fprintf(out, "        %s: write %q to %s\n", w.Pointer, w.Value, w.File)
	}
	if o := group.Owner; o != nil {
		fmt.Fprintf(out, "        /linux/uidMappings: enable all controllers for it, and give it to user %d and group %d of the host\n", o.UID, o.GID)
	}
	if group.DeviceInstructions > 0 {
		fmt.Fprintf(out, "        /linux/resources/devices: attach a device program of %d instructions\n", group.DeviceInstructions)
	}
}

// planJSON is the plan for programs.
type planJSON struct {
	Cgroup *libcontainer.CgroupPlan `json:"cgroup,omitempty"`
	Steps  []planStep               `json:"steps"`
}

type planStep struct {
	Section      string     `json:"section"`
	Pointer      string     `json:"pointer"`
	Name         string     `json:"name"`
	Instructions []planLine `json:"instructions"`
}

type planLine struct {
	Index int    `json:"index"`
	Text  string `json:"text"`
}

func planOf(p *nsenter.Program, group *libcontainer.CgroupPlan) *planJSON {
	out := &planJSON{}
	if !group.None() {
		out.Cgroup = group
	}
	for k, s := range p.Steps {
		end := len(p.Instructions)
		if k+1 < len(p.Steps) {
			end = p.Steps[k+1].First
		}
		step := planStep{Section: s.Section, Pointer: s.Pointer, Name: s.Name}
		for i := s.First; i < end; i++ {
			step.Instructions = append(step.Instructions, planLine{i, p.Line(i)})
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}
