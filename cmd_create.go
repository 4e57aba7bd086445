package main

import (
	"path/filepath"

	"brig/libcontainer"
	"brig/libcontainer/fault"

	"github.com/urfave/cli/v2"
)

// creationFlags are common to create and run.
func creationFlags() []cli.Flag {
	return []cli.Flag{
		text("bundle", ".", "`DIR` with the config and the root file system", "b"),
		text("config", "", "config `FILE`, if not config.json in the bundle", "f"),
		text("pid-file", "", "write the pid of init to `FILE`"),
		toggle("no-pivot", "enter the root without pivot_root: for hosts that run from an initramfs"),
		toggle("no-new-keyring", "keep the caller's session keyring"),
		text("console-socket", "", "`SOCKET` that gets the terminal of a detached container"),
		text("pidfd-socket", "", "`SOCKET` that gets a pidfd of init"),
		number("preserve-fds", 0, "pass `N` more fds"),
	}
}

func createCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "make a container whose init waits for start",
		ArgsUsage: "ID",
		Flags:     creationFlags(),
		Action: func(c *cli.Context) error {
			o, err := creationOptions(c)
			if err != nil {
				return err
			}
			return runtime(c).Create(o)
		},
	}
}

// creationOptions reads the flags of create and run.
func creationOptions(c *cli.Context) (*libcontainer.CreateOptions, error) {
	id, err := oneArgument(c)
	if err != nil {
		return nil, err
	}
	return creationOptionsFor(c, id)
}

func creationOptionsFor(c *cli.Context, id string) (*libcontainer.CreateOptions, error) {
	if c.Int("preserve-fds") < 0 {
		return nil, fault.Configf("", "--preserve-fds: %d is less than 0", c.Int("preserve-fds"))
	}
	o := &libcontainer.CreateOptions{
		ID:           id,
		Bundle:       libcontainer.Bundle{Dir: c.String("bundle"), Config: c.String("config")},
		NoPivot:      c.Bool("no-pivot"),
		NoNewKeyring: c.Bool("no-new-keyring"),
		Stdio:        [3]int{0, 1, 2},

		PreserveFDs:   c.Int("preserve-fds"),
		ConsoleSocket: c.String("console-socket"),
		PidfdSocket:   c.String("pidfd-socket"),
	}
	if name := c.String("pid-file"); name != "" {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, fault.Hostf("", err, "find the pid file %s", name)
		}
		o.PidFile = abs
	}
	return o, nil
}

// oneArgument is the container's ID, the only argument.
func oneArgument(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", fault.Configf("", "brig %s takes one argument, the container's ID, and got %d", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}
