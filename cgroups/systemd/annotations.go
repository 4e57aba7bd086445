package systemd

import (
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
)

// AnnotationPrefix is that of the annotations with properties of the scope.
const AnnotationPrefix = "org.systemd.property."

// Annotations are the properties that the config's annotations ask for, sorted.
// Those that would undo what brig sets, or run something, are refused.
func Annotations(annotations map[string]string) ([]Property, *fault.Error) {
	var list []Property
	for key, value := range annotations {
		name, found := strings.CutPrefix(key, AnnotationPrefix)
		if !found {
			continue
		}
		pointer := fault.Pointer("/annotations", key)
		v, ok := parseVariant(value)
		if !ok {
			return nil, fault.Configf(pointer, "%q is no value of a property", value)
		}
		// As under runc: a time in seconds is one in microseconds.
		if bare, isTime := strings.CutSuffix(name, "Sec"); isTime && !strings.HasSuffix(name, "USec") {
			n, ok := microseconds(v)
			if !ok {
				return nil, fault.Configf(pointer, "%q is no time in seconds", value)
			}
			name, v = bare+"USec", Variant{"t", n}
		}
		if !allowed(name) {
			return nil, fault.Configf(pointer, "the property %s cannot be set by an annotation", name)
		}
		list = append(list, Property{name, v})
	}
	slices.SortFunc(list, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// allowed is the list of properties that engines and admins set on scopes.
func allowed(name string) bool {
	switch name {
	case "After", "Before", "BindsTo", "CollectMode", "DefaultDependencies", "Description", "Documentation", "IOWeight", "CPUWeight",
		"KillMode", "KillSignal", "FinalKillSignal", "RestartKillSignal", "SendSIGHUP", "SendSIGKILL", "ManagedOOMMemoryPressure",
		"ManagedOOMMemoryPressureLimit", "ManagedOOMPreference", "ManagedOOMSwap", "MemoryHigh", "MemoryLow", "MemoryMin", "OOMPolicy",
		"PartOf", "Requires", "RequiresMountsFor", "RuntimeMaxUSec", "StopWhenUnneeded", "TimeoutStopUSec", "Wants":
		return true
	}
	return false
}

func microseconds(v Variant) (uint64, bool) {
	const second = 1000000
	switch n := v.Value.(type) {
	case int32:
		return uint64(n) * second, n >= 0
	case uint32:
		return uint64(n) * second, true
	case int64:
		return uint64(n) * second, n >= 0 && n < 1<<40
	case uint64:
		return n * second, n < 1<<40
	}
	return 0, false
}

// parseVariant reads a value as GLib writes it: true, 'text', uint64 5, ['a', 'b'].
func parseVariant(text string) (Variant, bool) {
	p := variantParser{rest: text}
	v, ok := p.value()
	return v, ok && strings.TrimSpace(p.rest) == ""
}

type variantParser struct{ rest string }

func (p *variantParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

// word takes what is neither space nor punctuation.
func (p *variantParser) word() string {
	p.space()
	n := strings.IndexAny(p.rest, " \t\n,]")
	if n < 0 {
		n = len(p.rest)
	}
	w := p.rest[:n]
	p.rest = p.rest[n:]
	return w
}

func (p *variantParser) value() (Variant, bool) {
	p.space()
	switch {
	case p.rest == "":
		return Variant{}, false
	case p.rest[0] == '\'' || p.rest[0] == '"':
		return p.quoted()
	case p.rest[0] == '[':
		return p.array()
	}
	w := p.word()
	switch w {
	case "true", "false":
		return Variant{"b", w == "true"}, true
	case "boolean":
		w = p.word()
		return Variant{"b", w == "true"}, w == "true" || w == "false"
	case "string":
		p.space()
		return p.quoted()
	case "byte", "int32", "uint32", "int64", "uint64":
		return number(w, p.word())
	}
	return number("int32", w)
}

func number(kind, text string) (Variant, bool) {
	switch kind {
	case "byte":
		n, err := strconv.ParseUint(text, 0, 8)
		return Variant{"y", byte(n)}, err == nil
	case "uint32":
		n, err := strconv.ParseUint(text, 0, 32)
		return Variant{"u", uint32(n)}, err == nil
	case "int64":
		n, err := strconv.ParseInt(text, 0, 64)
		return Variant{"x", n}, err == nil
	case "uint64":
		n, err := strconv.ParseUint(text, 0, 64)
		return Variant{"t", n}, err == nil
	}
	n, err := strconv.ParseInt(text, 0, 32)
	return Variant{"i", int32(n)}, err == nil
}

func (p *variantParser) quoted() (Variant, bool) {
	if p.rest == "" || p.rest[0] != '\'' && p.rest[0] != '"' {
		return Variant{}, false
	}
	quote := p.rest[0]
	var text []byte
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == 0:
			return Variant{}, false
		case c == quote:
			p.rest = p.rest[i+1:]
			return Variant{"s", string(text)}, true
		case c == '\\' && i+1 < len(p.rest):
			i++
			c = p.rest[i]
		}
		text = append(text, c)
	}
	return Variant{}, false
}

// array is a list of values of one type.
func (p *variantParser) array() (Variant, bool) {
	p.rest = p.rest[1:]
	var list []any
	kind := ""
	for {
		p.space()
		if rest, ok := strings.CutPrefix(p.rest, "]"); ok && kind != "" {
			p.rest = rest
			return Variant{"a" + kind, list}, true
		}
		if kind != "" {
			rest, ok := strings.CutPrefix(p.rest, ",")
			if !ok {
				return Variant{}, false
			}
			p.rest = rest
		}
		v, ok := p.value()
		if !ok || kind != "" && v.Signature != kind || len(v.Signature) != 1 {
			return Variant{}, false
		}
		kind, list = v.Signature, append(list, v.Value)
	}
}
