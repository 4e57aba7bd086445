package main

import (
	"path/filepath"

	"brig/libcontainer"
	"brig/libcontainer/fault"
)

// creationFlags are common to create and run.
func creationFlags() []option {
	return []option{
		text("bundle", ".", "`DIR` with the config and the root file system", "b"),
		text("config", "", "config `FILE`, if not config.json in the bundle", "f"),
		text("pid-file", "", "write the pid of init to `FILE`"),
		toggle("no-pivot", "enter the root without pivot_root: for hosts that run from an initramfs"),
		toggle("no-new-keyring", "keep the caller's session keyring"),
		text("console-socket", "", "`SOCKET` that gets the terminal of a detached container"),
		text("pidfd-socket", "", "`SOCKET` that gets a pidfd of init"),
		number("preserve-fds", "pass `N` more fds"),
	}
}

func createCommand() *command {
	return &command{
		name:  "create",
		usage: "make a container whose init waits for start",
		args:  "ID",
		flags: creationFlags(),
		action: func(c *call) error {
			o, err := creationOptions(c)
			if err != nil {
				return err
			}
			return runtime(c).Create(o)
		},
	}
}

// creationOptions reads the flags of create and run.
func creationOptions(c *call) (*libcontainer.CreateOptions, error) {
	id, err := oneArgument(c)
	if err != nil {
		return nil, err
	}
	return creationOptionsFor(c, id)
}

func creationOptionsFor(c *call, id string) (*libcontainer.CreateOptions, error) {
	if c.number("preserve-fds") < 0 {
		return nil, fault.Configf("", "--preserve-fds: %d is less than 0", c.number("preserve-fds"))
	}
	o := &libcontainer.CreateOptions{
		ID:           id,
		Bundle:       libcontainer.Bundle{Dir: c.text("bundle"), Config: c.text("config")},
		NoPivot:      c.on("no-pivot"),
		NoNewKeyring: c.on("no-new-keyring"),
		Stdio:        [3]int{0, 1, 2},

		PreserveFDs:   c.number("preserve-fds"),
		ConsoleSocket: c.text("console-socket"),
		PidfdSocket:   c.text("pidfd-socket"),
	}
	if name := c.text("pid-file"); name != "" {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, fault.Hostf("", err, "find the pid file %s", name)
		}
		o.PidFile = abs
	}
	return o, nil
}

// oneArgument is the container's ID, the only argument.
func oneArgument(c *call) (string, error) {
	if len(c.args) != 1 {
		return "", fault.Configf("", "brig %s takes one argument, the container's ID, and got %d", c.verb, len(c.args))
	}
	return c.arg(0), nil
}
