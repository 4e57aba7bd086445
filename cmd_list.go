package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"brig/libcontainer/fault"
)

func listCommand() *command {
	return &command{
		name:  "list",
		usage: "list the containers of the root",
		flags: []option{
			text("format", "table", "table or json", "f"),
			toggle("quiet", "print IDs only", "q"),
		},
		action: list,
	}
}

func list(c *call) error {
	if len(c.args) != 0 {
		return fault.Configf("", "brig list takes no argument, and got %d", len(c.args))
	}
	states, err := runtime(c).List()
	if err != nil {
		return err
	}
	switch format := c.text("format"); {
	case c.on("quiet"):
		for _, s := range states {
			fmt.Fprintln(c.stdout, s.ID)
		}
	case format == "json":
		return json.NewEncoder(c.stdout).Encode(states)
	case format == "table":
		w := tabwriter.NewWriter(c.stdout, 12, 1, 3, ' ', 0)
		fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
		for _, s := range states {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
		}
		return w.Flush()
	default:
		return fault.Configf("", "invalid format option: %s", format)
	}
	return nil
}
