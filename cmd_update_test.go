package main

import "testing"

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-1": -1, "4096": 4096, "1k": 1 << 10, "2K": 2 << 10, "3kb": 3 << 10, "4KiB": 4 << 10, "5m": 5 << 20, "6g": 6 << 30, "1t": 1 << 40, "1p": 1 << 50, "7 m": 7 << 20, "8b": 8,
	} {
		if got, err := parseAmount(text); err != nil || got != want {
			t.Errorf("%q: got %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-2", "1.5g", "k", "1x", "1kk", "9223372036854775808", "9007199254740992k"} {
		if got, err := parseAmount(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
}
