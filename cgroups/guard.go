package cgroups

import (
	"errors"
	"strings"
)

// InForce are the writes for somebody who keeps limits beside the kernel: those of Instead
// where the group has no such file, and with who ceases to be idle the weight that he has.
func (g *Group) InForce(writes []Write) []Write {
	list := make([]Write, 0, len(writes)+1)
	for _, w := range writes {
		text, err := readAt(g.fd, w.File)
		if err != nil && w.Instead != nil {
			w = *w.Instead
		}
		w.Instead = nil
		list = append(list, w)
		if w.File != "cpu.idle" || strings.TrimSpace(text) != "0" {
			continue
		}
		if text, err := readAt(g.fd, "cpu.weight"); err == nil {
			list = append(list, Write{File: "cpu.weight", Value: strings.TrimSpace(text), Pointer: w.Pointer})
		}
	}
	return list
}

// Guard runs a function in which somebody else writes some files of the group, and
// gives them back what they said before it, also when it fails.
func (g *Group) Guard(files []string, function func() error) error {
	said := make([]string, len(files)) // "" of one that cannot be read
	for i, name := range files {
		said[i], _ = readAt(g.fd, name)
	}
	failed := []error{function()}
	for i, name := range files {
		if text, err := readAt(g.fd, name); err != nil || said[i] == "" || text == said[i] {
			continue
		}
		for _, w := range restore(&Write{File: name}, said[i], "") {
			failed = append(failed, g.apply(&w))
		}
	}
	return errors.Join(failed...)
}
