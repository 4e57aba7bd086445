package systemd

import (
	"fmt"
	"strings"
	"testing"

	"brig/cgroups"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestNewUnit(t *testing.T) {
	for _, c := range []struct {
		path string
		user bool
		want string
	}{
		{"", false, "brig-id.scope in system.slice"},
		{"", true, "brig-id.scope in user.slice"},
		{"machine.slice:libpod:0123", false, "libpod-0123.scope in machine.slice"},
		{"::name", false, "name.scope in system.slice"},
		{":cri-containerd:abc", true, "cri-containerd-abc.scope in user.slice"},
		{"kubepods-burstable-pod1.slice:cri:c", false, "cri-c.scope in kubepods-burstable-pod1.slice"},
		{"/a/b", false, "! is not of the form SLICE:PREFIX:NAME"},
		{"a:b", false, "! is not of the form"},
		{"a.slice:b:", false, "! is not of the form"},
		{"a:b:c", false, "! is no slice"},
		{"a.slice:b/c:d", false, "! cannot be the name of a unit"},
		{"../a.slice:b:c", false, "! cannot be the name of a unit"},
		{"a.slice:b:c d", false, "! cannot be the name of a unit"},
		{"a.slice:b:" + strings.Repeat("x", 250), false, "! cannot be the name of a unit"},
	} {
		u, err := NewUnit(c.path, "id", c.user)
		switch want, bad := strings.CutPrefix(c.want, "! "); {
		case bad && (err == nil || !strings.Contains(err.Error(), want) || err.Pointer != "/linux/cgroupsPath"):
			t.Errorf("%q: %v", c.path, err)
		case !bad && (err != nil || u.Name+" in "+u.Slice != want || u.User != c.user):
			t.Errorf("%q: %+v, %v", c.path, u, err)
		}
	}
}

func text(list []Property) string {
	var parts []string
	for _, p := range list {
		parts = append(parts, fmt.Sprintf("%s=%s %v", p.Name, p.Value.Signature, p.Value.Value))
	}
	return strings.Join(parts, ", ")
}

func TestProperties(t *testing.T) {
	for write, want := range map[string]string{
		"memory.max 1048576":    "MemoryMax=t 1048576",
		"memory.max max":        "MemoryMax=t 18446744073709551615",
		"memory.low 5":          "MemoryLow=t 5",
		"memory.high 6":         "MemoryHigh=t 6",
		"memory.min 7":          "MemoryMin=t 7",
		"memory.swap.max 0":     "MemorySwapMax=t 0",
		"memory.oom.group 1":    "OOMPolicy=s kill",
		"memory.oom.group 0":    "",
		"pids.max 12":           "TasksMax=t 12",
		"cpu.weight 100":        "CPUWeight=t 100",
		"cpu.idle 1":            "CPUWeight=t 0",
		"cpu.idle 0":            "",
		"cpu.max 50000 100000":  "CPUQuotaPeriodUSec=t 100000, CPUQuotaPerSecUSec=t 500000",
		"cpu.max 1001 100000":   "CPUQuotaPeriodUSec=t 100000, CPUQuotaPerSecUSec=t 20000",
		"cpu.max max 50000":     "CPUQuotaPeriodUSec=t 50000, CPUQuotaPerSecUSec=t 18446744073709551615",
		"cpu.max 5000":          "CPUQuotaPeriodUSec=t 100000, CPUQuotaPerSecUSec=t 50000",
		"cpu.max x y":           "",
		"cpu.max x 1000":        "",
		"cpuset.cpus 0-2,8":     "AllowedCPUs=ay [7 1]",
		"cpuset.mems 1":         "AllowedMemoryNodes=ay [2]",
		"cpuset.cpus x":         "",
		"io.weight default 200": "IOWeight=t 200",
		"io.bfq.weight 100":     "IOWeight=t 100",
		"io.bfq.weight 500":     "IOWeight=t 4500",
		"io.bfq.weight 1000":    "IOWeight=t 10000",
		"io.bfq.weight 8:0 50":  "",
		"pids.max many":         "",
		"hugetlb.2MB.max 4":     "",
	} {
		file, value, _ := strings.Cut(write, " ")
		if got := text(Properties([]cgroups.Write{{File: file, Value: value}})); got != want {
			t.Errorf("%s: %s, want %s", write, got, want)
		}
	}
}

func TestDevices(t *testing.T) {
	const drivers = "Character devices:\n  1 mem\n136 pts\n 10 misc\n\nBlock devices:\n  8 sd\n254 virtblk\n"
	n := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		rules []specs.LinuxDeviceCgroup
		want  string
	}{
		{nil, "DevicePolicy=s strict, DeviceAllow=a(ss) []"},
		{[]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, "DevicePolicy=s auto"},
		{[]specs.LinuxDeviceCgroup{{Allow: false, Type: "a", Access: "rwm"}, {Allow: true, Type: "c", Major: n(1), Minor: n(3), Access: "rw"}}, "DevicePolicy=s strict, DeviceAllow=a(ss) [[/dev/char/1:3 rw]]"},
		{[]specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: n(136), Access: "rwm"}, {Allow: true, Type: "b", Major: n(8), Minor: n(-1), Access: "r"}}, "DevicePolicy=s strict, DeviceAllow=a(ss) [[char-pts rwm] [block-sd r]]"},
		{[]specs.LinuxDeviceCgroup{{Allow: true, Type: "b", Access: "m"}, {Allow: true, Type: "c", Major: n(-1), Access: "m"}}, "DevicePolicy=s strict, DeviceAllow=a(ss) [[block-* m] [char-* m]]"},
		{[]specs.LinuxDeviceCgroup{{Allow: true, Type: "b", Major: n(7), Minor: n(0), Access: "r"}, {Allow: true, Type: "b", Major: n(99), Access: "r"}}, "DevicePolicy=s strict, DeviceAllow=a(ss) [[/dev/block/7:0 r]]"},
		// systemd keeps the last entry of a name alone.
		{[]specs.LinuxDeviceCgroup{{Allow: true, Type: "b", Access: "rmw"}, {Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"}, {Allow: true, Type: "c", Access: "r"}}, "DevicePolicy=s strict, DeviceAllow=a(ss) [[block-* rwm] [char-* rm]]"},
	} {
		if got := text(Devices(c.rules, drivers)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if got := text(Devices(cgroups.DeviceRules(nil), drivers)); !strings.Contains(got, "[char-* m] [block-* m] [/dev/char/1:3 rwm]") || !strings.Contains(got, "[char-pts rwm] [/dev/char/5:2 rwm]") {
		t.Errorf("%s", got)
	}
}

func TestAnnotations(t *testing.T) {
	for annotation, want := range map[string]string{
		"KillSignal=2":                     "KillSignal=i 2",
		"TimeoutStopUSec=uint64 5000000":   "TimeoutStopUSec=t 5000000",
		"TimeoutStopSec=uint64 5":          "TimeoutStopUSec=t 5000000",
		"TimeoutStopSec=7":                 "TimeoutStopUSec=t 7000000",
		"CollectMode='inactive-or-failed'": "CollectMode=s inactive-or-failed",
		`Description="a \"b\" c"`:          `Description=s a "b" c`,
		"DefaultDependencies=true":         "DefaultDependencies=b true",
		"SendSIGHUP=boolean false":         "SendSIGHUP=b false",
		"After=['a.service', 'b.service']": "After=as [a.service b.service]",
		"CPUWeight=uint64 0x10":            "CPUWeight=t 16",
		"RuntimeMaxSec=int64 3":            "RuntimeMaxUSec=t 3000000",
		"KillMode=string 'mixed'":          "KillMode=s mixed",
		"TimeoutStopSec=-1":                `! "-1" is no time in seconds`,
		"TimeoutStopSec='5'":               "! is no time in seconds",
		"ExecStopPost='/bin/sh'":           "! the property ExecStopPost cannot be set",
		"Delegate=false":                   "! the property Delegate cannot be set",
		"DevicePolicy='auto'":              "! the property DevicePolicy cannot be set",
		"Slice='x.slice'":                  "! the property Slice cannot be set",
		"After=['a', 5]":                   "! is no value of a property",
		"After=[]":                         "! is no value of a property",
		"After=['a'":                       "! is no value of a property",
		"After=['a' 'b']":                  "! is no value of a property",
		"KillSignal=":                      "! is no value of a property",
		"KillSignal=2 3":                   "! is no value of a property",
		"KillSignal=99999999999":           "! is no value of a property",
		"Description='open":                "! is no value of a property",
		"Description=string open":          "! is no value of a property",
		"SendSIGHUP=boolean 1":             "! is no value of a property",
		"KillSignal=byte 300":              "! is no value of a property",
	} {
		name, value, _ := strings.Cut(annotation, "=")
		list, err := Annotations(map[string]string{AnnotationPrefix + name: value, "other": "'x'"})
		switch want, bad := strings.CutPrefix(want, "! "); {
		case bad && (err == nil || !strings.Contains(err.Error(), want) || err.Pointer != "/annotations/"+AnnotationPrefix+name):
			t.Errorf("%s: %v, %v", annotation, list, err)
		case !bad && (err != nil || text(list) != want):
			t.Errorf("%s: %s, %v", annotation, text(list), err)
		}
	}
}
