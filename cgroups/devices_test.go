package cgroups

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rulesOf reads rules as cgroup v1 wrote them: "allow c 1:* rw", one a line.
func rulesOf(t testing.TB, text string) []specs.LinuxDeviceCgroup {
	var rules []specs.LinuxDeviceCgroup
	for _, line := range strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == ';' }) {
		f := strings.Fields(line)
		if len(f) != 4 {
			t.Fatalf("%q is no rule", line)
		}
		major, minor, _ := strings.Cut(f[2], ":")
		r := specs.LinuxDeviceCgroup{Allow: f[0] == "allow", Type: f[1], Access: strings.Trim(f[3], "-")}
		r.Major, r.Minor = numberOf(t, major), numberOf(t, minor)
		rules = append(rules, r)
	}
	return rules
}

func numberOf(t testing.TB, s string) *int64 {
	if s == "*" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return &n
}

func requestOf(t testing.TB, text string) request {
	f := strings.Fields(text)
	major, minor, _ := strings.Cut(f[1], ":")
	q := request{kind: devChar, major: uint32(*numberOf(t, major)), minor: uint32(*numberOf(t, minor))}
	if f[0] == "b" {
		q.kind = devBlock
	}
	for _, c := range f[2] {
		q.access |= 1 << strings.IndexRune("mrw", c)
	}
	return q
}

// TestDeviceProgram is class I1 of attacks: whatever the list is, what it does not
// allow is denied.
func TestDeviceProgram(t *testing.T) {
	for _, c := range []struct{ name, rules, allowed, denied string }{
		{"no rules", "", "c 1:3 rwm;c 5:2 rw;c 136:7 rw;b 8:0 m;c 10:200 m", "c 1:1 r;c 1:11 r;b 8:0 r;c 10:200 r;c 10:229 w;c 5:1 rw"},
		{"one allowed", "allow c 10:200 rw", "c 10:200 r;c 10:200 rw;c 1:3 rw", "c 10:200 rwm;c 10:201 r;c 11:200 r;b 10:200 r;b 8:0 r"},
		{"one denied", "deny b 8:0 rwm", "b 8:0 m;c 1:5 r", "b 8:0 r;b 8:1 r;c 1:1 r"},
		{"deny all first", "deny a *:* rwm;allow c 1:11 r", "c 1:11 r", "c 1:11 w;c 1:11 rw;c 1:1 r"},
		{"deny all last", "allow c 1:11 r;deny a *:* rwm", "c 1:3 rw", "c 1:11 r;c 1:1 r"},
		{"allow all, then deny one", "allow a *:* rwm;deny b 8:0 rw", "b 8:1 rwm;b 8:0 m;c 1:1 rw", "b 8:0 r;b 8:0 rm;b 8:0 w"},
		{"allow all last", "deny c 1:1 rwm;allow a *:* rwm", "c 1:1 rwm;b 8:0 rwm", ""},
		{"all of a major number", "allow b 8:* r", "b 8:0 r;b 8:77 r", "b 8:0 w;b 9:0 r;c 8:0 r"},
		{"all of a minor number", "allow c *:9 w", "c 7:9 w", "c 7:8 w;b 7:9 w;c 7:9 r"},
		{"both types", "allow a 8:0 r", "c 8:0 r;b 8:0 r", "c 8:1 r;b 8:0 w"},
		{"all of a type", "allow b *:* rw", "b 8:0 rw;b 259:1 r", "c 8:0 r"},
		{"some access to all", "allow a *:* r", "b 8:0 r;c 1:1 r", "b 8:0 w;b 8:0 rw"},
		{"taken back", "allow b 8:0 rwm;deny b 8:0 w", "b 8:0 r;b 8:0 m", "b 8:0 w;b 8:0 rw"},
		{"taken back by a wider one", "allow b 8:0 rw;allow b 8:1 r;deny b 8:* r", "b 8:0 w", "b 8:0 r;b 8:1 r"},
		{"added to", "allow b 8:0 r;allow b 8:0 w", "b 8:0 rw", "b 9:0 r"},
		{"given back", "allow a *:* rwm;deny b 8:0 rw;allow b 8:0 r", "b 8:0 r", "b 8:0 w"},
		{"unbuffered is char", "allow u 10:200 r", "c 10:200 r", "b 10:200 r"},
		{"a denied default device is given back", "allow a *:* rwm;deny c 1:3 rwm", "c 1:3 rwm", ""},
		{"great numbers", "allow c 2147483647:2147483647 r", "c 2147483647:2147483647 r", "c 2147483647:0 r"},
	} {
		program, err := DeviceProgram(rulesOf(t, c.rules))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for verdict, requests := range map[bool]string{true: c.allowed, false: c.denied} {
			for _, text := range strings.FieldsFunc(requests, func(c rune) bool { return c == ';' }) {
				if got := ask(t, program, requestOf(t, text)); got != verdict {
					t.Errorf("%s: %s is allowed: %v", c.name, text, got)
				}
			}
		}
	}
}

