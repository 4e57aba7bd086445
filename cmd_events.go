package main

import (
	"encoding/json"
	"time"

	"brig/libcontainer"
	"brig/libcontainer/fault"
)

func eventsCommand() *command {
	return &command{
		name:        "events",
		usage:       "print what a container uses, and when it runs out of memory",
		args:        "ID",
		description: "One JSON object a line, until the container ends.",
		flags: []option{
			text("interval", "5s", "`TIME` between two statistics"),
			toggle("stats", "print the statistics once"),
			toggle("memory-pressure", "print also when processes have waited for memory"),
		},
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			interval, err := time.ParseDuration(c.text("interval"))
			if err != nil || interval <= 0 {
				return fault.Configf("", "--interval: %q is no time above 0", c.text("interval"))
			}
			if c.on("stats") {
				interval = 0
			}
			out := json.NewEncoder(c.stdout)
			o := &libcontainer.EventOptions{ID: id, Interval: interval, Pressure: c.on("memory-pressure")}
			return runtime(c).Events(o, func(e libcontainer.Event) error {
				if err := out.Encode(e); err != nil {
					return fault.Hostf("", err, "print an event")
				}
				return nil
			})
		},
	}
}
