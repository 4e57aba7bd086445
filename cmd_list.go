package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"brig/libcontainer/fault"

	"github.com/urfave/cli/v2"
)

func listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the containers of the root",
		Flags: []cli.Flag{
			text("format", "table", "table or json", "f"),
			toggle("quiet", "print IDs only", "q"),
		},
		Action: list,
	}
}

func list(c *cli.Context) error {
	if c.NArg() != 0 {
		return fault.Configf("", "brig list takes no argument, and got %d", c.NArg())
	}
	states, err := runtime(c).List()
	if err != nil {
		return err
	}
	switch format := c.String("format"); {
	case c.Bool("quiet"):
		for _, s := range states {
			fmt.Fprintln(c.App.Writer, s.ID)
		}
	case format == "json":
		return json.NewEncoder(c.App.Writer).Encode(states)
	case format == "table":
		w := tabwriter.NewWriter(c.App.Writer, 12, 1, 3, ' ', 0)
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