// ask is the answer of a program, or of none, which allows everything.
func ask(t testing.TB, program []byte, q request) bool {
	if program == nil {
		return true
	}
	allowed, err := interpret(program, q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return allowed
}

func TestDeviceProgramOfAllowAllIsNone(t *testing.T) {
	for _, rules := range []string{"allow a *:* rwm", "allow b 8:0 r;allow a *:* rwm", "allow a *:* rwm;deny c 1:3 r"} {
		if program, err := DeviceProgram(rulesOf(t, rules)); program != nil || err != nil {
			t.Errorf("%s: a program of %d bytes, %v", rules, len(program), err)
		}
	}
}

func TestDeviceErrors(t *testing.T) {
	for _, c := range []struct{ name, rules, want string }{
		{"type", "allow x 1:3 rwm", `/linux/resources/devices/0/type: "x" is not a, b, c or u`},
		{"fifo", "allow a *:* r;allow p 1:3 rwm", `/linux/resources/devices/1/type: "p" is not a, b, c or u`},
		{"major", "allow c -2:3 rwm", `/linux/resources/devices/0/major: -2 is no device number`},
		{"minor", "allow c 1:2147483648 rwm", `/linux/resources/devices/0/minor: 2147483648 is no device number`},
		{"access", "allow c 1:3 rx", `/linux/resources/devices/0/access: "rx" has other letters than r, w and m`},
		{"no access", "allow c 1:3 -", `/linux/resources/devices/0/access: is empty or missing`},
		{"hole", "allow b 8:* rw;deny b 8:0 w", `/linux/resources/devices/1: takes back a part of what an earlier rule says, which a list of device rules cannot`},
		{"hole in all", "allow a *:* r;deny c 1:1 r", `/linux/resources/devices/1: takes back a part of what an earlier rule says, which a list of device rules cannot`},
		{"crossing", "allow b *:3 w;deny b 8:* w", `/linux/resources/devices/1: takes back a part of what an earlier rule says, which a list of device rules cannot`},
		{"types", "allow a 8:0 w;deny b 8:0 w", `/linux/resources/devices/1: takes back a part of what an earlier rule says, which a list of device rules cannot`},
		{"hole in a denial", "allow a *:* rwm;deny b *:* w;allow b 8:0 w", `/linux/resources/devices/2: takes back a part of what an earlier rule says, which a list of device rules cannot`},
		{"default", "allow a *:* rwm;deny c 5:* rw", `/linux/resources/devices: a rule denies character device 5:0, which every container may use, together with others (deny those others one by one)`},
		{"too many", strings.Repeat("allow b 8:0 r\n", maxDevices+1), `/linux/resources/devices: 1001 rules are more than 1000`},
	} {
		program, err := DeviceProgram(rulesOf(t, c.rules))
		if err == nil || err.Error() != c.want || program != nil {
			t.Errorf("%s: %v\nwant: %s", c.name, err, c.want)
		}
	}
}

// Rules of the fuzzer are drawn from few devices, so that they meet.
const (
	fewKinds    = "abc"
	fewAccesses = 7
)

func fewNumbers() []int64 { return []int64{anyNumber, 0, 1, 5, 136, 1 << 20} }

// drawRules makes rules of bytes: four for each.
func drawRules(data []byte) []specs.LinuxDeviceCgroup {
	numbers := fewNumbers()
	var rules []specs.LinuxDeviceCgroup
	for ; len(data) >= 4; data = data[4:] {
		major, minor := numbers[int(data[1])%len(numbers)], numbers[int(data[2])%len(numbers)]
		access := ""
		for i, letter := range "mrw" {
			if (int(data[3])%fewAccesses+1)&(1<<i) != 0 {
				access += string(letter)
			}
		}
		rules = append(rules, specs.LinuxDeviceCgroup{
			Allow: data[0]&1 != 0, Type: string(fewKinds[int(data[0]>>1)%len(fewKinds)]), Major: &major, Minor: &minor, Access: access,
		})
	}
	return rules
}

// naive answers for one letter of access: the last rule that matches decides, with
// the default devices as the last rules.
func naive(rules []specs.LinuxDeviceCgroup, q request) bool {
	for _, d := range slices.Backward(defaultDevices[:]) {
		if d.kind == q.kind && (d.major == anyNumber || uint32(d.major) == q.major) && (d.minor == anyNumber || uint32(d.minor) == q.minor) && d.access&q.access != 0 {
			return true
		}
	}
	for _, r := range slices.Backward(rules) {
		kind := map[string]int{"a": q.kind, "b": devBlock, "c": devChar}[r.Type]
		if kind == q.kind && (*r.Major == anyNumber || uint32(*r.Major) == q.major) && (*r.Minor == anyNumber || uint32(*r.Minor) == q.minor) &&
			strings.ContainsRune(r.Access, rune(" mr w"[q.access])) {
			return r.Allow
		}
	}
	return false
}

// compareWithNaive asks about every device that the rules can tell apart.
func compareWithNaive(t *testing.T, rules []specs.LinuxDeviceCgroup) {
	program, err := DeviceProgram(rules)
	if err != nil {
		return
	}
	for _, major := range []uint32{0, 1, 5, 136, 1 << 20, 77} {
		for _, minor := range []uint32{0, 1, 5, 136, 1 << 20, 77} {
			for _, kind := range []int{devBlock, devChar} {
				compareDevice(t, rules, program, request{kind: kind, major: major, minor: minor})
			}
		}
	}
}

// compareDevice compares letter by letter. Several letters at once are never
// allowed unless each is, and one of them denied denies them all.
func compareDevice(t *testing.T, rules []specs.LinuxDeviceCgroup, program []byte, q request) {
	allowed := 0
	for _, letter := range []int{accMknod, accRead, accWrite} {
		q.access = letter
		want := naive(rules, q)
		if want {
			allowed |= letter
		}
		if got := ask(t, program, q); got != want {
			t.Fatalf("%+v is allowed: %v, want %v; rules: %s", q, got, want, spell(rules))
		}
	}
	for q.access = 1; q.access <= accAll; q.access++ {
		if ask(t, program, q) && q.access&^allowed != 0 {
			t.Fatalf("%+v is allowed, but one by one only %d; rules: %s", q, allowed, spell(rules))
		}
	}
}

func spell(rules []specs.LinuxDeviceCgroup) string {
	var s []string
	for _, r := range rules {
		s = append(s, fmt.Sprintf("%v %s %d:%d %s", r.Allow, r.Type, *r.Major, *r.Minor, r.Access))
	}
	return strings.Join(s, "; ")
}

func TestDeviceProgramAgainstNaive(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 2000 {
		data := make([]byte, 4*random.IntN(7))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		rules := drawRules(data)
		if _, err := DeviceProgram(rules); err == nil {
			accepted++
		}
		compareWithNaive(t, rules)
	}
	if accepted < 500 {
		t.Errorf("only %d lists of rules were accepted: this compares too little", accepted)
	}
}

func FuzzDeviceProgram(f *testing.F) {
	f.Add([]byte{0, 0, 0, 6, 1, 1, 2, 3, 3, 0, 1, 2})
	f.Add([]byte{1, 0, 0, 6, 2, 1, 2, 3, 3, 1, 2, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 80 {
			data = data[:80]
		}
		compareWithNaive(t, drawRules(data))
	})
}
