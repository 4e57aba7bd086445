package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"brig/nsenter"
)

// stampSize is a struct timespec.
const stampSize = 16

// printTimings prints the time that each step took, from the clock readings of
// the stage. A step that was left out, or whose time was not read, has none.
func printTimings(w io.Writer) func(*nsenter.Program, []byte) {
	return func(p *nsenter.Program, stamps []byte) {
		type reading struct {
			at   time.Duration
			step nsenter.Step
		}
		var readings []reading
		n := 0
		for _, s := range p.Steps {
			if in := p.Instructions[s.First]; in.Op != nsenter.OpCall || in.Sys != nsenter.ClockGettime {
				continue
			}
			if raw := stamps[min(4+n*stampSize, len(stamps)):]; len(raw) >= stampSize {
				sec, nsec := binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
				if sec|nsec != 0 {
					readings = append(readings, reading{time.Duration(sec)*time.Second + time.Duration(nsec), s})
				}
			}
			n++
		}
		for i := 0; i+1 < len(readings); i++ {
			fmt.Fprintf(w, "%9.1f µs  %s\n", float64(readings[i+1].at-readings[i].at)/1e3, readings[i].step)
		}
		if n := len(readings); n > 1 {
			fmt.Fprintf(w, "%9.1f µs  all of it\n", float64(readings[n-1].at-readings[0].at)/1e3)
		}
	}
}
