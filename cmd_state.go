package main

import (
	"encoding/json"

	"github.com/urfave/cli/v2"
)

func stateCommand() *cli.Command {
	return &cli.Command{
		Name:      "state",
		Usage:     "print the state of a container as JSON",
		ArgsUsage: "ID",
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			s, err := runtime(c).State(id)
			if err != nil {
				return err
			}
			out := json.NewEncoder(c.App.Writer)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			return out.Encode(s)
		},
	}
}
