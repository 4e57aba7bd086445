package seccomp

import (
	"bytes"
	"compress/lzw"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"brig/libcontainer/fault"

	"golang.org/x/sys/unix"
)

func compressed(t *testing.T, program string) []byte {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.LSB, 8)
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// Other programs in the place of the compiler show what can go wrong with it.
func TestCompilerFails(t *testing.T) {
	for _, c := range []struct {
		program string
		class   fault.Class
		want    string
	}{
		{"true", fault.Bug, "BUG in brig: the compiler of seccomp profiles: unexpected end of JSON input"},
		{"false", fault.Host, "/linux/seccomp: run the compiler of seccomp profiles: exit status 1"},
		{"cat", fault.Bug, "BUG in brig: the compiler of seccomp profiles made 0 bytes"}, // a JSON object of other keys
		{"yes", fault.Host, "/linux/seccomp: run the compiler of seccomp profiles: it says too much"},
		{"sleep", fault.Host, "/linux/seccomp: run the compiler of seccomp profiles: exit status 1 (brig-seccomp: missing operand"},
	} {
		_, err := runCompiler(compressed(t, c.program), docker(t))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || fault.ClassOf(err) != c.class {
			t.Errorf("%s: got %v", c.program, err)
		}
	}
	sound := compressed(t, "true")
	for _, packed := range [][]byte{nil, []byte("not packed"), sound[:len(sound)/2]} {
		if _, err := runCompiler(packed, docker(t)); fault.ClassOf(err) != fault.Host || !strings.Contains(err.Error(), "unpack the compiler") {
			t.Errorf("%d bytes: got %v", len(packed), err)
		}
	}
}

// In a PID namespace of its own, where no memfd can be executed.
func TestCompilerWithoutMemfd(t *testing.T) {
	if os.Getenv("SECCOMP_ROLE") == "noexec" {
		if err := os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("2"), 0); err != nil {
			t.Fatal(err)
		}
		_, err := Cache{}.Load(docker(t))
		const want = "/linux/seccomp: unpack the compiler of seccomp profiles: EACCES: permission denied (is the sysctl vm.memfd_noexec 2?)"
		if err == nil || err.Error() != want || fault.ClassOf(err) != fault.Host {
			t.Errorf("got %v", err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may set vm.memfd_noexec")
	}
	if _, err := os.Stat("/proc/sys/vm/memfd_noexec"); err != nil {
		t.Skip("the kernel is older than 6.3")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCompilerWithoutMemfd$")
	cmd.Env = append(os.Environ(), "SECCOMP_ROLE=noexec")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCompilerFileIsSealed(t *testing.T) {
	f, err := compilerFile(*embeddedProgram().packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || seals&compilerSeals != compilerSeals {
		t.Errorf("seals %#x, %v", seals, err)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, unix.EBADF) {
		t.Errorf("write: %v", err)
	}
}
