package errors_test

import "fmt"

// playRole prepares this process and executes args, which end with brig's.
func playRole(role string, args []string) error { return fmt.Errorf("no such role: %s", role) }
