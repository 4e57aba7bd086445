package plan

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestCapabilitySets(t *testing.T) {
	const kill, chown, bpf = 1 << unix.CAP_KILL, 1 << unix.CAP_CHOWN, 1 << unix.CAP_BPF
	list := func(names ...string) []string { return names }
	for _, c := range [...]struct {
		name string
		caps *specs.LinuxCapabilities
		want capSets
	}{
		{"no object", nil, capSets{}},
		{"an empty object", &specs.LinuxCapabilities{}, capSets{}},
		{
			"each set its own", &specs.LinuxCapabilities{
				Bounding: list("CAP_KILL", "CAP_CHOWN", "CAP_BPF"), Permitted: list("CAP_KILL", "CAP_CHOWN"), Effective: list("CAP_CHOWN"),
				Inheritable: list("CAP_KILL"), Ambient: list("CAP_KILL"),
			},
			capSets{bounding: kill | chown | bpf, permitted: kill | chown, effective: chown, inheritable: kill, ambient: kill},
		},
		{"effective, not permitted", &specs.LinuxCapabilities{Effective: list("CAP_KILL")}, capSets{}},
		{"ambient, not inheritable", &specs.LinuxCapabilities{Permitted: list("CAP_KILL"), Ambient: list("CAP_KILL")}, capSets{permitted: kill}},
		{"ambient, not permitted", &specs.LinuxCapabilities{Inheritable: list("CAP_KILL"), Ambient: list("CAP_KILL")}, capSets{inheritable: kill}},
		{"unknown, in lower case, twice", &specs.LinuxCapabilities{Bounding: list("CAP_X", "cap_kill", "KILL", "", "CAP_BPF", "CAP_BPF")}, capSets{bounding: bpf}},
		{"bounding does not limit the others here", &specs.LinuxCapabilities{Permitted: list("CAP_KILL")}, capSets{permitted: kill}},
	} {
		if got := capabilitySets(c.caps, 0); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
		without := capSets{c.want.bounding &^ kill, c.want.effective &^ kill, c.want.permitted &^ kill, c.want.inheritable &^ kill, c.want.ambient &^ kill}
		if got := capabilitySets(c.caps, kill); got != without {
			t.Errorf("%s, without CAP_KILL: got %+v, want %+v", c.name, got, without)
		}
	}
}

// The struct that capset(2) takes: effective, permitted and inheritable, the low
// halves first.
func TestCapData(t *testing.T) {
	got := capData(capSets{effective: 0x0000000100000002, permitted: 0x0000000300000004, inheritable: 0x0000000500000006})
	want := []byte{2, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0}
	if string(got) != string(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
