// Command merge prints a config with a seccomp profile put into it: merge CONFIG PROFILE.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := merge(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "merge:", err)
		os.Exit(1)
	}
}

func merge(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: merge CONFIG PROFILE")
	}
	var parts [2]map[string]any
	for i, name := range args {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &parts[i]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	linux, ok := parts[0]["linux"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no /linux", args[0])
	}
	linux["seccomp"] = parts[1]
	return json.NewEncoder(os.Stdout).Encode(parts[0])
}
