package cgroups

import (
	"slices"
	"strconv"
	"strings"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Write is one value for one file of a cgroup.
type Write struct {
	File    string `json:"file"`
	Value   string `json:"value"`
	Pointer string `json:"pointer"` // JSON pointer of the field that asks for it
	// Optional says that the file may be missing: the value then has no meaning
	// on this kernel.
	Optional bool `json:"optional,omitempty"`
	// Lifts says that the value takes a limit back: where the controller is
	// missing there is no limit either, and nothing to write.
	Lifts bool `json:"lifts,omitempty"`
	// Instead is the write to do when the file is missing, or has no room for the value.
	Instead *Write `json:"instead,omitempty"`
}

// Controller is the name of the controller whose file is written.
func (w *Write) Controller() string {
	name, _, _ := strings.Cut(w.File, ".")
	return name
}

// writer collects writes and faults.
type writer struct {
	base   string
	writes []Write
	faults fault.List
}

func (w *writer) add(pointer, file, value string) {
	w.writes = append(w.writes, Write{File: file, Value: value, Pointer: w.base + pointer})
}

func (w *writer) addOptional(pointer, file, value string) {
	w.writes = append(w.writes, Write{File: file, Value: value, Pointer: w.base + pointer, Optional: true})
}

// addLimit adds a limit of n, or of none when it is negative.
func (w *writer) addLimit(pointer, file string, n int64) {
	w.add(pointer, file, limit(n))
	w.writes[len(w.writes)-1].Lifts = n < 0
}

func (w *writer) fault(pointer, format string, args ...any) {
	w.faults = append(w.faults, fault.Configf(w.base+pointer, format, args...))
}

// Writes turns resources into writes, in the order in which they have to be done.
// base is the JSON pointer of the resources. It looks at nothing but its
// arguments.
func Writes(r *specs.LinuxResources, base string) ([]Write, fault.List) {
	if r == nil {
		return nil, nil
	}
	w := &writer{base: base}
	if r.Memory != nil {
		w.memory(r.Memory)
	}
	if r.CPU != nil {
		w.cpu(r.CPU)
	}
	if r.Pids != nil && r.Pids.Limit != nil {
		w.pids(*r.Pids.Limit)
	}
	if r.BlockIO != nil {
		w.blockIO(r.BlockIO)
	}
	for i, h := range r.HugepageLimits {
		w.hugepages(i, &h)
	}
	w.rdma(r.Rdma)
	if n := r.Network; n != nil && (n.ClassID != nil && *n.ClassID != 0 || len(n.Priorities) > 0) {
		w.fault("/network", "cgroup v2 has no network controller")
	}
	w.unified(r.Unified)
	return w.writes, w.faults
}

func limit(n int64) string {
	if n < 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// pids takes 0 as 1, as runc does: a group that must hold init cannot hold none.
func (w *writer) pids(n int64) {
	if n == 0 {
		n = 1
	}
	w.addLimit("/pids/limit", "pids.max", n)
}

// hugepages limits the pages in use, and the reserved ones where the kernel
// counts them: a page that is reserved and not there ends in SIGBUS.
func (w *writer) hugepages(i int, h *specs.LinuxHugepageLimit) {
	pointer := "/hugepageLimits/" + strconv.Itoa(i)
	if !plain(h.Pagesize) {
		w.fault(pointer+"/pageSize", "%q is no page size", h.Pagesize)
		return
	}
	value := strconv.FormatUint(h.Limit, 10)
	w.add(pointer, "hugetlb."+h.Pagesize+".max", value)
	w.addOptional(pointer, "hugetlb."+h.Pagesize+".rsvd.max", value)
}

// plain holds a word that becomes part of a file name to letters and digits
// (GHSA-5g49-rx9x-qfc6).
func plain(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

func (w *writer) rdma(devices map[string]specs.LinuxRdma) {
	for _, name := range sortedKeys(devices) {
		pointer := fault.Pointer("/rdma", name)
		if name == "" || strings.ContainsAny(name, " \t\n=/\x00") {
			w.fault(pointer, "%q is no device name", name)
			continue
		}
		line := name
		if n := devices[name].HcaHandles; n != nil {
			line += " hca_handle=" + strconv.FormatUint(uint64(*n), 10)
		}
		if n := devices[name].HcaObjects; n != nil {
			line += " hca_object=" + strconv.FormatUint(uint64(*n), 10)
		}
		if line != name {
			w.add(pointer, "rdma.max", line)
		}
	}
}

// unified comes last: it overrides what the other fields say. A value of several
// lines is several writes.
func (w *writer) unified(files map[string]string) {
	for _, name := range sortedKeys(files) {
		pointer := fault.Pointer("/unified", name)
		if !ValidFile(name) {
			w.fault(pointer, "%q is no file of a cgroup controller", name)
			continue
		}
		if strings.ContainsRune(files[name], 0) {
			w.fault(pointer, "the value %q has a NUL character", files[name])
			continue
		}
		for _, line := range strings.Split(files[name], "\n") {
			if line != "" {
				w.add(pointer, name, line)
			}
		}
	}
}

// ValidFile says whether a name can be that of a controller's file: a controller,
// a dot, and more. Whatever leads elsewhere is none. Of the files that every
// cgroup has only the two limits are: the others move, kill, or stop processes, or
// take the group apart.
func ValidFile(name string) bool {
	controller, rest, ok := strings.Cut(name, ".")
	if !ok || rest == "" || !lowercase(controller) {
		return false
	}
	if controller == "cgroup" {
		return rest == "max.depth" || rest == "max.descendants"
	}
	for _, c := range rest {
		if !plain(string(c)) && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// lowercase says that a word is of the letters of a controller's name.
func lowercase(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
