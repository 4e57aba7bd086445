package main

import (
	"io"
	"os"
	"strconv"
	"strings"

	"brig/libcontainer/fault"
	"brig/libcontainer/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func updateCommand() *command {
	return &command{
		name:  "update",
		usage: "change the limits of a container",
		args:  "ID",
		description: "The limits are those of the flags, or with --resources those of a file with the\n" +
			"JSON of /linux/resources; - is the standard input. Amounts of memory take k, m, g\n" +
			"and t, by 1024; -1 is no limit. If one limit cannot be changed, all stay.",
		flags: []option{
			text("resources", "", "`FILE` with the resources as JSON, or -", "r"),
			text("blkio-weight", "", "weight of block I/O, 10 to 1000"),
			text("cpu-period", "", "period of the CPU quota in `µs`"),
			text("cpu-quota", "", "CPU time in a period in `µs`"),
			text("cpu-burst", "", "CPU time that may be saved up in `µs`"),
			text("cpu-share", "", "relative weight of CPU time"),
			text("cpu-idle", "", "1 for the idle class, 0 for none"),
			text("cpu-rt-period", "", "refused: cgroup v2 has no realtime scheduling"),
			text("cpu-rt-runtime", "", "refused: cgroup v2 has no realtime scheduling"),
			text("cpuset-cpus", "", "`LIST` of CPUs"),
			text("cpuset-mems", "", "`LIST` of memory nodes"),
			text("memory", "", "limit of memory"),
			text("memory-reservation", "", "memory that is protected"),
			text("memory-swap", "", "limit of memory and swap together"),
			text("kernel-memory", "", "ignored: cgroup v2 has no limit of kernel memory"),
			text("kernel-memory-tcp", "", "ignored: cgroup v2 has no limit of TCP buffers"),
			text("pids-limit", "", "limit of processes"),
			text("l3-cache-schema", "", "`SCHEMA` of the L3 cache for the class of service"),
			text("mem-bw-schema", "", "`SCHEMA` of memory bandwidth for the class of service"),
		},
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			resources, err := resourcesOf(c)
			if err != nil {
				return err
			}
			rdt := &specs.LinuxIntelRdt{L3CacheSchema: c.text("l3-cache-schema"), MemBwSchema: c.text("mem-bw-schema")}
			return runtime(c).Update(id, resources, rdt)
		},
	}
}

func resourcesOf(c *call) (*specs.LinuxResources, error) {
	if name := c.text("resources"); name != "" {
		return resourcesFrom(c, name)
	}
	for _, name := range [...]string{"kernel-memory", "kernel-memory-tcp"} {
		if c.text(name) != "" {
			warn(c, "--"+name+": cgroup v2 has no such limit, ignored")
		}
	}
	f := updateFlags{c: c}
	r := &specs.LinuxResources{
		CPU: &specs.LinuxCPU{
			Period: f.unsigned("cpu-period"), Quota: f.signed("cpu-quota"), Burst: f.unsigned("cpu-burst"),
			Shares: f.unsigned("cpu-share"), Idle: f.signed("cpu-idle"),
			RealtimePeriod: f.unsigned("cpu-rt-period"), RealtimeRuntime: f.signed("cpu-rt-runtime"),
			Cpus: c.text("cpuset-cpus"), Mems: c.text("cpuset-mems"),
		},
		Memory: &specs.LinuxMemory{Limit: f.amount("memory"), Reservation: f.amount("memory-reservation"), Swap: f.amount("memory-swap")},
	}
	if n := f.signed("pids-limit"); n != nil {
		r.Pids = &specs.LinuxPids{Limit: n}
	}
	if n := f.unsigned("blkio-weight"); n != nil {
		if *n > 1000 {
			f.fail("blkio-weight")
		}
		weight := uint16(*n)
		r.BlockIO = &specs.LinuxBlockIO{Weight: &weight}
	}
	return r, f.err
}

func resourcesFrom(c *call, name string) (*specs.LinuxResources, error) {
	var r *specs.LinuxResources
	var warnings []string
	var err error
	if name == "-" {
		text, e := io.ReadAll(io.LimitReader(os.Stdin, spec.MaxConfig+1))
		if e != nil {
			return nil, fault.Hostf("", e, "read the resources")
		}
		r, warnings, err = spec.ParseResources(text)
	} else {
		r, warnings, err = spec.LoadResources(name)
	}
	for _, w := range warnings {
		warn(c, w)
	}
	return r, err
}

// updateFlags reads the numbers of the flags, and keeps the first fault.
type updateFlags struct {
	c   *call
	err error
}

func (f *updateFlags) fail(name string) {
	if f.err == nil {
		f.err = fault.Configf("", "--%s: invalid value %q", name, f.c.text(name))
	}
}

func (f *updateFlags) unsigned(name string) *uint64 {
	return number64(f, name, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
}

func (f *updateFlags) signed(name string) *int64 {
	return number64(f, name, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

func (f *updateFlags) amount(name string) *int64 { return number64(f, name, parseAmount) }

func number64[T int64 | uint64](f *updateFlags, name string, parse func(string) (T, error)) *T {
	value := f.c.text(name)
	if value == "" {
		return nil
	}
	n, err := parse(value)
	if err != nil {
		f.fail(name)
		return nil
	}
	return &n
}

// parseAmount reads an amount of memory: bytes, or with k, m, g, t or p, and b or ib
// after it, powers of 1024.
func parseAmount(text string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	if s == "-1" {
		return -1, nil
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "b"), "i")
	shift := 0
	if s != "" {
		if i := strings.IndexByte("kmgtp", s[len(s)-1]); i >= 0 {
			shift, s = 10*(i+1), strings.TrimSpace(s[:len(s)-1])
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)>>shift {
		return 0, strconv.ErrRange
	}
	return n << shift, nil
}
