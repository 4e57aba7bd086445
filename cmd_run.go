package main

import (
	"brig/libcontainer"
	"brig/libcontainer/fault"

	"github.com/urfave/cli/v2"
)

func runCommand(status *int) *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "make a container, start it, wait for its end and delete it",
		ArgsUsage: "ID [CMD ARG...]",
		Description: "With --rootfs DIR there is no bundle: brig runs CMD in DIR with the hardened\n" +
			"config that `brig spec` writes.",
		Flags: append(creationFlags(),
			toggle("detach", "do not wait", "d"),
			toggle("keep", "do not delete the container after its end"),
			toggle("no-subreaper", "do not adopt what the payload leaves behind"),
			toggle("timings", "print how long each step took"),
			text("rootfs", "", "run a command in `DIR` without a config"),
		),
		Action: func(c *cli.Context) error {
			o, err := runOptions(c)
			if err != nil {
				return err
			}
			*status, err = runtime(c).Run(o)
			return err
		},
	}
}

func runOptions(c *cli.Context) (*libcontainer.RunOptions, error) {
	o := &libcontainer.RunOptions{Detach: c.Bool("detach"), Keep: c.Bool("keep"), NoSubreaper: c.Bool("no-subreaper")}
	rootfs := c.String("rootfs")
	id := c.Args().First()
	if rootfs == "" && c.NArg() != 1 || rootfs != "" && c.NArg() < 2 {
		return nil, fault.Configf("", "brig run takes the container's ID, and with --rootfs a command after it")
	}
	create, err := creationOptionsFor(c, id)
	if err != nil {
		return nil, err
	}
	o.CreateOptions = *create
	if rootfs != "" {
		if c.String("bundle") != "." || c.String("config") != "" {
			return nil, fault.Configf("", "--rootfs comes in place of --bundle and --config")
		}
		if o.Bundle.Spec, err = rootfsSpec(c, rootfs, c.Args().Tail()); err != nil {
			return nil, err
		}
	}
	if c.Bool("timings") {
		o.Timings = printTimings(c.App.ErrWriter)
	}
	return o, nil
}
