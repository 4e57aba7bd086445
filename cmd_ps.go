package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

func psCommand() *command {
	return &command{
		name:        "ps",
		usage:       "list the processes of a container",
		args:        "ID [PS-OPTION...]",
		description: "The table is that of the host's ps, by default ps -ef, of which only the lines\nof the container are shown.",
		flags:       []option{text("format", "table", "table or json", "f")},
		action: func(c *call) error {
			if len(c.args) == 0 {
				return fault.Configf("", "brig ps takes the container's ID and options of ps, and got nothing")
			}
			format := c.text("format")
			if format != "table" && format != "json" {
				return fault.Configf("", "invalid format option: %s", format)
			}
			pids, err := runtime(c).Pids(c.arg(0))
			if err != nil {
				return err
			}
			if format == "json" {
				if pids == nil {
					pids = []int{}
				}
				return json.NewEncoder(c.stdout).Encode(pids)
			}
			options := c.args[1:]
			if len(options) == 0 {
				options = []string{"-ef"}
			}
			return psTable(c.stdout, options, pids)
		},
	}
}

// psTable runs the host's ps and prints its header and the lines of these processes.
func psTable(w io.Writer, options []string, pids []int) error {
	cmd := exec.Command("ps", options...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return fault.Hostf("", err, "run ps %s", strings.Join(options, " ")).WithHint("%s", strings.TrimSpace(said.String()))
	}
	return filterPs(w, string(out), pids)
}

func filterPs(w io.Writer, table string, pids []int) error {
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	column := slices.Index(strings.Fields(lines[0]), "PID")
	if column < 0 {
		return fault.Configf("", "couldn't find PID field in ps output")
	}
	fmt.Fprintln(w, lines[0])
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(fields[column])
		if err == nil && slices.Contains(pids, pid) {
			fmt.Fprintln(w, line)
		}
	}
	return nil
}
