package libcontainer

import (
	"errors"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

const journalFile = "journal"

// A journal line says what is about to be made on the host, before it is made.
// It ends with a newline; one that does not was cut off before its effect.
const (
	intentCgroup      = "cgroup"       // cgroup PATH, which brig makes
	intentGivenCgroup = "given-cgroup" // given-cgroup PATH, which was there, and empty
	intentScope       = "scope"        // scope NAME, of systemd
	intentUserScope   = "user-scope"   // user-scope NAME, of the user's systemd
	intentClass       = "rdt-class"    // rdt-class NAME, of resctrl
	intentMonitor     = "rdt-monitor"  // rdt-monitor NAME
	intentProcess     = "process"      // process PID STARTTIME BOOT
)

func (id identity) line() string {
	return strconv.Itoa(id.pid) + " " + strconv.FormatUint(id.startTime, 10) + " " + id.boot
}

// intend writes a line to the journal.
func (d *directory) intend(kind, value string) error {
	if strings.ContainsRune(value, '\n') {
		return fault.Bugf("journal: %q in one line", value)
	}
	fd, err := unix.Openat(d.fd, journalFile, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fault.Hostf("", err, "open the journal of %q", d.id)
	}
	defer unix.Close(fd)
	if err := writeAll(fd, []byte(kind+" "+value+"\n")); err != nil {
		return fault.Hostf("", err, "write the journal of %q", d.id)
	}
	return nil
}

// intents is what the journal says.
type intents struct {
	cgroup string
	given  string // a cgroup that brig did not make
	scope  scope
	rdt    rdtGroups
	init   identity
}

// intended reads the journal. None means that nothing was made. A line that is no
// intent is an error: then brig does not know what to remove.
func (d *directory) intended() (intents, error) {
	raw, err := d.read(journalFile)
	if errors.Is(err, unix.ENOENT) {
		return intents{}, nil
	}
	if err != nil {
		return intents{}, fault.Hostf("", err, "read the journal of %q", d.id)
	}
	return parseJournal(string(raw))
}

func parseJournal(text string) (intents, error) {
	var in intents
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole {
			return in, nil
		}
		text = rest
		kind, value, _ := strings.Cut(line, " ")
		switch kind {
		case intentCgroup:
			in.cgroup = value
		case intentGivenCgroup:
			in.given = value
		case intentScope, intentUserScope:
			in.scope = scope{Name: value, User: kind == intentUserScope}
		case intentClass:
			in.rdt.Class, in.rdt.Own = value, true
		case intentMonitor:
			in.rdt.Monitor = value
		case intentProcess:
			pid, rest, _ := strings.Cut(value, " ")
			start, boot, _ := strings.Cut(rest, " ")
			p, err := strconv.Atoi(pid)
			s, err2 := strconv.ParseUint(start, 10, 64)
			if err != nil || err2 != nil || p <= 0 || boot == "" {
				return in, fault.Hostf("", unix.EBADMSG, "journal: %q", line)
			}
			in.init = identity{p, s, boot}
		default:
			return in, fault.Hostf("", unix.EBADMSG, "journal: %q", line)
		}
	}
}
