package main

import "github.com/urfave/cli/v2"

func startCommand() *cli.Command {
	return &cli.Command{
		Name:      "start",
		Usage:     "let the init of a created container execute the payload",
		ArgsUsage: "ID",
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runtime(c).Start(id)
		},
	}
}
