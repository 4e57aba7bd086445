package main

import "testing"

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]int{
		"15": 15, "TERM": 15, "SIGTERM": 15, "sigterm": 15, "term": 15, "9": 9, "KILL": 9, "0": 0, "64": 64,
		"RTMIN": 34, "SIGRTMIN+3": 37, "rtmax-2": 62, "RTMAX": 64, "HUP": 1, "WINCH": 28,
	} {
		if got, err := parseSignal(text); err != nil || int(got) != want {
			t.Errorf("%q: got %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "SIG", "FOO", "-1", "65", "RTMIN-1", "RTMAX+1", "RTMINx", "1.5"} {
		if got, err := parseSignal(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
}
