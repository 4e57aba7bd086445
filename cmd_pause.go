package main

import "github.com/urfave/cli/v2"

func pauseCommand() *cli.Command {
	return &cli.Command{
		Name:      "pause",
		Usage:     "stop all processes of a container until resume",
		ArgsUsage: "ID",
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runtime(c).Pause(id)
		},
	}
}

func resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "let the processes of a paused container go on",
		ArgsUsage: "ID",
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runtime(c).Resume(id)
		},
	}
}
