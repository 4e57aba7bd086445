package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// logFile is where --log leads, nil without it. Engines read the last error from
// it: podman wants it to be the only line, so warnings go there only with --debug.
var (
	logFile *os.File
	logJSON bool
	logAll  bool
)

// openLog reads the global flags that concern the log, and refuses those that
// brig cannot honour.
func openLog(c *call) error {
	switch manager := c.text("cgroup-manager"); manager {
	case "", "cgroupfs", "disabled", "systemd":
	default:
		return fault.Configf("", "invalid --cgroup-manager: %s", manager)
	}
	switch c.text("rootless") {
	case "auto", "true", "false":
	default:
		return fault.Configf("", "invalid --rootless: %s", c.text("rootless"))
	}
	switch level := c.text("log-level"); level {
	case "", "error":
		logAll = c.on("debug")
	case "warning", "debug":
		logAll = true
	default:
		return fault.Configf("", "invalid --log-level: %s", level)
	}
	switch format := c.text("log-format"); format {
	case "text":
	case "json":
		logJSON = true
	default:
		return fault.Configf("", "invalid log-format: %s", format)
	}
	name := strings.TrimPrefix(c.text("log"), "file:")
	if name == "" {
		return nil
	}
	// Appended to and never cut: containerd reads one file over many commands.
	fd, err := unix.Open(name, unix.O_CREAT|unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return fault.Hostf("", err, "open the log %s", name)
	}
	// Opening must not wait for the reader of a FIFO, writing may; and for an fd
	// that does not block os.File would bring in the runtime's poller.
	if err := unix.SetNonblock(fd, false); err != nil {
		return fault.Hostf("", err, "open the log %s", name)
	}
	logFile = os.NewFile(uintptr(fd), name)
	return nil
}

// record is one line of the JSON log, with the keys that engines look for.
type record struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	Time  string `json:"time"`
}

// writeLog appends one line to the log file.
func writeLog(level, text string) {
	if logFile == nil {
		return
	}
	now := time.Now().Format(time.RFC3339)
	if !logJSON {
		fmt.Fprintf(logFile, "time=%q level=%s msg=%q\n", now, level, text)
		return
	}
	line, err := json.Marshal(record{level, text, now})
	if err != nil {
		return
	}
	logFile.Write(append(line, '\n'))
}

// report prints an error as the last line on stderr, and the same text as the
// last record of the log. Its status is 1, unless the command has another.
func report(stderr io.Writer, err error, status int) int {
	// One line, also when the undoing has failed too.
	text := fault.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
	writeLog("error", text)
	fmt.Fprintf(stderr, "brig: %s\n", text)
	if status == 0 {
		status = 1
	}
	return status
}

// warn tells the user of something that is no error.
func warn(c *call, text string) {
	text = fault.Printable(text)
	if logAll {
		writeLog("warning", text)
	}
	fmt.Fprintf(c.stderr, "brig: warning: %s\n", text)
}
