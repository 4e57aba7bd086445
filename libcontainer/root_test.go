package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func TestClaimIsExclusive(t *testing.T) {
	r := Runtime{Root: t.TempDir() + "/deep/root"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 20 {
		wg.Go(func() {
			d, err := r.claim("one")
			if err != nil {
				if !strings.Contains(err.Error(), "container with given ID already exists") {
					t.Error(err)
				}
				return
			}
			defer d.close()
			mu.Lock()
			won++
			mu.Unlock()
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d claims of one ID", won)
	}
	if st, err := os.Stat(r.Root); err != nil || st.Mode()&(os.ModePerm|os.ModeSticky) != 0o700|os.ModeSticky {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	st, err := os.Stat(r.Root + "/one")
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
}

func TestRootIsRefused(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		root, want string
		errno      error
	}{
		{"/", "Option --root argument should not be set to /", nil},
		{"//.", "Option --root argument should not be set to /", nil},
		{open, "can be written by others", unix.EPERM},
		{file, "open --root", unix.ENOTDIR},
		{file + "/x", "open --root", unix.ENOTDIR},
	} {
		r := Runtime{Root: c.root}
		_, err := r.claim("a")
		if err == nil || !strings.Contains(err.Error(), c.want) || c.errno != nil && !errors.Is(err, c.errno) {
			t.Errorf("%s: got %v, want %s", c.root, err, c.want)
		}
	}
	if os.Geteuid() == 0 {
		other := filepath.Join(dir, "other")
		if err := errors.Join(os.Mkdir(other, 0o700), os.Chown(other, 1234, 1234)); err != nil {
			t.Fatal(err)
		}
		if _, err := (&Runtime{Root: other}).claim("a"); err == nil || !strings.Contains(err.Error(), "belongs to user 1234") {
			t.Errorf("got %v", err)
		}
	}
}

func TestUnknownContainer(t *testing.T) {
	for _, root := range []string{t.TempDir(), "/nonexistent/root"} {
		r := Runtime{Root: root}
		_, err := r.State("nobody")
		if err == nil || !strings.Contains(err.Error(), "does not exist") || fault.ClassOf(err) != fault.Config {
			t.Errorf("state: %v", err)
		}
		if err := r.Delete("nobody", true); err != nil {
			t.Errorf("forced delete: %v", err)
		}
		if err := r.Delete("nobody", false); !isNotExist(err) {
			t.Errorf("delete: %v", err)
		}
		if list, err := r.List(); err != nil || len(list) != 0 {
			t.Errorf("list: %v %v", list, err)
		}
	}
}

func TestRemoveLeavesWhatIsNotBrigs(t *testing.T) {
	r := Runtime{Root: t.TempDir()}
	d, err := r.claim("a")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	keep := filepath.Join(r.Root, "a", "foreign")
	if err := os.WriteFile(keep, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.remove(); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("got %v, want ENOTEMPTY", err)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Error(err)
	}
}

func TestDamagedState(t *testing.T) {
	for _, raw := range []string{"", "null", "{", `{"id":"other"}`, "\x00"} {
		r := Runtime{Root: t.TempDir()}
		d, err := r.claim("a")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.intend(intentCgroup, "/brig-test-none"); err != nil {
			t.Fatal(err)
		}
		if err := d.write(stateFile, stateTemp, []byte(raw)); err != nil {
			t.Fatal(err)
		}
		d.close()
		if _, err := r.State("a"); !errors.Is(err, unix.EBADMSG) || !strings.Contains(err.Error(), "brig delete --force") {
			t.Errorf("%q: got %v", raw, err)
		}
		if err := r.Delete("a", false); err == nil {
			t.Errorf("%q: deleted without force", raw)
		}
		if err := r.Delete("a", true); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// TestOfAnotherRuntime has directories as other runtimes leave them, in the root that an
// engine gives to all: brig shows none, and removes none however it is asked.
func TestOfAnotherRuntime(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"runc":             {stateFile: `{"id":"a","init_process_pid":7,"config":{"rootfs":"/r"}}`},
		"runc, created":    {"exec.fifo": "", stateFile: `{"id":"a","init_process_pid":7,"config":{"rootfs":"/r"}}`},
		"runc, half made":  {"exec.fifo": ""},
		"crun":             {"status": `{"pid":7}`, configFile: "{}"},
		"youki":            {stateFile: `{"ociVersion":"v1.0.2","id":"a","status":"running","pid":7,"bundle":"/b"}`, "youki_config.json": "{}"},
		"crun's own":       {"seccomp": "x"},
		"a record of none": {stateFile: "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Runtime{Root: t.TempDir(), Warn: func(text string) { t.Error(text) }}
			dir := stateOf(t, &r, files)
			if list, err := r.List(); err != nil || len(list) != 0 {
				t.Errorf("list: %v %v", list, err)
			}
			_, err := r.State("a")
			for verb, err := range map[string]error{
				"state": err, "delete": r.Delete("a", false), "delete --force": r.Delete("a", true), "kill": r.Kill("a", unix.SIGKILL, false),
			} {
				if err == nil || !strings.Contains(err.Error(), "another runtime keeps it") {
					t.Errorf("%s: %v", verb, err)
				}
			}
			for file, text := range files {
				if is, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(is) != text {
					t.Errorf("%s: %q %v", file, is, err)
				}
			}
		})
	}
}

// TestHalfMade is what a brig that was killed leaves: it is brig's own at any moment.
func TestHalfMade(t *testing.T) {
	for _, names := range []map[string]string{
		{}, {configFile: ""}, {"." + configFile: ""}, {journalFile: ""}, {journalFile: "", startSocket: "", stateTemp: ""}, {startSocket: "", configFile: ""},
	} {
		r := Runtime{Root: t.TempDir()}
		dir := stateOf(t, &r, names)
		if list, err := r.List(); err != nil || len(list) != 1 {
			t.Errorf("%q: list: %v %v", names, list, err)
		}
		if err := r.Delete("a", true); err != nil {
			t.Errorf("%q: %v", names, err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%q: it is left: %v", names, err)
		}
	}
}

// stateOf makes the directory of a container "a" with these files.
func stateOf(t *testing.T, r *Runtime, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(r.Root, "a")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWithinReturns(t *testing.T) {
	r := Runtime{Root: filepath.Join(t.TempDir(), strings.Repeat("long", 50), strings.Repeat("path", 50))}
	d, err := r.claim("a")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	was, _ := os.Getwd()
	fd, err := d.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if is, _ := os.Getwd(); is != was {
		t.Errorf("working directory %s, was %s", is, was)
	}
	if _, err := os.Lstat(filepath.Join(r.Root, "a", startSocket)); err != nil {
		t.Error(err)
	}
}
