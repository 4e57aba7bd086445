package main

import (
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func killCommand() *command {
	return &command{
		name:  "kill",
		usage: "send a signal (default SIGTERM) to the init of a container",
		args:  "ID [SIGNAL]",
		flags: []option{
			toggle("all", "send it to all processes; no error if there are none", "a"),
			regexFlag(),
		},
		action: func(c *call) error {
			if len(c.args) < 1 || len(c.args) > 2 {
				return fault.Configf("", "brig kill takes the container's ID and a signal, and got %d arguments", len(c.args))
			}
			name := c.arg(1)
			if name == "" {
				name = "SIGTERM"
			}
			sig, err := parseSignal(name)
			if err != nil {
				return err
			}
			return each(c, c.arg(0), func(id string) error { return runtime(c).Kill(id, sig, c.on("all")) })
		},
	}
}

// Realtime signals as the C library numbers them.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal reads 15, TERM, SIGTERM, sigterm, RTMIN+3 and RTMAX-2.
func parseSignal(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > sigRTMax {
			return 0, fault.Configf("", "unknown signal %q", text)
		}
		return unix.Signal(n), nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	for _, rt := range [...]struct {
		prefix string
		base   int
	}{{"SIGRTMIN", sigRTMin}, {"SIGRTMAX", sigRTMax}} {
		rest, ok := strings.CutPrefix(name, rt.prefix)
		n, err := strconv.Atoi(rest)
		if rest == "" {
			n, err = 0, nil
		}
		if sig := rt.base + n; ok && err == nil && sig >= sigRTMin && sig <= sigRTMax {
			return unix.Signal(sig), nil
		}
	}
	return 0, fault.Configf("", "unknown signal %q", text)
}
