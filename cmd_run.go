package main

import (
	"brig/libcontainer"
	"brig/libcontainer/fault"
)

func runCommand() *command {
	return &command{
		name:  "run",
		usage: "make a container, start it, wait for its end and delete it",
		args:  "ID [CMD ARG...]",
		description: "With --rootfs DIR there is no bundle: brig runs CMD in DIR with the hardened\n" +
			"config that `brig spec` writes.",
		flags: append(creationFlags(),
			toggle("detach", "do not wait", "d"),
			toggle("keep", "do not delete the container after its end"),
			toggle("no-subreaper", "do not adopt what the payload leaves behind"),
			toggle("timings", "print how long each step took"),
			text("rootfs", "", "run a command in `DIR` without a config"),
		),
		action: func(c *call) error {
			o, err := runOptions(c)
			if err != nil {
				return err
			}
			c.status, err = runtime(c).Run(o)
			return err
		},
	}
}

func runOptions(c *call) (*libcontainer.RunOptions, error) {
	o := &libcontainer.RunOptions{Detach: c.on("detach"), Keep: c.on("keep"), NoSubreaper: c.on("no-subreaper")}
	rootfs := c.text("rootfs")
	id := c.arg(0)
	if rootfs == "" && len(c.args) != 1 || rootfs != "" && len(c.args) < 2 {
		return nil, fault.Configf("", "brig run takes the container's ID, and with --rootfs a command after it")
	}
	create, err := creationOptionsFor(c, id)
	if err != nil {
		return nil, err
	}
	o.CreateOptions = *create
	if rootfs != "" {
		if c.text("bundle") != "." || c.text("config") != "" {
			return nil, fault.Configf("", "--rootfs comes in place of --bundle and --config")
		}
		if o.Bundle.Spec, err = rootfsSpec(c, rootfs, c.args[1:]); err != nil {
			return nil, err
		}
	}
	if c.on("timings") {
		o.Timings = printTimings(c.stderr)
	}
	return o, nil
}
