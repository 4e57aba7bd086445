package libcontainer

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// encode writes the record as JSON. It does without encoding/json, which in a
// fresh process takes longer to look at the type than brig takes for all files of
// a start together.
func (rec *record) encode() []byte {
	w := object{buf: make([]byte, 0, 1024)}
	w.text("ociVersion", rec.OCIVersion)
	w.text("id", rec.ID)
	w.signed("pid", rec.Pid)
	w.number("startTime", rec.StartTime)
	w.text("boot", rec.Boot)
	w.text("bundle", rec.Bundle)
	w.text("config", rec.Config)
	w.text("rootfs", rec.Rootfs)
	w.text("created", rec.Created.Format(time.RFC3339Nano))
	w.signed("owner", rec.Owner)
	w.flag("noNewKeyring", rec.NoNewKeyring)
	w.text("cgroupDriver", rec.Driver)
	w.text("cgroup", rec.Cgroup)
	if rec.Scope.Name != "" {
		w.key("scope")
		s := object{buf: w.buf}
		s.text("name", rec.Scope.Name)
		s.flag("user", rec.Scope.User)
		w.buf = s.end()
	}
	if rec.Class != "" {
		w.text("rdtClass", rec.Class)
		w.flag("rdtOwn", rec.Own)
		w.text("rdtMonitor", rec.Monitor)
	}
	w.texts("annotations", rec.Annotations)
	if rec.Creating {
		w.key("creating")
		w.buf = append(w.buf, "true"...)
	}
	if len(rec.Hooks) > 0 {
		w.key("hooks")
		w.buf = append(w.buf, rec.Hooks...)
	}
	if rec.Agent != nil {
		w.key("seccompAgent")
		agent := object{buf: w.buf}
		agent.text("path", rec.Agent.Path)
		agent.text("metadata", rec.Agent.Metadata)
		w.buf = agent.end()
	}
	w.key("tail")
	w.buf = append(w.buf, '[')
	for i, s := range rec.Tail {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		step := object{buf: w.buf}
		step.signed("first", s.First)
		step.text("pointer", s.Pointer)
		step.text("name", s.Name)
		w.buf = step.end()
	}
	w.buf = append(w.buf, ']')
	return append(w.end(), '\n')
}

// hookState is what a hook reads: the state of the specification, with the root
// file system, which engines look for.
func (rec *record) hookState(status string, pid int) []byte {
	w := object{buf: make([]byte, 0, 1024)}
	w.text("ociVersion", rec.OCIVersion)
	w.text("id", rec.ID)
	w.text("status", status)
	if status != Stopped {
		w.signed("pid", pid)
	}
	w.text("bundle", rec.Bundle)
	w.text("root", rec.Rootfs)
	w.texts("annotations", rec.Annotations)
	return w.end()
}

// object writes the members of one JSON object.
type object struct {
	buf  []byte
	open bool
}

func (o *object) key(name string) {
	sep := byte(',')
	if !o.open {
		o.open, sep = true, '{'
	}
	o.buf = append(appendJSON(append(o.buf, sep), name), ':')
}

func (o *object) text(key, value string) {
	o.key(key)
	o.buf = appendJSON(o.buf, value)
}

// texts writes an object of strings, in the order of its keys.
func (o *object) texts(key string, values map[string]string) {
	o.key(key)
	inner := object{buf: o.buf}
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		inner.text(k, values[k])
	}
	o.buf = inner.end()
}

func (o *object) number(key string, value uint64) {
	o.key(key)
	o.buf = strconv.AppendUint(o.buf, value, 10)
}

// signed writes a number as it is read, also one that only damage can have made negative.
func (o *object) signed(key string, value int) {
	o.key(key)
	o.buf = strconv.AppendInt(o.buf, int64(value), 10)
}

func (o *object) flag(key string, value bool) {
	o.key(key)
	o.buf = strconv.AppendBool(o.buf, value)
}

func (o *object) end() []byte {
	if !o.open {
		o.buf = append(o.buf, '{')
	}
	return append(o.buf, '}')
}

// appendJSON writes a JSON string. What is no UTF-8 becomes U+FFFD, as in
// encoding/json.
func appendJSON(buf []byte, s string) []byte {
	buf = append(buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r < ' ':
			buf = append(buf, '\\', 'u', '0', '0', "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return append(buf, '"')
}
