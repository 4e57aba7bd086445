package seccomp

import (
	"math/rand"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// load compiles the profile for an architecture; libseccomp adds the native one.
func load(t testing.TB, arch string) *Filter {
	t.Helper()
	f, err := Cache{}.Load(Default(arch))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func decide(t testing.TB, f *Filter, arch, name string, args ...uint64) uint32 {
	t.Helper()
	nr, ok := SyscallNumber(arch, name)
	if !ok {
		t.Fatalf("no number for %s", name)
	}
	d := Data{Nr: int32(nr), Arch: audits[arch]}
	copy(d.Args[:], args)
	ret, err := f.Evaluate(d)
	if err != nil {
		t.Fatal(err)
	}
	return ret
}

var audits = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

const (
	retAllow  = unix.SECCOMP_RET_ALLOW
	retEPERM  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func TestDefaultDecides(t *testing.T) {
	amd64, arm64 := load(t, "amd64"), load(t, "arm64")
	for _, c := range []struct {
		name string
		args []uint64
		want uint32
	}{
		{"read", nil, retAllow},
		{"execve", nil, retAllow},
		{"futex_wait", nil, retAllow},
		{"mseal", nil, retAllow},
		{"cachestat", nil, retAllow},
		{"fchmodat2", nil, retAllow},
		{"statx", nil, retAllow},
		{"exit_group", nil, retAllow},
		{"io_uring_setup", nil, retEPERM},
		{"io_uring_enter", nil, retEPERM},
		{"io_uring_register", nil, retEPERM},
		{"userfaultfd", nil, retEPERM},
		{"keyctl", nil, retEPERM},
		{"add_key", nil, retEPERM},
		{"request_key", nil, retEPERM},
		{"bpf", nil, retEPERM},
		{"perf_event_open", nil, retEPERM},
		{"unshare", []uint64{unix.CLONE_NEWUSER}, retEPERM},
		{"unshare", nil, retEPERM},
		{"setns", nil, retEPERM},
		{"mount", nil, retEPERM},
		{"open_tree", nil, retEPERM},
		{"open_tree_attr", nil, retEPERM},
		{"statmount", nil, retEPERM},
		{"listmount", nil, retEPERM},
		{"listns", nil, retEPERM},
		{"move_mount", nil, retEPERM},
		{"fsopen", nil, retEPERM},
		{"pivot_root", nil, retEPERM},
		{"chroot", nil, retEPERM},
		{"ptrace", nil, retEPERM},
		{"process_vm_readv", nil, retEPERM},
		{"kexec_load", nil, retEPERM},
		{"init_module", nil, retEPERM},
		{"finit_module", nil, retEPERM},
		{"delete_module", nil, retEPERM},
		{"open_by_handle_at", nil, retEPERM},
		{"reboot", nil, retEPERM},
		{"swapon", nil, retEPERM},
		{"acct", nil, retEPERM},
		{"settimeofday", nil, retEPERM},
		{"clock_settime", nil, retEPERM},
		{"quotactl", nil, retEPERM},
		{"lsm_set_self_attr", nil, retEPERM},
		{"file_setattr", nil, retEPERM},
		{"clone3", nil, retENOSYS},
		{"clone", []uint64{17}, retAllow},
		{"clone", []uint64{0x3d0f00}, retAllow},
		{"clone", []uint64{unix.CLONE_NEWUSER | 17}, retEPERM},
		{"clone", []uint64{unix.CLONE_NEWNET}, retEPERM},
		{"clone", []uint64{unix.CLONE_NEWCGROUP}, retEPERM},
		{"clone", []uint64{unix.CLONE_NEWNS}, retEPERM},
		{"personality", []uint64{0}, retAllow},
		{"personality", []uint64{0xffffffff}, retAllow},
		{"personality", []uint64{0x40000}, retEPERM},
		{"socket", []uint64{unix.AF_UNIX}, retAllow},
		{"socket", []uint64{unix.AF_INET6}, retAllow},
		{"socket", []uint64{unix.AF_NETLINK}, retAllow},
		{"socket", []uint64{unix.AF_ALG}, retEPERM},
		{"socket", []uint64{unix.AF_VSOCK}, retEPERM},
		{"socket", []uint64{unix.AF_PACKET}, retEPERM},
		{"ioctl", []uint64{1, unix.TCGETS}, retAllow},
		{"ioctl", []uint64{1, unix.TIOCGWINSZ}, retAllow},
		{"ioctl", []uint64{1, unix.TIOCSTI}, retEPERM},
		{"ioctl", []uint64{1, 0x541c}, retEPERM},
		{"ioctl", []uint64{1, unix.TIOCSTI | 1<<32}, retEPERM},
		{"ioctl", []uint64{1, 0x541c | 0xdead<<40}, retEPERM},
	} {
		if got := decide(t, amd64, "amd64", c.name, c.args...); got != c.want {
			t.Errorf("%s%v: got %#x, want %#x", c.name, c.args, got, c.want)
		}
		if _, ok := SyscallNumber("arm64", c.name); !ok {
			continue
		}
		if got := decide(t, arm64, "arm64", c.name, c.args...); got != c.want {
			t.Errorf("arm64 %s%v: got %#x, want %#x", c.name, c.args, got, c.want)
		}
	}
}

// Every number has a decision: what no list names is denied.
func TestDefaultIsComplete(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		f := load(t, arch)
		known := map[string]bool{}
		for _, r := range Default(arch).Syscalls {
			for _, n := range r.Names {
				known[n] = true
			}
		}
		highest := 0
		for _, e := range tableOf(arch) {
			highest = max(highest, int(e.nr))
			got := decide(t, f, arch, e.name)
			if got != retAllow && got != retEPERM && got != retENOSYS {
				t.Errorf("%s: %#x", e.name, got)
			}
			if !known[e.name] && got != retEPERM {
				t.Errorf("%s is in no list and gets %#x", e.name, got)
			}
		}
		for nr := highest + 1; nr < highest+200; nr++ {
			ret, err := f.Evaluate(Data{Nr: int32(nr), Arch: audits[arch]})
			if err != nil || ret != retENOSYS {
				t.Errorf("%d: %#x %v", nr, ret, err)
			}
		}
		for _, foreign := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, 0} {
			if ret, err := f.Evaluate(Data{Nr: 1, Arch: foreign}); err != nil || ret != unix.SECCOMP_RET_KILL_THREAD {
				t.Errorf("architecture %#x: %#x %v", foreign, ret, err)
			}
		}
	}
	f := load(t, "amd64")
	if ret, err := f.Evaluate(Data{Nr: 0x40000000 | 1, Arch: unix.AUDIT_ARCH_X86_64}); err != nil || ret == retAllow {
		t.Errorf("x32: %#x %v", ret, err)
	}
}

// The lists of what is allowed and denied are disjoint, and name nothing that no
// architecture has.
func TestDefaultLists(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range strings.Fields(allowed + denied) {
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if _, ok := SyscallNumber("amd64", name); ok {
			continue
		}
		if _, ok := SyscallNumber("arm64", name); !ok {
			t.Errorf("there is no %s", name)
		}
	}
}

// None but the two requests of a terminal is denied to ioctl.
func TestDefaultIoctl(t *testing.T) {
	f := load(t, "amd64")
	r := rand.New(rand.NewSource(1))
	for range 20000 {
		request := r.Uint64()
		if r.Intn(2) == 0 {
			request = uint64(0x5400+r.Intn(256)) | uint64(r.Intn(2))<<32
		}
		want := uint32(retAllow)
		if low := uint32(request); low == unix.TIOCSTI || low == 0x541c {
			want = retEPERM
		}
		if got := decide(t, f, "amd64", "ioctl", 0, request); got != want {
			t.Fatalf("ioctl %#x: got %#x, want %#x", request, got, want)
		}
	}
}
