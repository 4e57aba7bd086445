// compiler compiles a seccomp profile with libseccomp: a JSON profile on stdin
// becomes a JSON Result on stdout. brig embeds it and runs it when a filter is not
// in its cache.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Result is the answer. Pointer and Fault say what is wrong with the profile.
type Result struct {
	Program []byte   `json:"program,omitempty"`
	Unknown []string `json:"unknown,omitempty"` // names that libseccomp does not have
	Pointer string   `json:"pointer,omitempty"`
	Fault   string   `json:"fault,omitempty"`
}

func main() {
	var profile specs.LinuxSeccomp
	if err := json.NewDecoder(os.Stdin).Decode(&profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result := compile(&profile)
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func failed(pointer string, err error) *Result {
	return &Result{Pointer: pointer, Fault: err.Error()}
}

func compile(p *specs.LinuxSeccomp) *Result {
	// What libseccomp asks the running kernel would make the filter differ from host
	// to host. All of this level is older than the oldest kernel that brig runs on.
	if err := libseccomp.SetAPI(apiLevel); err != nil {
		return failed("", err)
	}
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return failed("", err)
	}
	c := compiler{profile: p, result: &Result{}}
	c.byDefault, err = action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return failed("/defaultAction", err)
	}
	f, fault := c.filter("", native)
	if fault != nil {
		return fault
	}
	defer f.Release()
	seen := []libseccomp.ScmpArch{native}
	for i, name := range p.Architectures {
		at := fmt.Sprintf("/architectures/%d", i)
		arch, err := architecture(name)
		if err != nil {
			return failed(at, err)
		}
		if slices.Contains(seen, arch) {
			continue
		}
		seen = append(seen, arch)
		more, fault := c.filter(at, arch)
		if fault != nil {
			return fault
		}
		if err := f.Merge(more); err != nil {
			return failed(at, err)
		}
	}
	return c.finish(f)
}

const (
	apiLevel    = 6  // user notification, of Linux 5.7 and libseccomp 2.5
	linearRules = 32 // up to here a list of comparisons is as fast as a tree
	binaryTree  = 2  // SCMP_FLTATR_CTL_OPTIMIZE
)

// finish sets what holds for all architectures, and generates the filter.
func (c *compiler) finish(f *libseccomp.ScmpFilter) *Result {
	// libseccomp 2.5 does not generate a tree for an architecture without rules.
	if c.most > linearRules && c.fewest > 0 {
		if err := f.SetOptimize(binaryTree); err != nil {
			return failed("", err)
		}
	}
	// brig sets no_new_privs itself, or holds CAP_SYS_ADMIN.
	if err := f.SetNoNewPrivsBit(false); err != nil {
		return failed("", err)
	}
	var err error
	if c.result.Program, err = export(f); err != nil {
		return failed("", err)
	}
	return c.result
}

// export reads the filter back through a pipe, which holds more than the largest
// one: libseccomp writes into memory only since 2.6.
func export(f *libseccomp.ScmpFilter) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	err = f.ExportBPF(w)
	w.Close()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
