package root_test

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// within runs brig with a limit of its address space, and says whether it succeeded.
func (b *box) within(kib int, args ...string) bool {
	b.t.Helper()
	inner := b.command(args...)
	cmd := exec.Command("/bin/sh", append([]string{"-c", fmt.Sprintf(`ulimit -v %d; exec "$@"`, kib), "sh"}, inner.Args...)...)
	cmd.SysProcAttr = inner.SysProcAttr
	out, err := cmd.StderrPipe()
	must(b.t, err)
	must(b.t, cmd.Start())
	hangs := time.AfterFunc(time.Minute, func() {
		b.t.Errorf("with %d KiB it does not end", kib)
		cmd.Process.Kill()
	})
	defer hangs.Stop()
	var said strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			break
		}
	}
	code, _ := status(cmd.Wait())
	if code != 0 && said.Len() == 0 {
		b.t.Errorf("with %d KiB: exit %d without a word", kib, code)
	}
	return code == 0
}

// TestLittleMemory runs a container with less and less address space for brig, below what
// it needs: it says so, and what is left is deleted by a brig that has enough.
func TestLittleMemory(t *testing.T) {
	b := newBox(t)
	b.args("/bin/true")
	b.save()
	run := []string{"run", "--bundle", b.bundle, b.id}
	low, high := 0, 8<<20
	for high-low > 64 {
		middle := (low + high) / 2
		if b.within(middle, run...) {
			high = middle
		} else {
			low = middle
		}
		b.clean()
	}
	failed := 0
	step := 64 * stride(8)
	for kib := low; kib > low-(32<<10) && kib > 0; kib -= step {
		if !b.within(kib, run...) {
			failed++
		}
		b.clean()
	}
	t.Logf("brig needs %d KiB of address space, and failed %d times with less", high, failed)
	if failed == 0 {
		t.Error("it never failed")
	}
}

// TestManyAtOnce takes many containers through their lives at the same time.
func TestManyAtOnce(t *testing.T) {
	n := 40
	if stride(2) == 1 {
		n = 200
	}
	boxes := make([]*box, n)
	for i := range boxes {
		boxes[i] = newBox(t)
		boxes[i].args("/bin/sleep", "1000")
		boxes[i].save()
	}
	var all sync.WaitGroup
	failed := make(chan string, n*5)
	for _, b := range boxes {
		all.Add(1)
		go func() {
			defer all.Done()
			for _, verb := range [][]string{
				{"create", "--bundle", b.bundle, b.id}, {"start", b.id}, {"exec", b.id, "true"}, {"kill", b.id, "KILL"}, {"delete", "--force", b.id},
			} {
				cmd := b.command(verb...)
				cmd.Stdin = nil
				if err := cmd.Run(); err != nil {
					failed <- fmt.Sprintf("%s of %s: %v", verb[0], b.id, err)
				}
			}
		}()
	}
	all.Wait()
	close(failed)
	for text := range failed {
		t.Error(text)
	}
	for _, b := range boxes {
		b.clean()
	}
	t.Logf("%d containers at once", n)
}
