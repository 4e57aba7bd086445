package main

import (
	"encoding/json"
	"time"

	"brig/libcontainer"
	"brig/libcontainer/fault"

	"github.com/urfave/cli/v2"
)

func eventsCommand() *cli.Command {
	return &cli.Command{
		Name:        "events",
		Usage:       "print what a container uses, and when it runs out of memory",
		ArgsUsage:   "ID",
		Description: "One JSON object a line, until the container ends.",
		Flags: []cli.Flag{
			text("interval", "5s", "`TIME` between two statistics"),
			toggle("stats", "print the statistics once"),
			toggle("memory-pressure", "print also when processes have waited for memory"),
		},
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			interval, err := time.ParseDuration(c.String("interval"))
			if err != nil || interval <= 0 {
				return fault.Configf("", "--interval: %q is no time above 0", c.String("interval"))
			}
			if c.Bool("stats") {
				interval = 0
			}
			out := json.NewEncoder(c.App.Writer)
			o := &libcontainer.EventOptions{ID: id, Interval: interval, Pressure: c.Bool("memory-pressure")}
			return runtime(c).Events(o, func(e libcontainer.Event) error {
				if err := out.Encode(e); err != nil {
					return fault.Hostf("", err, "print an event")
				}
				return nil
			})
		},
	}
}
