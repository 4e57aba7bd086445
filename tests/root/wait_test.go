package root_test

import (
	"encoding/json"
	"time"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// wait waits until the container has stopped.
func (b *box) wait() {
	b.t.Helper()
	b.until("stopped", func() bool { return b.status() == "stopped" })
}

// until waits for a condition.
func (b *box) until(what string, holds func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// state is what `brig state` prints.
type state struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Annotations map[string]string `json:"annotations"`
}

func (b *box) look() state {
	b.t.Helper()
	var s state
	must(b.t, json.Unmarshal([]byte(b.ok("state", b.id)), &s))
	return s
}

func (b *box) status() string {
	b.t.Helper()
	return b.look().Status
}
