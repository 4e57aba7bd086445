package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

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

// Whatever an error says, it is one line that a terminal only shows, and the log has the
// same text.
func FuzzReport(f *testing.F) {
	for _, text := range []string{
		"/mounts/3: EINVAL", "a\nb", "\x1b]0;title\a\x1b[2J", "\r", "\x9b2J", "\u009b2J", "\xff\xfe", "\ufffd", `"quoted"`, "\x00", "\u2028", "<&>", "%s",
		"\t", strings.Repeat("long ", 10000), `\x1b`,
	} {
		f.Add(text)
	}
	name := filepath.Join(f.TempDir(), "log")
	f.Fuzz(func(t *testing.T, text string) {
		for _, inJSON := range []bool{true, false} {
			file, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			logFile, logJSON = file, inJSON
			var stderr strings.Builder
			report(&stderr, errors.New(text), 0)
			logFile, logJSON = nil, false
			raw, err := os.ReadFile(name)
			if err = errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
			said, ok := strings.CutPrefix(stderr.String(), "brig: ")
			said, ended := strings.CutSuffix(said, "\n")
			if !ok || !ended || !utf8.ValidString(said) || strings.ContainsFunc(strings.ReplaceAll(said, "\t", ""), unicode.IsControl) {
				t.Fatalf("%q is %q on stderr", text, stderr.String())
			}
			if got, err := logged(string(raw), inJSON); err != nil || got != said {
				t.Fatalf("%q is on stderr, and in the log %q: %v", said, raw, err)
			}
		}
	})
}

// logged is the message of a log that has one line.
func logged(text string, inJSON bool) (string, error) {
	line, ended := strings.CutSuffix(text, "\n")
	if !ended || strings.Contains(line, "\n") {
		return "", errors.New("no line, or several")
	}
	if inJSON {
		var r record
		err := json.Unmarshal([]byte(line), &r)
		return r.Msg, err
	}
	_, quoted, _ := strings.Cut(line, " level=error msg=")
	return strconv.Unquote(quoted)
}
