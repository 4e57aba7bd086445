// Package fault is brig's error model: an error names the field of the config
// that it comes from, the operation that failed and the errno, in one line.
//
// There are three classes only. Config: the config.json or the command line asks
// for something impossible. Host: this machine refused or lacks something. Bug:
// brig itself is wrong, and says so.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Class tells whose fault an error is.
type Class int

// The three classes of errors.
const (
	Config Class = iota
	Host
	Bug
)

// String returns the class as the JSON log and the docs spell it.
func (c Class) String() string {
	switch c {
	case Config:
		return "config"
	case Host:
		return "host"
	default:
		return "bug"
	}
}

// Error is one fault. Every field but Class may be empty.
type Error struct {
	Class   Class
	Pointer string // RFC 6901 pointer into config.json, such as /mounts/3
	Op      string // what was tried: `move_mount onto "/data"`
	Err     error  // a syscall.Errno, or another cause
	Hint    string // what the user can do about it
}

// Configf reports a fault of the config field at pointer.
func Configf(pointer, format string, args ...any) *Error {
	return &Error{Class: Config, Pointer: pointer, Op: fmt.Sprintf(format, args...)}
}

// Hostf reports that op failed on this host because of err.
func Hostf(pointer string, err error, format string, args ...any) *Error {
	return &Error{Class: Host, Pointer: pointer, Op: fmt.Sprintf(format, args...), Err: err}
}

// Bugf reports something that cannot happen.
func Bugf(format string, args ...any) *Error {
	return &Error{Class: Bug, Op: fmt.Sprintf(format, args...)}
}

// WithHint returns e with the hint set.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Error returns the one-line form: pointer: operation: ERRNO: text (hint).
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	if e.Class == Bug {
		parts = append(parts, "BUG in brig")
	}
	if e.Pointer != "" {
		parts = append(parts, e.Pointer)
	}
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Err != nil {
		parts = append(parts, causeText(e.Err))
	}
	line := strings.Join(parts, ": ")
	if e.Hint != "" {
		line += " (" + e.Hint + ")"
	}
	return strings.ReplaceAll(line, "\n", `\n`)
}

// Unwrap makes the errno reachable by errors.Is.
func (e *Error) Unwrap() error { return e.Err }

// causeText spells an errno by name and by text, since people search for the
// one and engines match the other.
func causeText(err error) string {
	text := err.Error()
	if inner := (*Error)(nil); errors.As(err, &inner) {
		return text // it has spelt its own
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return text
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name + ": " + text
	}
	return text
}

// List is several faults of one config, reported together.
type List []*Error

// Error joins all faults in one line, in the order they were found.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "; ")
}

// Unwrap gives errors.Is and errors.As every fault of the list.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// OrNil returns l as an error, or nil when it is empty.
func (l List) OrNil() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// ClassOf returns the class of err's first fault; an error that is none is a Bug
// unless it carries an errno, which makes it the host's.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return Host
	}
	return Bug
}

// Pointer appends segments to a JSON pointer, escaping as RFC 6901 says. A
// segment is a string key or an int index.
func Pointer(base string, segments ...any) string {
	var b strings.Builder
	b.WriteString(base)
	for _, s := range segments {
		b.WriteByte('/')
		switch v := s.(type) {
		case int:
			fmt.Fprintf(&b, "%d", v)
		case string:
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll(v, "~", "~0"), "/", "~1"))
		default:
			fmt.Fprint(&b, v)
		}
	}
	return b.String()
}
