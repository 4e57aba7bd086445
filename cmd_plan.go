package main

import (
	"encoding/json"
	"fmt"

	"brig/libcontainer"
	"brig/libcontainer/fault"
	"brig/nsenter"

	"github.com/urfave/cli/v2"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "print every system call that creating the container would make",
		Description: "Nothing is run and no privilege is needed. Calls are printed as strace prints\n" +
			"them, with names in place of fds; a number after an errno or goto is the line\n" +
			"at which the program goes on.",
		Flags: []cli.Flag{
			text("bundle", ".", "`DIR` with the config and the root file system", "b"),
			text("config", "", "config `FILE`, if not config.json in the bundle", "f"),
			text("format", "text", "text or json"),
			toggle("run", "the plan of run, which does not wait for a start"),
			toggle("as-root", "the plan of root, whoever asks"),
			toggle("no-pivot", "the plan with --no-pivot"),
			toggle("no-new-keyring", "the plan with --no-new-keyring"),
		},
		Action: showPlan,
	}
}

func showPlan(c *cli.Context) error {
	if c.NArg() > 1 {
		return fault.Configf("", "brig plan takes at most one argument, the container's ID, and got %d", c.NArg())
	}
	id := c.Args().First()
	if id == "" {
		id = "ID"
	}
	o := &libcontainer.CreateOptions{
		ID:      id,
		Bundle:  libcontainer.Bundle{Dir: c.String("bundle"), Config: c.String("config")},
		NoPivot: c.Bool("no-pivot"), NoNewKeyring: c.Bool("no-new-keyring"),
	}
	p, group, err := runtime(c).Plan(o, c.Bool("run"), c.Bool("as-root"))
	if err != nil {
		return err
	}
	switch format := c.String("format"); format {
	case "text":
		printPlan(c, p, group)
		return nil
	case "json":
		out := json.NewEncoder(c.App.Writer)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(planOf(p, group))
	default:
		return fault.Configf("", "invalid format option: %s", format)
	}
}

func printPlan(c *cli.Context, p *nsenter.Program, group *libcontainer.CgroupPlan) {
	if group.Path != "" {
		fmt.Fprintf(c.App.Writer, "cgroup %s\n", group.Path)
		for _, w := range group.Writes {
			fmt.Fprintf(c.App.Writer, "        %s: write %q to %s\n", w.Pointer, w.Value, w.File)
		}
		if group.DeviceInstructions > 0 {
			fmt.Fprintf(c.App.Writer, "        /linux/resources/devices: attach a device program of %d instructions\n", group.DeviceInstructions)
		}
	}
	fmt.Fprint(c.App.Writer, p)
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
	if group.Path != "" {
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
