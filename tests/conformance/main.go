// Command conformance runs the validation programs of runtime-tools against
// several runtimes and writes the page about it:
//
//	conformance -suite DIR -reasons FILE -page FILE -version TEXT NAME=COMMAND …
//
// The first runtime is brig. DIR is what run.sh builds. It ends with status 1 if
// brig fails a program and nobody has written down why.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := flag.String("suite", "", "the programs, runtimetest and the root file system")
	page := flag.String("page", "", "the page to write")
	reasonsFile := flag.String("reasons", "", "why brig fails what it fails")
	version := flag.String("version", "", "version of the suite")
	timeout := flag.Duration("timeout", time.Minute, "limit for one program")
	flag.Parse()
	s := &suite{dir: *dir, out: filepath.Join(*dir, "results"), timeout: *timeout}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	r, runtimes, err := newReport(s, flag.Args())
	if err != nil {
		return err
	}
	r.versions = append([]string{"runtime-tools " + *version}, r.versions...)
	text, err := os.ReadFile(*reasonsFile)
	if err != nil {
		return err
	}
	if r.reasons, err = readReasons(string(text)); err != nil {
		return err
	}
	if err := r.fill(s, runtimes); err != nil {
		return err
	}
	if err := os.WriteFile(*page, []byte(r.String()), 0o644); err != nil {
		return err
	}
	if list := r.unexplained(); len(list) > 0 {
		return fmt.Errorf("%s", strings.Join(list, "\n"))
	}
	return nil
}

// newReport knows what is going to run, and of which version.
func newReport(s *suite, args []string) (*report, []runtime, error) {
	r := &report{timeout: s.timeout.String(), results: map[string][]result{}}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, nil, err
	}
	kernel, _, _ := strings.Cut(unix.ByteSliceToString(uts.Release[:]), "-")
	r.kernel = "Linux " + kernel
	var runtimes []runtime
	for _, arg := range args {
		name, command, _ := strings.Cut(arg, "=")
		out, err := exec.Command(command, "--version").Output()
		if err != nil {
			return nil, nil, fmt.Errorf("%s --version: %w", command, err)
		}
		first, _, _ := strings.Cut(string(out), "\n")
		r.versions = append(r.versions, strings.Replace(first, " version ", " ", 1))
		r.runtimes = append(r.runtimes, name)
		runtimes = append(runtimes, runtime{name, command})
	}
	var err error
	r.programs, err = s.programs()
	return r, runtimes, err
}

// programs are the executables beside runtimetest.
func (s *suite) programs() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && e.Name() != "runtimetest" {
			list = append(list, e.Name())
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no programs in %s", s.dir)
	}
	return list, nil
}

func (r *report) fill(s *suite, runtimes []runtime) error {
	for i, p := range r.programs {
		fmt.Printf("%2d/%d %-32s", i+1, len(r.programs), p)
		for _, rt := range runtimes {
			res, err := s.run(p, rt)
			if err != nil {
				return fmt.Errorf("%s with %s: %w", p, rt.name, err)
			}
			r.results[p] = append(r.results[p], res)
			fmt.Printf(" %s %d/%d/%d", rt.name, res.passed, res.failed, res.skipped)
		}
		fmt.Println()
	}
	return nil
}
