package spec

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestValidID(t *testing.T) {
	for _, id := range []string{"a", "0", "a.b", "...", "a_b+c-d.E", "-x", ".x", "x.", strings.Repeat("a", 255)} {
		if f := ValidID(id); f != nil {
			t.Errorf("%q: %v", id, f)
		}
	}
	for id, want := range map[string]string{
		"":                       "container id cannot be empty",
		".":                      `invalid container ID format: "."`,
		"..":                     `invalid container ID format: ".."`,
		"a/b":                    `invalid container ID format: "a/b"`,
		"/":                      `invalid container ID format: "/"`,
		"../a":                   `invalid container ID format: "../a"`,
		"a b":                    `invalid container ID format: "a b"`,
		"a\n":                    `invalid container ID format: "a\n"`,
		"a\x00":                  `invalid container ID format: "a\x00"`,
		"ä":                      `invalid container ID format: "ä"`,
		"a:b":                    `invalid container ID format: "a:b"`,
		"a@b":                    `invalid container ID format: "a@b"`,
		"\xff":                   `invalid container ID format: "\xff"`,
		"%s":                     `invalid container ID format: "%s"`,
		strings.Repeat("a", 256): "invalid container ID format: 256 characters are more than 255",
	} {
		if f := ValidID(id); f == nil || f.Error() != want {
			t.Errorf("%q: %v", id, f)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for name, want := range map[string]uint{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_SETPCAP": unix.CAP_SETPCAP, "CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN,
		"CAP_MKNOD": unix.CAP_MKNOD, "CAP_SETFCAP": unix.CAP_SETFCAP, "CAP_SYSLOG": unix.CAP_SYSLOG, "CAP_AUDIT_READ": unix.CAP_AUDIT_READ,
		"CAP_BPF": unix.CAP_BPF, "CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE,
	} {
		if n, ok := CapabilityNumber(name); !ok || n != want || CapabilityName(n) != name {
			t.Errorf("%s is %d, not %d", name, n, want)
		}
	}
	if last := uint(unix.CAP_LAST_CAP); CapabilityName(last) == "" || CapabilityName(last+1) != "" {
		t.Errorf("the names do not end at the last capability, %d", last)
	}
	for _, name := range []string{"", "CHOWN", "cap_chown", "CAP_", "CAP_ALL"} {
		if n, ok := CapabilityNumber(name); ok {
			t.Errorf("%q is %d", name, n)
		}
	}
}

func TestRlimits(t *testing.T) {
	for name, want := range map[string]int{
		"RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_NPROC": unix.RLIMIT_NPROC,
		"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS,
		"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE,
		"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME, "RLIMIT_RSS": unix.RLIMIT_RSS,
		"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_STACK": unix.RLIMIT_STACK,
	} {
		if n, ok := RlimitNumber(name); !ok || n != want {
			t.Errorf("%s is %d, not %d", name, n, want)
		}
	}
	for _, name := range []string{"", "NOFILE", "rlimit_cpu", "RLIMIT_", "RLIMIT_X"} {
		if n, ok := RlimitNumber(name); ok {
			t.Errorf("%q is %d", name, n)
		}
	}
}

func TestSysctlPath(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.ip_forward":               "net/ipv4/ip_forward",
		"net/ipv4/ip_forward":               "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/1.rp_filter":    "net/ipv4/conf/eth0.1/rp_filter",
		"net/ipv4/conf/eth0.1/rp_filter":    "net/ipv4/conf/eth0.1/rp_filter",
		"net.ipv4.conf.br-0a_B.forwarding":  "net/ipv4/conf/br-0a_B/forwarding",
		"kernel.shm_rmid_forced":            "kernel/shm_rmid_forced",
		"a.b":                               "a/b",
		"a." + strings.Repeat("b", 253):     "a/" + strings.Repeat("b", 253),
		"net.ipv4.conf.all.accept_redirect": "net/ipv4/conf/all/accept_redirect",
	} {
		if got, ok := SysctlPath(key); !ok || got != want {
			t.Errorf("%q is %q, %t", key, got, ok)
		}
	}
	for _, key := range []string{
		"", "a", ".", "/", "..", "a.", ".a", "/a", "a/", "a..b", "a//b", "a/../b", "a./b", "a/.b", "a/./b", "a.b/", "a.b.",
		"a.b/../c", "a/b/..", "a.b\n", "a.b\x00", "a b.c", "a.b=c", "a.b+c.d", "a.b,c.d", "a.b;c", "a.b:c", "a.b*", `a\b.c`, "a.ä", "a.b%",
		"a." + strings.Repeat("b", 254),
	} {
		if got, ok := SysctlPath(key); ok {
			t.Errorf("%q is %q", key, got)
		}
	}
}

// Whatever the spelling, a path stays below /proc/sys and reads back as itself.
func FuzzSysctlPath(f *testing.F) {
	for _, s := range []string{"net.ipv4.conf.eth0/1.x", "net/a.b/c", "a/../b", "a..b", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name, ok := SysctlPath(key)
		if !ok {
			return
		}
		for _, part := range strings.Split(name, "/") {
			if part == "" || strings.Trim(part, ".") == "" || part[0] == '.' {
				t.Errorf("%q is %q", key, name)
			}
		}
		if again, ok := SysctlPath(name); !ok || again != name {
			t.Errorf("%q is %q, which is %q, %t", key, name, again, ok)
		}
	})
}
