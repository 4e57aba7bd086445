package cgroups

import "testing"

// BenchmarkCreate is what a container without limits costs: to be made and
// removed.
func BenchmarkCreate(b *testing.B) {
	r, base := hierarchy(b)
	create(b, r, base)
	for b.Loop() {
		g, err := r.Create(base+"/a", nil)
		if err != nil {
			b.Fatal(err)
		}
		g.Close()
		if err := r.Remove(base + "/a"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAttachDevices(b *testing.B) {
	r, base := hierarchy(b)
	create(b, r, base)
	for b.Loop() {
		b.StopTimer()
		g, err := r.Create(base+"/a", nil)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		program, err := DeviceProgram(nil)
		if err == nil {
			err = g.AttachDevices(program)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		g.Close()
		if err := r.Remove(base + "/a"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkWrites(b *testing.B) {
	res, err := resourcesOf(`{"memory":{"limit":67108864,"swap":134217728},"cpu":{"shares":512,"quota":50000,"period":100000},"pids":{"limit":2048}}`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if writes, faults := Writes(res, "/linux/resources"); len(writes) != 5 || len(faults) > 0 {
			b.Fatal(writes, faults)
		}
	}
}
