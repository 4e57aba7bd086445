package seccomp

import (
	"math/rand"
	"testing"

	"golang.org/x/sys/unix"
)

func load(t testing.TB) *Filter {
	t.Helper()
	f, err := Cache{}.Load(Default("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func decide(t testing.TB, f *Filter, name string, args ...uint64) uint32 {
	t.Helper()
	nr, ok := SyscallNumber("amd64", name)
	if !ok {
		t.Fatalf("no number for %s", name)
	}
	d := Data{Nr: int32(nr), Arch: unix.AUDIT_ARCH_X86_64}
	copy(d.Args[:], args)
	ret, err := f.Evaluate(d)
	if err != nil {
		t.Fatal(err)
	}
	return ret
}

const (
	retAllow  = unix.SECCOMP_RET_ALLOW
	retEPERM  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func TestDefaultDecides(t *testing.T) {
	f := load(t)
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
		if got := decide(t, f, c.name, c.args...); got != c.want {
			t.Errorf("%s%v: got %#x, want %#x", c.name, c.args, got, c.want)
		}
	}
}

// Every number has a decision, and none but the two requests of a terminal is
// denied to ioctl.
func TestDefaultIsComplete(t *testing.T) {
	f := load(t)
	known := map[string]bool{}
	p := Default("amd64")
	for _, r := range p.Syscalls {
		for _, n := range r.Names {
			known[n] = true
		}
	}
	highest := 0
	for _, e := range tableAMD64 {
		highest = max(highest, int(e.nr))
		got := decide(t, f, e.name)
		if got != retAllow && got != retEPERM && got != retENOSYS {
			t.Errorf("%s: %#x", e.name, got)
		}
		if !known[e.name] && got != retEPERM {
			t.Errorf("%s is in no list and gets %#x", e.name, got)
		}
	}
	for nr := highest + 1; nr < highest+200; nr++ {
		ret, err := f.Evaluate(Data{Nr: int32(nr), Arch: unix.AUDIT_ARCH_X86_64})
		if err != nil || ret != retENOSYS {
			t.Errorf("%d: %#x %v", nr, ret, err)
		}
	}
	for _, arch := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, 0} {
		if ret, err := f.Evaluate(Data{Nr: 1, Arch: arch}); err != nil || ret != unix.SECCOMP_RET_KILL_THREAD {
			t.Errorf("architecture %#x: %#x %v", arch, ret, err)
		}
	}
	if ret, err := f.Evaluate(Data{Nr: 0x40000000 | 1, Arch: unix.AUDIT_ARCH_X86_64}); err != nil || ret == retAllow {
		t.Errorf("x32: %#x %v", ret, err)
	}
	r := rand.New(rand.NewSource(1))
	for range 200000 {
		request := r.Uint64()
		if r.Intn(2) == 0 {
			request = uint64(0x5400 + r.Intn(256))
		}
		want := uint32(retAllow)
		if low := uint32(request); low == unix.TIOCSTI || low == 0x541c {
			want = retEPERM
		}
		if got := decide(t, f, "ioctl", 0, request); got != want {
			t.Fatalf("ioctl %#x: got %#x, want %#x", request, got, want)
		}
	}
}
