// Command table reads the rounds that run.sh measured and prints them as the
// tables of docs/performance.md: table DIR [NAME=VALUE …]. It leaves the same
// figures in DIR/summary.json.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// result is one program of one round, as hyperfine exports it.
type result struct {
	Command string    `json:"command"`
	Times   []float64 `json:"times"` // seconds
}

// round is what was measured in one go; only its figures compare.
type round struct {
	Results []result `json:"results"`
}

// stats are over all runs of all rounds, in milliseconds.
type stats struct {
	Program string  `json:"program"`
	Runs    int     `json:"runs"`
	Mean    float64 `json:"mean_ms"`
	Sigma   float64 `json:"sigma_ms"`
	Median  float64 `json:"median_ms"`
	Min     float64 `json:"min_ms"`
}

// ratio is of the medians of one program and another within a round; the
// smallest, the middle and the largest round.
type ratio struct {
	Of     string  `json:"of"`
	To     string  `json:"to"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

type summary struct {
	Stats  []stats           `json:"stats"`
	Ratios []ratio           `json:"ratios"`
	Sizes  map[string]string `json:"sizes"`
	sizes  []string          // their names, in order
}

// measured is what run.sh measures: the files of the rounds, and what is divided by
// what.
var measured = [...]struct {
	files string
	pairs [][2]string
}{
	{"run-*.json", [][2]string{{"brig", "crun"}, {"brig", "runc"}}},
	{"row-*.json", [][2]string{{"brig in a row", "crun in a row"}}},
	{"exec-*.json", [][2]string{{"brig exec", "crun exec"}, {"brig exec", "runc exec"}}},
	{"filter-*.json", [][2]string{{"brig with a filter", "brig without"}}},
	{"version-*.json", [][2]string{{"brig --version", "empty Go program"}}},
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: table DIR [NAME=VALUE ...]")
	}
	s := summary{Sizes: map[string]string{}}
	for _, m := range measured {
		rounds, err := readRounds(args[0], m.files)
		if err != nil {
			return err
		}
		s.add(rounds, m.pairs)
	}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		s.Sizes[name] = value
		s.sizes = append(s.sizes, name)
	}
	s.print(w)
	raw, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], "summary.json"), append(raw, '\n'), 0o644)
}

func readRounds(dir, pattern string) ([]round, error) {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no %s in %s", pattern, dir)
	}
	rounds := make([]round, len(files))
	for i, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &rounds[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range rounds[i].Results {
			if len(r.Times) == 0 {
				return nil, fmt.Errorf("%s: no times of %s", name, r.Command)
			}
		}
	}
	return rounds, nil
}

// add takes in the rounds; pairs name what is divided by what.
func (s *summary) add(rounds []round, pairs [][2]string) {
	names := []string{pairs[0][0]}
	for _, pair := range pairs {
		names = append(names, pair[1])
	}
	for _, name := range names {
		var all []float64
		for _, r := range rounds {
			all = append(all, r.times(name)...)
		}
		s.Stats = append(s.Stats, statsOf(name, all))
	}
	for _, pair := range pairs {
		var all []float64
		for _, r := range rounds {
			all = append(all, median(r.times(pair[0]))/median(r.times(pair[1])))
		}
		s.Ratios = append(s.Ratios, ratio{pair[0], pair[1], slices.Min(all), median(all), slices.Max(all)})
	}
}

func (r round) times(program string) []float64 {
	for _, result := range r.Results {
		if result.Command == program {
			return result.Times
		}
	}
	return []float64{math.NaN()}
}

func statsOf(name string, seconds []float64) stats {
	sum, squares := 0.0, 0.0
	for _, v := range seconds {
		sum += v
	}
	mean := sum / float64(len(seconds))
	for _, v := range seconds {
		squares += (v - mean) * (v - mean)
	}
	sigma := math.Sqrt(squares / float64(max(1, len(seconds)-1)))
	return stats{name, len(seconds), 1000 * mean, 1000 * sigma, 1000 * median(seconds), 1000 * slices.Min(seconds)}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func (s *summary) print(w io.Writer) {
	fmt.Fprintln(w, "| | mean ± σ | median | min | runs |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- |")
	for _, v := range s.Stats {
		fmt.Fprintf(w, "| %s | %.2f ± %.2f ms | %.2f ms | %.2f ms | %d |\n", v.Program, v.Mean, v.Sigma, v.Median, v.Min, v.Runs)
	}
	fmt.Fprintln(w, "\n| ratio of the medians of a round | smallest | middle | largest |")
	fmt.Fprintln(w, "| --- | --- | --- | --- |")
	for _, v := range s.Ratios {
		fmt.Fprintf(w, "| %s ÷ %s | %.2f | **%.2f** | %.2f |\n", v.Of, v.To, v.Min, v.Median, v.Max)
	}
	fmt.Fprintln(w, "\n| size | |")
	fmt.Fprintln(w, "| --- | --- |")
	for _, name := range s.sizes {
		fmt.Fprintf(w, "| %s | %s |\n", strings.ReplaceAll(name, "_", " "), s.Sizes[name])
	}
	fmt.Fprintln(w)
}
