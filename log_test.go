package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

// A start that failed, and could not be undone either, is one line that says both.
func TestReportIsOneLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	logFile, logJSON = f, true
	defer func() { logFile, logJSON = nil, false }()
	failed := errors.Join(
		fault.Hostf("/mounts/3", unix.EINVAL, `move_mount onto "/data"`),
		fault.Hostf("", unix.ENOTEMPTY, `remove the state directory of "x"`),
	)
	var stderr strings.Builder
	if status := report(&stderr, failed, 0); status != 1 {
		t.Errorf("status %d", status)
	}
	const want = `/mounts/3: move_mount onto "/data": EINVAL: invalid argument; remove the state directory of "x": ENOTEMPTY: directory not empty`
	if got := stderr.String(); got != "brig: "+want+"\n" {
		t.Errorf("got  %s\nwant brig: %s", got, want)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var line record
	if err := json.Unmarshal(raw, &line); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339, line.Time); err != nil || line.Level != "error" || line.Msg != want {
		t.Errorf("got %+v %v", line, err)
	}
	if report(&stderr, failed, 7) != 7 {
		t.Error("a status that a command has set is lost")
	}
}
