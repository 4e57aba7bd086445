package seccomp

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func profileOf(t testing.TB, text string) *specs.LinuxSeccomp {
	t.Helper()
	p := &specs.LinuxSeccomp{}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// docker is a profile of the shape and size that Docker gives a container.
func docker(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	text, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	return profileOf(t, string(text))
}

func TestDockerProfile(t *testing.T) {
	if nativeABI().arch != "amd64" {
		t.Skip("the expectations are those of amd64")
	}
	f, err := Cache{}.Load(docker(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d instructions", len(f.Program)/insnSize)
	const x86, x64 = unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_X86_64
	for _, c := range []struct {
		audit uint32
		nr    int32
		args  [6]uint64
		want  string
	}{
		{x64, unix.SYS_READ, [6]uint64{}, "ALLOW"},
		{x64, unix.SYS_MOUNT, [6]uint64{}, "ERRNO 1"},
		{x64, unix.SYS_BPF, [6]uint64{}, "ERRNO 1"},
		{x64, unix.SYS_IO_URING_SETUP, [6]uint64{}, "ERRNO 1"},
		{x64, unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}, "ALLOW"},
		{x64, unix.SYS_CLONE, [6]uint64{unix.CLONE_NEWUSER}, "ERRNO 1"},
		{x64, unix.SYS_CLONE3, [6]uint64{}, "ERRNO 38"},
		{x64, unix.SYS_PERSONALITY, [6]uint64{0x20008}, "ALLOW"},
		{x64, unix.SYS_PERSONALITY, [6]uint64{0x20009}, "ERRNO 1"},
		{x64, unix.SYS_SOCKET, [6]uint64{unix.AF_INET}, "ALLOW"},
		{x64, unix.SYS_SOCKET, [6]uint64{unix.AF_VSOCK}, "ERRNO 1"},
		{x64, unix.SYS_SOCKET, [6]uint64{unix.AF_VSOCK | 1<<32}, "ALLOW"}, // the profile's, not the filter's mistake
		// libseccomp 2.5 has no names for these.
		{x64, 335, [6]uint64{}, "ALLOW"}, // uretprobe
		{x64, unix.SYS_MSEAL, [6]uint64{}, "ALLOW"},
		{x64, unix.SYS_REMOVEXATTRAT, [6]uint64{}, "ALLOW"},
		{x64, unix.SYS_STATMOUNT, [6]uint64{}, "ERRNO 1"},
		// Above the highest that the profile names.
		{x64, unix.SYS_OPEN_TREE_ATTR, [6]uint64{}, "ERRNO 38"},
		{x64, 5000, [6]uint64{}, "ERRNO 38"},
		{x64, -1, [6]uint64{}, "ERRNO 38"}, // above all of x32
		{x64, x32Bit + 0, [6]uint64{}, "ALLOW"},
		{x64, x32Bit + 520, [6]uint64{}, "ALLOW"}, // execve of x32
		{x64, x32Bit + 466, [6]uint64{}, "ALLOW"},
		{x64, x32Bit + 467, [6]uint64{}, "ERRNO 38"},
		{x64, x32Bit + 548, [6]uint64{}, "ERRNO 38"},
		{x86, 3, [6]uint64{}, "ALLOW"},
		{x86, 102, [6]uint64{}, "ALLOW"}, // socketcall
		{x86, 21, [6]uint64{}, "ERRNO 1"},
		{x86, 462, [6]uint64{}, "ALLOW"},
		{x86, 467, [6]uint64{}, "ERRNO 38"},
		{unix.AUDIT_ARCH_AARCH64, 0, [6]uint64{}, "KILL_THREAD"},
	} {
		ret, err := f.Evaluate(Data{Nr: c.nr, Arch: c.audit, Args: c.args})
		if got := returned(ret); err != nil || got != c.want {
			t.Errorf("%#x %d %v: got %s %v, want %s", c.audit, c.nr, c.args, got, err, c.want)
		}
	}
}

// The stub in front of libseccomp's filter, word for word.
func TestStub(t *testing.T) {
	if nativeABI().arch != "amd64" {
		t.Skip("the expectations are those of amd64")
	}
	for _, c := range []struct {
		name, profile string
		names         []string
		want          string
	}{
		{"no names", `{"defaultAction": "SCMP_ACT_ERRNO"}`, nil, `
   0  load arch`},
		{"unknown runs anyway", rules(`{"names": ["read"], "action": "SCMP_ACT_KILL"}`), nil, `
   0  load arch`},
		{"newer", `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]}`, nil, `
   0  load arch
   1  if == 0xc000003e goto 3 else 2
   2  goto 8
   3  load nr
   4  if >= 0x40000000 goto 7 else 5
   5  if > 0x1 goto 6 else 7
   6  return ERRNO 38
   7  load arch`},
		{"by number", rules(`{"names": ["mseal"], "action": "SCMP_ACT_KILL"}, {"names": ["listns"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 4294967298, "op": "SCMP_CMP_GT"}]}`), []string{"mseal", "listns", "mseal", "no_such_call"}, `
   0  load arch
   1  if == 0xc000003e goto 3 else 2
   2  goto 17
   3  load nr
   4  if >= 0x1ce goto 6 else 5
   5  goto 16
   6  if == 0x1ce goto 7 else 8
   7  return KILL_THREAD
   8  if == 0x1d6 goto 9 else 16
   9  load arg 1, upper half
  10  if > 0x1 goto 14 else 11
  11  if == 0x1 goto 12 else 15
  12  load arg 1, lower half
  13  if > 0x2 goto 14 else 15
  14  return ERRNO 1
  15  return ALLOW
  16  load arch`},
	} {
		p := profileOf(t, c.profile)
		f := Filter{Program: stub(p, c.names)}
		if got := "\n" + strings.TrimSpace(text(&f)); got != strings.Replace(c.want, "   0", "0", 1) {
			t.Errorf("%s: got%s\nwant%s", c.name, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		profile  string
		flags    uint64
		listener bool
	}{
		{`{"defaultAction": "SCMP_ACT_ALLOW"}`, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, false},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "flags": []}`, 0, false},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_TSYNC"]}`, 0, false},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}`, 6, false},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}`, 0, false},
		{
			`{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "listenerPath": "/x",
			"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}`, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true,
		},
	} {
		f, err := Cache{}.Load(profileOf(t, c.profile))
		if err != nil || f.Flags != c.flags || f.Listener != c.listener {
			t.Errorf("%s: got %+v %v", c.profile, f, err)
		}
	}
}
