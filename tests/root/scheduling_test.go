package root_test

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// scheduling prints the priority, nice value, real-time priority and policy of the
// payload, as /proc/PID/stat has them.
const scheduling = `sed 's/.*) //' /proc/self/stat | cut -d' ' -f16,17,38,39`

func TestScheduling(t *testing.T) {
	observe(t, []seen{
		{name: "nothing", script: scheduling, want: "20 0 0 0"},
		{name: "nice", patch: `{"process":{"scheduler":{"policy":"SCHED_OTHER","nice":-7}}}`, script: scheduling, want: "13 -7 0 0"},
		{name: "batch", patch: `{"process":{"scheduler":{"policy":"SCHED_BATCH","nice":5}}}`, script: scheduling, want: "25 5 0 3"},
		{name: "idle", patch: `{"process":{"scheduler":{"policy":"SCHED_IDLE"}}}`, script: scheduling, want: "20 0 0 5"},
		{
			name: "real time, for a user without capabilities", patch: `{"process":{"scheduler":{"policy":"SCHED_RR","priority":42},"capabilities":{},"user":{"uid":1000,"gid":1000}}}`,
			script: scheduling, want: "-43 0 42 2",
		},
		{
			// sed is a child of the shell, and the flag takes the policy from children.
			name: "real time that children have not", patch: `{"process":{"scheduler":{"policy":"SCHED_FIFO","priority":1,"flags":["SCHED_FLAG_RESET_ON_FORK"]}}}`,
			script: strings.Replace(scheduling, "self", "1", 1) + "; " + scheduling, want: "-2 0 1 1\n20 0 0 0",
		},
		{
			name: "deadline", patch: `{"process":{"scheduler":{"policy":"SCHED_DEADLINE","runtime":2000000,"deadline":20000000,"period":20000000,"flags":["SCHED_FLAG_RESET_ON_FORK"]}}}`,
			script: strings.Replace(scheduling, "self", "1", 1), want: "-101 0 0 6",
		},
		{name: "class of I/O", patch: `{"process":{"ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":0}}}`, script: "busybox ionice", want: "idle"},
		{name: "level of I/O", patch: `{"process":{"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":6}}}`, script: "busybox ionice", want: "best-effort: prio 6"},
		{name: "real-time I/O", patch: `{"process":{"ioPriority":{"class":"IOPRIO_CLASS_RT","priority":1}}}`, script: "busybox ionice", want: "realtime: prio 1"},
	})
	refuse(t, []refusal{
		{
			name: "real time in a user namespace", patch: withUserNamespace,
			make: func(b *box) { b.patch(`{"process":{"scheduler":{"policy":"SCHED_FIFO","priority":1}}}`) },
			want: []string{"/process/scheduler: set SCHED_FIFO: sched_setattr", "EPERM", "CAP_SYS_NICE on the host"},
		},
		{
			name: "real-time I/O in a user namespace", patch: withUserNamespace,
			make: func(b *box) { b.patch(`{"process":{"ioPriority":{"class":"IOPRIO_CLASS_RT","priority":1}}}`) },
			want: []string{"/process/ioPriority: set the I/O priority: ioprio_set", "EPERM", "CAP_SYS_NICE on the host"},
		},
	})
}

// It is not among the others, which would have no time left either.
func TestSchedulingWithoutTime(t *testing.T) {
	refuse(t, []refusal{{
		name: "deadline", patch: `{"process":{"scheduler":{"policy":"SCHED_DEADLINE","runtime":9000000,"deadline":10000000,"period":10000000}}}`,
		make: func(b *box) { b.hog() },
		want: []string{"/process/scheduler: set SCHED_DEADLINE: sched_setattr", "EBUSY", "kernel.sched_rt_runtime_us"},
	}})
}

// hog runs processes to which the kernel promises the time of all CPUs.
func (b *box) hog() {
	b.t.Helper()
	for range runtime.NumCPU() {
		cmd := exec.Command("chrt", "--deadline", "--sched-runtime", "9000000", "--sched-deadline", "10000000", "--sched-period", "10000000", "0", "sleep", "1000")
		must(b.t, cmd.Start())
		b.t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		b.until("a process with a deadline", func() bool {
			fields := strings.Fields(reads(b.t, fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)))
			return fields[1] == "(sleep)" && fields[40] == "6"
		})
	}
}

// policies prints the memory policies of the payload's mappings.
const policies = "cut -d' ' -f2 /proc/self/numa_maps | sort -u"

func TestMemoryPolicy(t *testing.T) {
	observe(t, []seen{
		{name: "nothing", script: policies, want: "default"},
		{name: "default", patch: `{"linux":{"memoryPolicy":{"mode":"MPOL_DEFAULT"}}}`, script: policies, want: "default"},
		{name: "bind", patch: `{"linux":{"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0"}}}`, script: policies, want: "bind:0"},
		{
			name: "static", patch: `{"linux":{"memoryPolicy":{"mode":"MPOL_INTERLEAVE","nodes":"0","flags":["MPOL_F_STATIC_NODES"]}}}`, script: policies,
			want: "interleave=static:0",
		},
		{name: "local", patch: `{"linux":{"memoryPolicy":{"mode":"MPOL_LOCAL"}}}`, script: policies, want: "local"},
		{
			name: "preferred, for a user in a user namespace", patch: withUserNamespace,
			make: func(b *box) {
				b.patch(`{"process":{"user":{"uid":1000,"gid":1000}},"linux":{"memoryPolicy":{"mode":"MPOL_PREFERRED_MANY","nodes":"0"}}}`)
			},
			script: "grep -o 'prefer (many):0' /proc/self/numa_maps | sort -u", want: "prefer (many):0",
		},
	})
	refuse(t, []refusal{{
		name: "a node that is not there", patch: `{"linux":{"memoryPolicy":{"mode":"MPOL_BIND","nodes":"1023"}}}`,
		want: []string{"/linux/memoryPolicy: set MPOL_BIND: set_mempolicy", "EINVAL", "are the nodes online"},
	}})
}

func TestPersonality(t *testing.T) {
	const script = "cat /proc/self/personality; busybox uname -m"
	machine, err := exec.Command("uname", "-m").Output()
	must(t, err)
	host := strings.TrimSpace(string(machine))
	rows := []seen{
		{name: "nothing", script: script, want: "00000000\n" + host},
		{name: "the plain one", patch: `{"linux":{"personality":{"domain":"LINUX"}}}`, script: script, want: "00000000\n" + host},
	}
	if host == "x86_64" {
		rows = append(rows, seen{
			name: "of 32 bits", patch: filterAll, make: func(b *box) { b.patch(`{"linux":{"personality":{"domain":"LINUX32"}}}`) },
			script: script, want: "00000008\ni686",
		})
	}
	observe(t, rows)
}

// schedulingOf is what the host's kernel says of how a process is scheduled, where
// it gets its memory, and what time it is for it.
func schedulingOf(t *testing.T, pid int) string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	_, stat, _ := strings.Cut(reads(t, dir+"stat"), ") ")
	fields := strings.Fields(stat)
	const whoProcess = 1
	ioprio, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, whoProcess, uintptr(pid), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	var memory []string
	for line := range strings.Lines(reads(t, dir+"numa_maps")) {
		memory = append(memory, strings.Fields(line)[1])
	}
	slices.Sort(memory)
	return fmt.Sprintf("scheduling: %s %s\nI/O priority: %#x\nmemory: %s\nclocks: %q\n",
		fields[15:17], fields[37:39], ioprio, slices.Compact(memory), reads(t, dir+"timens_offsets"))
}
