package main

import "github.com/urfave/cli/v2"

func deleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "remove a container that has stopped",
		ArgsUsage: "ID",
		Flags: []cli.Flag{
			toggle("force", "kill it first; no error if it does not exist", "f"),
			regexFlag(),
		},
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return each(c, id, func(id string) error { return runtime(c).Delete(id, c.Bool("force")) })
		},
	}
}
