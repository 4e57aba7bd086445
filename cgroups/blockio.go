package cgroups

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Bounds of the weights of block devices.
const (
	ioWeightMin, ioWeightMax = 10, 1000
)

// blockIO writes the weight to the BFQ scheduler's file where there is one, and
// scaled to that of the io controller elsewhere.
func (w *writer) blockIO(b *specs.LinuxBlockIO) {
	const p = "/blockIO"
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		w.fault(p+"/leafWeight", "cgroup v2 has no leaf weight")
	}
	if b.Weight != nil && *b.Weight != 0 {
		w.ioWeight(p+"/weight", "", *b.Weight)
	}
	for i, d := range b.WeightDevice {
		pointer := p + "/weightDevice/" + strconv.Itoa(i)
		if d.LeafWeight != nil && *d.LeafWeight != 0 {
			w.fault(pointer+"/leafWeight", "cgroup v2 has no leaf weight")
		}
		if d.Weight != nil && *d.Weight != 0 && w.blockDevice(pointer, d.Major, d.Minor) {
			w.ioWeight(pointer, fmt.Sprintf("%d:%d ", d.Major, d.Minor), *d.Weight)
		}
	}
	for _, t := range [...]struct {
		field, key string
		devices    []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", "rbps", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "wbps", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "riops", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "wiops", b.ThrottleWriteIOPSDevice},
	} {
		for i, d := range t.devices {
			pointer := p + "/" + t.field + "/" + strconv.Itoa(i)
			if !w.blockDevice(pointer, d.Major, d.Minor) {
				continue
			}
			rate := "max" // 0 takes a limit back, which version 2 writes as max
			if d.Rate != 0 {
				rate = strconv.FormatUint(d.Rate, 10)
			}
			w.add(pointer, "io.max", fmt.Sprintf("%d:%d %s=%s", d.Major, d.Minor, t.key, rate))
			w.writes[len(w.writes)-1].Lifts = d.Rate == 0
		}
	}
}

// Bounds of device numbers (linux/kdev_t.h).
const majorMax, minorMax = 1<<12 - 1, 1<<20 - 1

func (w *writer) blockDevice(pointer string, major, minor int64) bool {
	if major < 0 || major > majorMax || minor < 0 || minor > minorMax {
		w.fault(pointer, "%d:%d is no device number", major, minor)
		return false
	}
	return true
}

func (w *writer) ioWeight(pointer, device string, weight uint16) {
	if weight < ioWeightMin || weight > ioWeightMax {
		w.fault(pointer, "the weight %d is not between %d and %d", weight, ioWeightMin, ioWeightMax)
		return
	}
	scaled := 1 + (uint64(weight)-ioWeightMin)*9999/990
	w.writes = append(w.writes, Write{
		File: "io.bfq.weight", Value: device + strconv.Itoa(int(weight)), Pointer: w.base + pointer,
		Instead: &Write{File: "io.weight", Value: device + strconv.FormatUint(scaled, 10), Pointer: w.base + pointer},
	})
}
