package libcontainer

import "testing"

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{
		"6.15": true, "6.15.0-rc1": true, "6.15-rc2": true, "6.18.44-1-amd64": true, "7.0": true, "10.1": true,
		"6.14.9": false, "5.99": false, "6": false, "": false, "x.y": false, "6.x": false, ".15": false, "6.": false,
	} {
		if got := atLeast(release, 6, 15); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
	if !kernelAtLeast(5, 14) {
		t.Error("this kernel is older than brig's oldest")
	}
}
