package main

import (
	"encoding/json"
)

func stateCommand() *command {
	return &command{
		name:  "state",
		usage: "print the state of a container as JSON",
		args:  "ID",
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			s, err := runtime(c).State(id)
			if err != nil {
				return err
			}
			out := json.NewEncoder(c.stdout)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			return out.Encode(s)
		},
	}
}
